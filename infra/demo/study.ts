/**
 * @file `npm run demo:study`: the pointing game on unseen scenes, every method at every layer of the demo's
 *   classifier, and whether the paper's orderings hold on it. Writes study.json and its figures beside the model.
 */
import path from "node:path";
import { openRuntime, runtimeNames } from "../../shared/runtime/choose.ts";
import { type Args, choiceOf, integerOf, type Options } from "../cli/args.ts";
import { drawFigure } from "../cli/evaluate/plot.ts";
import { progressOf } from "../cli/evaluate/progress.ts";
import { writeAtomic } from "../cli/files.ts";
import type { Terminal } from "../cli/terminal.ts";
import { loadAtlas } from "./atlas.ts";
import { orderingsOf } from "./study-orderings.ts";
import {
  closeExplainers,
  groupSize,
  loadStudied,
  openExplainers,
  playScenes,
  scaledTolerance,
  studySeeds,
  studySize,
} from "./study-pointing.ts";
import { type StyleStudy, studyFigure, studyFile, studyTable, summariseStudy } from "./study-report.ts";
import { modelFolder, readModel } from "./train/model-files.ts";
import { runScript } from "./train/script.ts";

const methods = [
  "norm-grad-selective",
  "norm-grad",
  "linear-approximation",
  "grad-cam",
  "gradient",
  "guided-backprop",
  "excitation-backprop",
  "contrastive-excitation-backprop",
];
const styleSets = ["seen", "held-out"] as const;
const styleNames = { seen: "seen styles", "held-out": "the held-out style" } as const;

const options: Options = {
  model: { value: "DIR", help: "the model's folder (default: the committed one)" },
  scenes: { value: "N", help: `unseen scenes in either style (default ${studySeeds.count}); fewer write no files` },
  runtime: { value: "NAME", help: `${runtimeNames.join(", ")} (default auto)` },
};

async function run(args: Args, terminal: Terminal): Promise<number> {
  const folder = args.text("model") ?? modelFolder;
  const scenes = integerOf(args, "scenes", 2, studySeeds.count) ?? studySeeds.count;
  const runtime = await openRuntime(choiceOf(args, "runtime", runtimeNames) ?? "auto");
  const [model, sprites] = await Promise.all([readModel(folder), loadAtlas()]);
  terminal.progress("compiling the explainers");
  const explainers = await openExplainers(runtime, model, await loadStudied(model), methods, terminal.signal);
  const studies: StyleStudy[] = [];
  try {
    const progress = progressOf(terminal, Math.ceil(scenes / groupSize) * styleSets.length);
    for (const styles of styleSets) {
      const of = { seeds: { ...studySeeds, count: scenes }, styles, sprites };
      const played = await playScenes(explainers, of, terminal.signal, () =>
        progress.step(`groups of ${groupSize} scenes, ${styleNames[styles]}`, true),
      );
      terminal.progress(`summing up ${styleNames[styles]}`);
      studies.push(summariseStudy(styles, played));
    }
  } finally {
    await closeExplainers(explainers);
  }
  terminal.progress("");
  for (const study of studies) report(terminal, study, scenes);
  if (scenes < studySeeds.count) return 0;
  const document = {
    model: model.card.name,
    sha256: model.sha256,
    runtime: runtime.name,
    scenes: { count: scenes, firstSeed: studySeeds.first, size: studySize },
    objective: "the class's logit",
    tolerance: scaledTolerance,
    studies: studies.map((study) => ({ ...study, orderings: orderingsOf(study) })),
  };
  await writeAtomic(studyFile(folder), `${JSON.stringify(document, null, 2)}\n`);
  terminal.note(`wrote ${studyFile(folder)}`);
  for (const study of studies) {
    const subtitle = `${model.card.name}, ${scenes} unseen scenes in ${styleNames[study.styles]}; 95 % intervals`;
    const file = path.join(folder, `study-${study.styles}.svg`);
    await writeAtomic(file, drawFigure(studyFigure("Pointing game over depth", subtitle, study)));
    terminal.note(`wrote ${file}`);
  }
  return 0;
}

function report({ print }: Terminal, study: StyleStudy, scenes: number): void {
  const about = `${scenes} scenes in ${styleNames[study.styles]}, ${study.trials} (scene, class in it) pairs`;
  print(`Pointing game: ${about}; mean of the classes in %, 95 % intervals`);
  print(`\nwithin ${scaledTolerance} of ${studySize} pixels of the object\n\n${studyTable(study, "near")}`);
  print(`\non the object itself\n\n${studyTable(study, "exact")}\n`);
  if (study.methods.some(({ layers }) => layers.some(({ flat }) => flat === 1)))
    print("* every map is the same everywhere, and its first pixel counts\n");
  for (const { statement, holds, figures } of orderingsOf(study))
    print(`${holds ? "holds" : "DOES NOT HOLD"}: ${statement} (${figures})`);
  print("");
}

await runScript("demo:study", "plays the pointing game with the demo's classifier on unseen scenes", options, run);
