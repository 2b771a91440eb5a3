/**
 * @file `npm run bench:sweep`: planning and polling, cores and threads, the sweep in one workerd, and memory. A table
 * on stdout; files in a temporary folder.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { integerOf, type Options, optionsHelp, readArgs } from "../cli/args.ts";
import { table } from "../cli/terminal.ts";
import type { Row } from "./sweep-common.ts";
import { measureEdge } from "./sweep-edge.ts";
import { measureLedger } from "./sweep-ledger.ts";
import { measureMemory, measureThreads } from "./sweep-threads.ts";

type Part = (folder: string, images: number) => Promise<readonly Row[]>;
const parts: Readonly<Record<string, Part>> = {
  ledger: measureLedger,
  threads: measureThreads,
  edge: measureEdge,
  memory: measureMemory,
};
/** `memory` takes minutes. */
const partsDefault = ["ledger", "threads", "edge"];
const imagesDefault = 10_000;

const options: Options = {
  parts: {
    value: "NAMES",
    list: true,
    help: `which: ${Object.keys(parts).join(", ")} (default ${partsDefault.join(", ")})`,
  },
  images: { value: "N", help: `of the part memory (default ${imagesDefault}, which takes minutes)` },
  help: { short: "h", help: "print this help" },
};

async function bench(argv: readonly string[]): Promise<void> {
  const args = readArgs(argv, { positionals: [], options }, "bench:sweep");
  if (args.flag("help")) {
    process.stdout.write(`npm run bench:sweep -- [options]\n\n${optionsHelp(options)}\n`);
    return;
  }
  const images = integerOf(args, "images", 0, 1_000_000) ?? imagesDefault;
  const chosen = args.list("parts").length > 0 ? args.list("parts") : partsDefault;
  const folder = await mkdtemp(path.join(tmpdir(), "backlight-bench-"));
  try {
    const rows: Row[] = [];
    for (const name of chosen) {
      const measure = parts[name];
      if (measure === undefined) throw new RangeError(`no part "${name}"; there are ${Object.keys(parts).join(", ")}`);
      process.stderr.write(`${name}\n`);
      rows.push(...(await measure(folder, images)));
    }
    process.stdout.write(`${table([["", "measured", "wanted"], ...rows], new Set([1, 2]))}\n`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

await bench(process.argv.slice(2));
