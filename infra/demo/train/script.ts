/** @file A script of this folder as a process: arguments, terminal, Ctrl-C, one line for an error, the exit code. */
import { AppError } from "../../../shared/errors.ts";
import { type Args, type Options, optionsHelp, readArgs } from "../../cli/args.ts";
import { removeTemporary } from "../../cli/files.ts";
import { exitCodes } from "../../cli/main.ts";
import { openTerminal, type Terminal } from "../../cli/terminal.ts";

const common: Options = {
  quiet: { help: "no progress and no remarks on stderr" },
  help: { short: "h", help: "print this help" },
};

/** Runs the process's own arguments. The first Ctrl-C aborts the terminal's signal, the second ends the process. */
export async function runScript(
  name: string,
  summary: string,
  options: Options,
  run: (args: Args, terminal: Terminal) => Promise<number>,
): Promise<void> {
  const cancel = new AbortController();
  process.on("SIGINT", () => {
    if (cancel.signal.aborted) {
      removeTemporary();
      process.exit(exitCodes.cancelled);
    }
    cancel.abort();
  });
  const quiet = process.argv.includes("--quiet");
  const terminal = openTerminal(process.stdout, process.stderr, cancel.signal, process.env, quiet);
  try {
    const args = readArgs(process.argv.slice(2), { positionals: [], options: { ...options, ...common } }, name);
    if (args.flag("help"))
      terminal.print(`npm run ${name} -- [options]: ${summary}\n\n${optionsHelp({ ...options, ...common })}`);
    else process.exitCode = await run(args, terminal);
  } catch (error) {
    terminal.progress("");
    if (!(error instanceof AppError)) throw error;
    terminal.warn(`error: ${error.message}`);
    process.exitCode = error.code === "cancelled" ? exitCodes.cancelled : exitCodes.usage;
  }
}
