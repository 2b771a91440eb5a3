/** @file `backlight evaluate`: how good maps are, method by method and layer by layer, on a dataset. */
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import { perturbations } from "../../../shared/evaluation/deletion.ts";
import { randomisations } from "../../../shared/evaluation/randomise.ts";
import { classPairs } from "../../../shared/evaluation/sensitivity.ts";
import { nearest } from "../../../shared/nearest.ts";
import type { Command, Outcome } from "../command.ts";
import { evaluateAgreement } from "../evaluate/agreement.ts";
import { datasetOptions } from "../evaluate/dataset-options.ts";
import { baselines, evaluateDeletion } from "../evaluate/deletion.ts";
import { defaultMethods, type EvaluateJob, prepareEvaluation } from "../evaluate/job.ts";
import { evaluateLocalisation } from "../evaluate/localisation.ts";
import { csvText, documentOf, tableText } from "../evaluate/output.ts";
import { drawFigure } from "../evaluate/plot.ts";
import { evaluatePointing } from "../evaluate/pointing.ts";
import type { Report } from "../evaluate/report.ts";
import { evaluateSanity } from "../evaluate/sanity.ts";
import { evaluateSensitivity } from "../evaluate/sensitivity.ts";
import { writeAtomic } from "../files.ts";
import { runtimeOptions } from "../runtime-args.ts";
import { specOptions } from "../spec-args.ts";

interface Kind {
  readonly evaluate: (job: EvaluateJob) => Promise<Report>;
  /** Whether it needs to know what the images show. */
  readonly annotated: boolean;
}

const kinds: Readonly<Record<string, Kind>> = {
  pointing: { evaluate: evaluatePointing, annotated: true },
  sensitivity: { evaluate: evaluateSensitivity, annotated: false },
  sanity: { evaluate: evaluateSanity, annotated: false },
  deletion: { evaluate: evaluateDeletion, annotated: false },
  localisation: { evaluate: evaluateLocalisation, annotated: true },
  agreement: { evaluate: evaluateAgreement, annotated: false },
};

const { method: _one, ...spec } = specOptions;

export const evaluate: Command = {
  summary: "measures how good the maps of a model are, on a dataset",
  positionals: ["KIND", "DATASET"],
  options: {
    model: { short: "m", value: "MODEL", help: "an .onnx file, or a name in the catalogue (required)" },
    card: { value: "FILE", help: "the model's card (default: the card beside the model)" },
    methods: {
      value: "NAMES",
      list: true,
      help: `the methods to compare, as explain --method takes them (default ${defaultMethods.join(",")})`,
    },
    ...spec,
    ...datasetOptions,
    tolerance: { value: "PIXELS", help: "pointing: how near counts as a hit (default 15, strictly)" },
    smoothing: { value: "0..1", help: "pointing: sigma of a Gaussian, as a part of the longer side (default 0)" },
    pair: { value: "NAMES", list: true, help: `sensitivity: ${classPairs.join(", ")} (default max-min)` },
    randomisation: { value: "HOW", help: `sanity: ${randomisations.join(" or ")} (default cascading)` },
    stages: { value: "N", help: "sanity: how many layers, spread from the output to the input (default 6)" },
    seed: { value: "N", help: "sanity: of the random weights (default 1)" },
    steps: { value: "N", help: `deletion: points of the ${perturbations.join(" and ")} curves (default 28)` },
    baseline: { value: "NAME", help: `deletion: ${baselines.join(" or ")} (default grey to delete, blur to insert)` },
    out: { short: "o", value: "DIR", help: "where results and the journal are written (default out/evaluation)" },
    ...runtimeOptions,
  },
  details: `KIND is one of
  pointing      does the map's largest value lie on the object? (Zhang et al. 2016)
  localisation  does the box around the map's largest part overlap the object's? and how much of the map is on it?
  sensitivity   Spearman's rho of the maps for two classes; 1 is a method that does not look at the class
  sanity        rho with the maps of the same model with random weights (Adebayo et al. 2018)
  deletion      the class's probability as the most salient pixels are deleted or inserted (Petsiuk et al. 2018)
  agreement     Spearman's rho of the first method's maps with the others', such as norm-grad,norm-grad-real

DATASET is a folder of images with VOC XML, COCO JSON, YOLO text or class-index masks, or a JSON file: COCO's, or a list
of (image, class) pairs. The others than pointing and localisation take any folder of images. It may be in a bucket, as
s3://bucket/folder, and so may what --annotations, --images, --names and --classes say: it is then read, not copied,
with the credentials of BACKLIGHT_S3_ENDPOINT, _REGION, _ACCESS_KEY_ID and _SECRET_ACCESS_KEY, or AWS's own.

Every layer of --layers is measured by itself, and with several layers their combination. Written to --out:
  KIND.json, KIND.csv   the figures with their 95 % intervals, and all that was skipped or failed, with reasons
  KIND.svg              the figures over depth
  journal.jsonl         each image's numbers: the same command after an interruption goes on from there`,
  async run(args, terminal): Promise<Outcome> {
    const [name = ""] = args.positionals;
    const kind = kinds[name];
    if (kind === undefined) throw unknownKind(name);
    const job = await prepareEvaluation(args, terminal, kind.annotated);
    const { known } = job.journal;
    if (known > 0)
      terminal.note(`note: the journal in "${job.out}" has ${known} results, which are not computed again`);
    try {
      const report = await kind.evaluate(job);
      await write(name, job, report, args.flag("json"));
    } finally {
      await job.pool.close();
      await job.journal.close();
    }
    for (const [why, what] of job.skipped) terminal.note(`skipped: ${what.length} ${why}, such as ${what[0]}`);
    const { problems } = job;
    if (problems.length > 0) terminal.warn(`${problems.length} failed: they are listed in ${name}.json`);
    return problems.length === 0 ? 0 : problems.some((p) => p.code === "internal") ? 3 : 1;
  },
};

async function write(name: string, job: EvaluateJob, report: Report, json: boolean): Promise<void> {
  const files = [`${name}.json`, `${name}.csv`, `${name}.svg`];
  const document = JSON.stringify(documentOf(name, job, report, files), null, 2);
  await writeAtomic(path.join(job.out, `${name}.json`), `${document}\n`);
  await writeAtomic(path.join(job.out, `${name}.csv`), csvText(report.rows));
  await writeAtomic(path.join(job.out, `${name}.svg`), drawFigure(report.figure));
  job.terminal.print(json ? document : tableText(report.rows));
}

function unknownKind(name: string): AppError {
  const known = Object.keys(kinds);
  const near = nearest(name, known);
  const hint = near.length > 0 ? `did you mean ${near.join(" or ")}?` : `there are ${known.join(", ")}`;
  return new AppError("spec-invalid", `backlight cannot evaluate "${name}": ${hint}`);
}
