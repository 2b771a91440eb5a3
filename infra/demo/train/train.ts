/**
 * @file `npm run demo:train`: trains the demo's classifier with the gradients this project writes, and puts checkpoint,
 * loss curve, model and card into a folder. The committed model came about so; nothing here overwrites it unasked.
 */
import path from "node:path";
import { encodeImage } from "../../../shared/imaging/encode.ts";
import { openRuntime, runtimeNames } from "../../../shared/runtime/choose.ts";
import { nodeCodecs } from "../../../shared/runtime/node-codecs.ts";
import { type Args, choiceOf, integerOf, numberOf, type Options } from "../../cli/args.ts";
import { writeAtomic } from "../../cli/files.ts";
import type { Terminal } from "../../cli/terminal.ts";
import { loadAtlas } from "../atlas.ts";
import { openBatches } from "./batch-thread.ts";
import { validationSeeds } from "./batches.ts";
import { architecture } from "./classifier.ts";
import { drawCurve, smoothed } from "./curve.ts";
import { measureModel } from "./measure.ts";
import { trainingFile, writeModel } from "./model-files.ts";
import { picturesIn, planRate, stepsOf, type TrainingPlan } from "./plan.ts";
import type { TrainingRecord } from "./report.ts";
import { runScript } from "./script.ts";
import { shippedModel } from "./ship.ts";
import { type Progress, train } from "./trainer.ts";

const options: Options = {
  parts: { value: "N", help: "steps on parts of scenes, which come before those on whole ones (default 5320)" },
  steps: { value: "N", help: "steps on whole scenes (default 2920); may be changed before the rate falls" },
  rate: { value: "X", help: "of learning, at its highest (default 0.002)" },
  seed: { value: "N", help: "of the initial weights (default 1)" },
  out: { value: "DIR", help: "checkpoint, log and loss curve (default out/demo-train)" },
  model: { value: "DIR", help: "where the model and its card are put (default: model in --out)" },
  every: { value: "N", help: "steps between checkpoints (default 200)" },
  measure: { value: "N", help: "steps between looks at unseen scenes (default 1000)" },
  runtime: { value: "NAME", help: `${runtimeNames.join(", ")} (default auto)` },
  threads: { value: "N", help: "of the engine (default 1)" },
};

/**
 * Pictures are changed strongly at first, so that no colour is learnt by heart, then mildly, as they are to be seen.
 */
const strongSteps = 1500;
const mild = 0.25;

/** More than a year of steps. */
const stepsMax = 100_000_000;

async function run(args: Args, terminal: Terminal): Promise<number> {
  const plan: TrainingPlan = {
    net: architecture,
    phases: [
      { steps: strongSteps, batch: 64, size: architecture.size / 2, changes: 1 },
      { steps: integerOf(args, "parts", 0, stepsMax) ?? 5320, batch: 64, size: architecture.size / 2, changes: mild },
      { steps: integerOf(args, "steps", 1, stepsMax) ?? 2920, batch: 32, size: architecture.size, changes: mild },
    ],
    seed: integerOf(args, "seed", 0, 2 ** 31 - 1) ?? 1,
    rate: numberOf(args, "rate", 0, 1) ?? 0.002,
  };
  const folder = path.resolve(args.text("out") ?? "out/demo-train");
  const every = integerOf(args, "every", 1, stepsMax) ?? 200;
  const look = integerOf(args, "measure", 1, stepsMax) ?? 1000;
  const target = path.resolve(args.text("model") ?? path.join(folder, "model"));
  const runtime = await openRuntime(
    choiceOf(args, "runtime", runtimeNames) ?? "auto",
    integerOf(args, "threads", 1, 64) ?? 1,
  );
  terminal.note(`training in ${runtime.name}: ${JSON.stringify(plan)}`);
  const sprites = await loadAtlas();
  const { next, close } = openBatches(plan);
  const pace = paceOf();

  const onCheckpoint = async (progress: Progress): Promise<void> => {
    const { state, losses, seconds } = progress;
    await writeLog(folder, losses);
    const done = state.step === stepsOf(plan);
    if (state.step % look !== 0 && !done) return;
    const { bytes, card } = shippedModel(plan.net, state.average);
    await writeModel(target, bytes, card);
    await writeAtomic(trainingFile(target), trainingRecord(plan, runtime.name, progress));
    const measured = await measureModel(runtime, bytes, plan.net, [
      { seeds: validationSeeds, styles: "seen", sprites },
      { seeds: validationSeeds, styles: "held-out", sprites },
    ]);
    const [seen, heldOut] = measured.map(({ mean }) => mean.toFixed(3));
    const minutes = (seconds / 60).toFixed(0);
    terminal.note(`step ${state.step}, ${minutes} min: mAP ${seen} in seen styles, ${heldOut} in the held-out style`);
  };

  try {
    const { state, seconds } = await train(plan, {
      runtime,
      batches: next,
      checkpoint: path.join(folder, "checkpoint.bin"),
      every,
      signal: terminal.signal,
      onStep: (progress) => {
        if (progress.state.step % pace.every === 0) terminal.progress(pace.line(progress, plan));
      },
      onCheckpoint,
    });
    terminal.print(`trained ${state.step} steps in ${(seconds / 60).toFixed(1)} min; the model is in ${target}`);
    terminal.note(
      `npm run demo:evaluate -- --model ${target} measures it on 1,000 unseen scenes and writes the report`,
    );
    return 0;
  } finally {
    await close();
  }
}

/** What the report takes over: how the weights came about. */
function trainingRecord(plan: TrainingPlan, engine: string, { state, seconds }: Progress): string {
  const { phases, seed, rate } = plan;
  const pictures = picturesIn(plan, state.step);
  const minutes = Math.round(seconds / 60);
  const record: TrainingRecord = { steps: state.step, phases, pictures, seed, rate, engine, minutes };
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** The losses as text, a line each, and as a picture. */
async function writeLog(folder: string, losses: readonly number[]): Promise<void> {
  const lines = losses.map((loss, i) => `${i + 1} ${loss.toPrecision(6)}`);
  await writeAtomic(path.join(folder, "loss.txt"), `step loss\n${lines.join("\n")}\n`);
  const curve = drawCurve(losses, `loss (binary cross-entropy), ${losses.length} steps`);
  await writeAtomic(path.join(folder, "loss.png"), await encodeImage(curve, "png", nodeCodecs()));
}

/** Progress as a line: the loss of late and how long it will take, from the pace of the last steps. */
function paceOf() {
  const every = 10;
  let last = performance.now();
  return {
    every,
    line: ({ state: { step }, losses }: Progress, plan: TrainingPlan): string => {
      const now = performance.now();
      const ms = (now - last) / every;
      last = now;
      const loss = smoothed(losses.slice(-100), 1)[0] ?? 0;
      const minutes = (((stepsOf(plan) - step) * ms) / 60_000).toFixed(0);
      const rate = planRate(plan, step).toPrecision(2);
      const speed = `${ms.toFixed(0)} ms/step  ${minutes} min left`;
      return `step ${step}/${stepsOf(plan)}  loss ${loss.toFixed(4)}  rate ${rate}  ${speed}`;
    },
  };
}

await runScript("demo:train", "trains the demo's classifier", options, run);
