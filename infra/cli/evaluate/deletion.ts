/** @file `evaluate deletion`: insertion and deletion curves of every method at every layer. */
import { AppError } from "../../../shared/errors.ts";
import {
  areaUnderCurve,
  blurredInput,
  type Perturbation,
  type Planes,
  perturbations,
  perturbedBatch,
  saliencyOrder,
  stepCounts,
} from "../../../shared/evaluation/deletion.ts";
import { bootstrap, mean } from "../../../shared/evaluation/intervals.ts";
import { preprocess } from "../../../shared/imaging/preprocess.ts";
import { resizeMap } from "../../../shared/imaging/resize.ts";
import { choiceOf, integerOf } from "../args.ts";
import { type EvaluateJob, type MethodRun, noPlace, skip } from "./job.ts";
import type { Cell } from "./journal.ts";
import { ask, forEachImage, measured, type OpenImage } from "./measure.ts";
import { openModel, type Scorer } from "./model-scores.ts";
import { figureOrNull, type Report } from "./report.ts";
import { Table } from "./results.ts";

export const baselines = ["grey", "blur"] as const;
type Baseline = (typeof baselines)[number];

/** As RISE has it: pixels are deleted to grey, and inserted into a blurred image. */
const usualBaseline: Readonly<Record<Perturbation, Baseline>> = { deletion: "grey", insertion: "blur" };
/** Points of a curve less one: the area changes little with more. */
const STEPS = 28;
const STEPS_MAX = 10_000;
/** Inputs the model is given at once, where it takes several. */
const BATCH = 8;
/** Mid-grey, of 255. */
const GREY = 128;

export async function evaluateDeletion(job: EvaluateJob): Promise<Report> {
  if (job.recipe.dtype !== "float32") {
    throw new AppError(
      "model-unsupported",
      `cannot mix images for a model whose input is ${job.recipe.dtype}: insertion and deletion take float32 inputs`,
    );
  }
  const steps = integerOf(job.args, "steps", 1, STEPS_MAX) ?? STEPS;
  const asked = choiceOf(job.args, "baseline", baselines);
  const tables = new Map(perturbations.map((kind) => [kind, new Table<number>(job.runs)]));
  const scorer = openModel(job);
  try {
    await forEachImage(job, async (image, run) => {
      let computed = false;
      for (const kind of perturbations) {
        const baseline = asked ?? usualBaseline[kind];
        const { cells, fresh } = await measured(job, image, run, { about: kind, baseline, steps }, () =>
          curves(job, image, run, scorer, { kind, baseline, steps }),
        );
        computed ||= fresh;
        for (const [layer, cell] of cells.entries()) {
          if (cell === null) skip(job, noPlace, `${image.source.id}: ${run.method} at ${run.layers[layer]}`);
          else tables.get(kind)?.add(run, layer, areaUnderCurve(cell));
        }
      }
      return computed;
    });
  } finally {
    await scorer.close();
  }
  return reportOf(job, tables, asked);
}

interface Curve {
  readonly kind: Perturbation;
  readonly baseline: Baseline;
  readonly steps: number;
}

/** The probability of the image's top class along each layer's curve. */
async function curves(
  job: EvaluateJob,
  image: OpenImage,
  run: MethodRun,
  scorer: Scorer,
  { kind, baseline, steps }: Curve,
): Promise<readonly Cell[]> {
  const answer = await ask(job, image, run, -1);
  const { tensor, photo } = await image.prepared();
  const { width, height, layout } = job.recipe;
  const pixels = width * height;
  const planes: Planes = { channels: tensor.data.length / pixels, pixels, layout };
  const own = Float32Array.from(tensor.data, Number);
  const grey = { width: photo.width, height: photo.height, data: new Uint8Array(photo.data.length).fill(GREY) };
  const inputs = {
    image: own,
    baseline:
      baseline === "blur" ? blurredInput(own, planes, width) : Float32Array.from(preprocess(grey, job.recipe).data),
  };
  const counts = stepCounts(pixels, steps);
  const cells: Cell[] = [];
  for (const map of answer.maps) {
    if (map === null) {
      cells.push(null);
      continue;
    }
    const order = saliencyOrder(resizeMap(map, width, height));
    const scores: number[] = [];
    for (let at = 0; at < counts.length; at += BATCH) {
      const batch = perturbedBatch(kind, inputs, order, counts.slice(at, at + BATCH), planes);
      scores.push(...(await scorer.probabilities(batch, answer.class)));
    }
    cells.push(scores);
  }
  return cells;
}

function reportOf(
  job: EvaluateJob,
  tables: ReadonlyMap<Perturbation, Table<number>>,
  asked: Baseline | undefined,
): Report {
  const summary = (areas: readonly number[]) => ({
    value: areas.length === 0 ? null : figureOrNull(mean(areas)),
    interval: bootstrap(areas, mean),
  });
  const rows = [...tables].flatMap(([kind, table]) =>
    table.map(({ method }, layer, areas) => {
      const { value, interval } = summary(areas);
      return {
        method,
        layer,
        curve: kind,
        baseline: asked ?? usualBaseline[kind],
        images: areas.length,
        area: value,
        "area low": interval?.low ?? null,
        "area high": interval?.high ?? null,
      };
    }),
  );
  const insertion = tables.get("insertion") ?? new Table<number>(job.runs);
  return {
    rows,
    figure: {
      title: "Insertion",
      subtitle: `${job.model.name}, ${job.dataset.images.length} images; higher is better; 95 % intervals`,
      axis: "area under the probability's curve",
      range: [0, 1],
      ...insertion.lines(summary),
    },
  };
}
