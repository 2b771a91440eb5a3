/**
 * @file `npm run demo:evaluate`: measures the demo's classifier on 1,000 unseen scenes in the styles it was trained in
 * and in the one it never saw, and writes the report beside it.
 */
import { openRuntime, runtimeNames } from "../../../shared/runtime/choose.ts";
import { type Args, choiceOf, integerOf, type Options } from "../../cli/args.ts";
import { writeAtomic } from "../../cli/files.ts";
import { type Terminal, table } from "../../cli/terminal.ts";
import { loadAtlas } from "../atlas.ts";
import { classes } from "../classes.ts";
import { testSeeds } from "./batches.ts";
import { architecture } from "./classifier.ts";
import { measureModel } from "./measure.ts";
import { modelFolder, readModel, readTraining, reportFile } from "./model-files.ts";
import { makeReport } from "./report.ts";
import { runScript } from "./script.ts";

const options: Options = {
  model: { value: "DIR", help: "the model's folder (default: the committed one)" },
  scenes: { value: "N", help: `unseen scenes in either style (default ${testSeeds.count}); fewer write no report` },
  runtime: { value: "NAME", help: `${runtimeNames.join(", ")} (default auto)` },
};

async function run(args: Args, terminal: Terminal): Promise<number> {
  const folder = args.text("model") ?? modelFolder;
  const count = integerOf(args, "scenes", 1, testSeeds.count) ?? testSeeds.count;
  const seeds = { first: testSeeds.first, count };
  const runtime = await openRuntime(choiceOf(args, "runtime", runtimeNames) ?? "auto");
  const [model, training, sprites] = await Promise.all([readModel(folder), readTraining(folder), loadAtlas()]);
  terminal.progress(`measuring on ${count} scenes in seen styles and ${count} in the held-out style`);
  const scenes = (["seen", "held-out"] as const).map((styles) => ({ seeds, styles, sprites }));
  const [seen, heldOut] = await measureModel(runtime, model.bytes, architecture, scenes, terminal.signal);
  if (seen === undefined || heldOut === undefined) throw new TypeError("two measurements");
  terminal.progress("");
  const percent = (ap: number | null | undefined): string => (typeof ap === "number" ? (ap * 100).toFixed(1) : "-");
  const rows = classes.map(({ name }, i) => [name, percent(seen.classes[i]), percent(heldOut.classes[i])]);
  const mean = ["mean (mAP)", percent(seen.mean), percent(heldOut.mean)];
  terminal.print(table([["average precision, %", "seen styles", "held-out style"], ...rows, mean], new Set([1, 2])));
  if (count === testSeeds.count) {
    const report = makeReport({ model, training, seen, heldOut, styles: sprites.styles });
    await writeAtomic(reportFile(folder), `${JSON.stringify(report, null, 2)}\n`);
    terminal.note(`wrote ${reportFile(folder)}`);
  }
  return 0;
}

await runScript("demo:evaluate", "measures the demo's classifier on unseen scenes", options, run);
