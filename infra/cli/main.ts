/** @file The command line: finds the command, runs it, and turns how it ended into one line and an exit code. */
import { AppError, messageOf } from "../../shared/errors.ts";
import { nearest } from "../../shared/nearest.ts";
import { type Options, optionsHelp, prose, readArgs, usageLine } from "./args.ts";
import type { Command } from "./command.ts";
import { check } from "./commands/check.ts";
import { compile } from "./commands/compile.ts";
import { evaluate } from "./commands/evaluate.ts";
import { explain } from "./commands/explain.ts";
import { gradient } from "./commands/gradient.ts";
import { layers } from "./commands/layers.ts";
import { models } from "./commands/models.ts";
import { reproduce } from "./commands/reproduce.ts";
import { serve } from "./commands/serve.ts";
import { sweep } from "./commands/sweep.ts";
import { weights } from "./commands/weights.ts";
import { removeTemporary } from "./files.ts";
import { openTerminal, table } from "./terminal.ts";
import { version } from "./version.ts";

export const commands: Readonly<Record<string, Command>> = {
  explain,
  layers,
  compile,
  gradient,
  check,
  evaluate,
  weights,
  reproduce,
  models,
  serve,
  sweep,
};

/** Options every command has. */
export const commonOptions: Options = {
  json: { help: "print the result as one JSON document on stdout" },
  quiet: { help: "no progress and no remarks on stderr" },
  debug: { help: "print the stack of an error" },
  help: { short: "h", help: "print this help" },
};

/** Exit codes: 0 ok, 1 some items failed, 2 it cannot be done as asked, 3 a fault of Backlight, 130 cancelled. */
export const exitCodes = { ok: 0, someFailed: 1, usage: 2, internal: 3, cancelled: 130 } as const;

interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Surroundings {
  readonly out: Stream;
  readonly err: Stream;
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Runs one command line and returns its exit code. Throws nothing. */
export async function main(argv: readonly string[], { out, err, signal, environment }: Surroundings): Promise<number> {
  const quiet = argv.includes("--quiet");
  const terminal = openTerminal(out, err, signal, environment, quiet);
  try {
    const [name, ...rest] = argv;
    if (name === undefined || name === "help" || name === "--help" || name === "-h") {
      out.write(`${help(rest[0])}\n`);
      return name === undefined ? exitCodes.usage : exitCodes.ok;
    }
    if (name === "--version" || name === "version") {
      out.write(`${version()}\n`);
      return exitCodes.ok;
    }
    const command = find(name);
    if (rest.some((word) => word === "--help" || word === "-h")) {
      out.write(`${help(name)}\n`);
      return exitCodes.ok;
    }
    const args = readArgs(rest, { ...command, options: { ...command.options, ...commonOptions } }, name);
    return await command.run(args, terminal);
  } catch (error) {
    terminal.progress("");
    return report(error, err, argv.includes("--debug"));
  }
}

/** One clear line for what a caller can cause; for a fault of ours also how to see more. */
function report(error: unknown, err: Stream, debug: boolean): number {
  const known = error instanceof AppError;
  const text = messageOf(error);
  const oneLine = text.replace(/\s*\n\s*/g, " ");
  err.write(known ? `error: ${oneLine}\n` : `error: backlight failed, which is a fault of its own: ${oneLine}\n`);
  if (debug) for (let e: unknown = error; e instanceof Error; e = e.cause) err.write(`${e.stack ?? e.message}\n`);
  else if (!known) err.write("run it again with --debug to see where\n");
  if (!known) return exitCodes.internal;
  return error.code === "cancelled" ? exitCodes.cancelled : exitCodes.usage;
}

function find(name: string): Command {
  const command = commands[name];
  if (command !== undefined) return command;
  const near = nearest(name, Object.keys(commands));
  const hint = near.length > 0 ? `did you mean ${near.join(" or ")}?` : `there are ${Object.keys(commands).join(", ")}`;
  throw new AppError("spec-invalid", `backlight has no command "${name}": ${hint}`);
}

/** Help of one command, or of all. */
export function help(name?: string): string {
  if (name !== undefined && name in commands) return commandHelp(name, find(name));
  const rows = Object.entries(commands).map(([key, { summary }]) => [`  ${key}`, summary]);
  return [
    "backlight: shows why an image classifier said what it said",
    "",
    "usage: backlight COMMAND [options]",
    "",
    table(rows),
    "",
    "backlight COMMAND --help tells more, backlight --version the version.",
    "Exit codes: 0 ok, 1 some items failed, 2 wrong usage, 3 internal fault, 130 cancelled.",
  ].join("\n");
}

function commandHelp(name: string, command: Command): string {
  return [
    `backlight ${name}: ${command.summary}`,
    "",
    `usage: ${usageLine(name, command)}`,
    "",
    optionsHelp({ ...command.options, ...commonOptions }),
    ...(command.details === undefined ? [] : ["", prose(command.details)]),
  ].join("\n");
}

/** Runs this process's own command line. Ctrl-C ends it between steps; a second one at once. */
export async function runProcess(): Promise<void> {
  const cancel = new AbortController();
  process.on("SIGINT", () => {
    if (cancel.signal.aborted) {
      removeTemporary();
      process.exit(exitCodes.cancelled);
    }
    cancel.abort();
  });
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.ok);
    throw error;
  });
  process.exitCode = await main(process.argv.slice(2), {
    out: process.stdout,
    err: process.stderr,
    signal: cancel.signal,
    environment: process.env,
  });
}
