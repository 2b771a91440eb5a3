/** @file `npm run deploy`: makes what is missing and deploys; `-- --dry-run` shows what it would do. */
import { type Options, optionsHelp, readArgs } from "../cli/args.ts";
import { bundleWorker } from "../stack/bundle.ts";
import { wrangler, wranglerInTerminal } from "../stack/wrangler.ts";
import { readNames } from "./names.ts";
import { deployPlan, planText, type Step } from "./plan.ts";
import { bundleSize, sizeProblem, sizeText } from "./size.ts";

const options: Options = {
  "dry-run": { help: "print the plan and check the bundle; needs no account and changes nothing" },
  help: { short: "h", help: "print this help" },
};

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function deploy(argv: readonly string[]): Promise<void> {
  const args = readArgs(argv, { positionals: [], options }, "deploy");
  if (args.flag("help")) return print(`npm run deploy -- [options]\n\n${optionsHelp(options)}`);
  const plan = deployPlan(await readNames());
  if (args.flag("dry-run")) print(`Would make, in this order:\n\n${planText(plan)}\n`);
  const size = bundleSize(await bundleWorker());
  print(`bundle: ${sizeText(size)}`);
  const problem = sizeProblem(size);
  if (problem !== undefined) throw new Error(problem);
  if (args.flag("dry-run")) return;
  for (const step of plan) await carryOut(step);
}

async function carryOut({ what, found, make, asks }: Step): Promise<void> {
  if (found !== undefined) {
    const { code, output } = await wrangler(found.command);
    if (code === 0 && output.includes(found.says ?? "")) return print(`there: ${what}`);
    if (isSignedOut(output)) throw new Error(signInHint);
  }
  if (asks && !process.stdin.isTTY)
    return print(`not set, as nobody can be asked: ${what}\n  wrangler ${make.join(" ")}`);
  print(`making: ${what}`);
  const code = await wranglerInTerminal(make);
  if (code !== 0) throw new Error(`wrangler ${make.join(" ")} failed; what is above says why. It can be run again`);
}

/** A missing thing and a missing account fail alike; only the message tells them apart. */
const isSignedOut = (output: string): boolean => /CLOUDFLARE_API_TOKEN|not authenticated|wrangler login/i.test(output);
const signInHint = "there is no Cloudflare account to deploy to: npx wrangler login, or set CLOUDFLARE_API_TOKEN";

try {
  await deploy(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
