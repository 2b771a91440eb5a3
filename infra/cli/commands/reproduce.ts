/** @file `backlight reproduce`: the paper's comparison on a model and dataset of one's own, as a report. */
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import type { Args, Options } from "../args.ts";
import type { Command, Outcome } from "../command.ts";
import { datasetOptions } from "../evaluate/dataset-options.ts";
import { prepareEvaluation } from "../evaluate/job.ts";
import { csvText, documentOf } from "../evaluate/output.ts";
import { drawFigure } from "../evaluate/plot.ts";
import { writeAtomic } from "../files.ts";
import { findings } from "../reproduce/claims.ts";
import { sweepFigure } from "../reproduce/figures.ts";
import { benchmark, comparability, paperDepth, paperLayers, sources } from "../reproduce/paper.ts";
import { drawings, reportText } from "../reproduce/report.ts";
import { defaultSteps, isRefusal, runStudy, type Step, type Study, studyMethods } from "../reproduce/study.ts";
import { withList } from "../reproduce/with-list.ts";
import { runtimeOptions } from "../runtime-args.ts";
import { specOptions } from "../spec-args.ts";
import { table } from "../terminal.ts";

/** What the study varies itself is not for the command line to say. */
const varied = ["method", "combine", "weights", "samples", "noise", "noise-seed"];
const spec: Options = Object.fromEntries(
  Object.entries(specOptions).filter(([name]) => !varied.includes(name) && !name.startsWith("meta")),
);
/** A step beyond this is a mistake: no loss is linear so far. */
const STEP_MAX = 1e3;

export const reproduce: Command = {
  summary: "repeats the paper's comparison of methods on a model and a dataset",
  positionals: ["DATASET"],
  options: {
    model: { short: "m", value: "MODEL", help: "an .onnx file, or a name in the catalogue (required)" },
    card: { value: "FILE", help: "the model's card (default: the card beside the model)" },
    methods: { value: "NAMES", list: true, help: `the methods to compare (default ${studyMethods.join(", ")})` },
    steps: {
      value: "LIST",
      list: true,
      help: `sizes of the step of meta-saliency, auto among them (default ${defaultSteps.join(", ")})`,
    },
    ...spec,
    ...datasetOptions,
    out: { short: "o", value: "DIR", help: "where the report and the journal are written (default out/reproduce)" },
    ...runtimeOptions,
  },
  details: `DATASET is what evaluate takes, here or in a bucket (s3://bucket/folder).

Plays the pointing game and measures class sensitivity for every method at every layer, NormGrad also after
a step of meta-saliency; combines layers by sum and product with six weightings; and tries steps of several sizes. A
method that the model does not allow is listed with the reason, and the rest goes on. Written to --out:
  report.md        tables beside the paper's own figures, with what is and is not comparable
  report.json      everything in it as data, and the paper's figures
  *.csv, *.svg     each table, and the figures over depth and over the size of the step
  journal.jsonl    each image's numbers: the same command after an interruption goes on from there`,
  async run(args, terminal): Promise<Outcome> {
    const steps = args.list("steps").length > 0 ? args.list("steps").map(stepOf) : defaultSteps;
    const methods = args.list("methods").length > 0 ? args.list("methods") : studyMethods;
    const job = await prepareEvaluation(withOut(withList(args, "methods", methods)), terminal, true);
    const { known } = job.journal;
    if (known > 0) {
      terminal.note(`note: the journal in "${job.out}" has ${known} results, which are not computed again`);
    }
    try {
      const study = await runStudy(job, steps);
      const document = await write(study);
      const found = findings(study.pointing.rows, study.sensitivity.rows);
      terminal.print(args.flag("json") ? document : table(found.map((f) => [f.verdict, f.claim, f.here])));
      terminal.note(`the report is "${path.join(job.out, "report.md")}"`);
    } finally {
      await job.pool.close();
      await job.journal.close();
    }
    const failed = job.problems.filter((p) => !isRefusal(p));
    return failed.length === 0 ? 0 : failed.some((p) => p.code === "internal") ? 3 : 1;
  },
};

/** `evaluate` keeps its results elsewhere by default: a study's journal is its own. */
const withOut = (args: Args): Args => ({
  ...args,
  text: (name) => args.text(name) ?? (name === "out" ? path.join("out", "reproduce") : undefined),
});

function stepOf(text: string): Step {
  const step = Number(text);
  if (text === "auto") return text;
  if (step > 0 && step <= STEP_MAX) return step;
  throw new AppError("spec-invalid", `--steps takes numbers above 0 up to ${STEP_MAX} and auto, not "${text}"`);
}

/** Writes all files and returns the document. */
async function write(study: Study): Promise<string> {
  const { job, pointing, sensitivity, weights, combined, sweep } = study;
  const texts = {
    "report.md": reportText(study),
    "pointing.csv": csvText(pointing.rows),
    "sensitivity.csv": csvText(sensitivity.rows),
    "combined.csv": csvText(combined),
    "steps.csv": csvText(sweep),
    [drawings.pointing]: drawFigure(pointing.figure),
    [drawings.sensitivity]: drawFigure(sensitivity.figure),
    ...(sweep.length > 0 && {
      [drawings.stepPointing]: drawFigure(sweepFigure(sweep, "accuracy", job.model.name)),
      [drawings.stepRho]: drawFigure(sweepFigure(sweep, "rho", job.model.name)),
    }),
  };
  for (const [name, text] of Object.entries(texts)) await writeAtomic(path.join(job.out, name), text);
  const document = JSON.stringify(
    {
      ...documentOf("reproduce", job, pointing, ["report.json", ...Object.keys(texts)]),
      findings: findings(pointing.rows, sensitivity.rows),
      sensitivity: sensitivity.rows,
      weights,
      combined,
      steps: sweep,
      paper: { sources, comparability, layers: paperLayers, depth: paperDepth, benchmark },
    },
    null,
    2,
  );
  await writeAtomic(path.join(job.out, "report.json"), `${document}\n`);
  return document;
}
