/** @file One image at a time through the explainers: read once, decoded when needed, numbers kept in the journal. */
import { AppError } from "../../../shared/errors.ts";
import { type PreparedInput, prepareInput } from "../../../shared/explanation/input.ts";
import { asPlane, layerMaps, mainMap, type RawMap } from "../../../shared/explanation/maps.ts";
import { type Prediction, readPrediction } from "../../../shared/explanation/prediction.ts";
import type { Size } from "../../../shared/imaging/geometry.ts";
import { readHeader } from "../../../shared/imaging/header.ts";
import type { FloatMap } from "../../../shared/imaging/resize.ts";
import { checkCancelled } from "../../../shared/runtime/runtime.ts";
import { sha256 } from "../files.ts";
import { decoding } from "../model-input.ts";
import { type DatasetImage, problemOf } from "./dataset.ts";
import type { EvaluateJob, MethodRun } from "./job.ts";
import { type Cell, itemKey } from "./journal.ts";
import { progressOf } from "./progress.ts";

/** An image of the dataset, opened. */
export interface OpenImage {
  readonly source: DatasetImage;
  readonly sha256: string;
  /** Upright, as the header has it. */
  readonly size: Size;
  /** Decoded and preprocessed when first asked for. */
  readonly prepared: () => Promise<PreparedInput>;
}

/** What an explainer says of an image and a class. */
export interface Answer {
  /** In the order of the run's layers; null where a map has no place on the image. */
  readonly maps: readonly (FloatMap | null)[];
  readonly prediction: Prediction;
  /** The class that was explained, also where a rank was asked for. */
  readonly class: number;
}

/**
 * Calls `each` for every image and method that can be read, one after the other. An image that fails is listed and the
 * rest goes on; `each` returns whether it had to compute anything.
 */
export async function forEachImage(
  job: EvaluateJob,
  each: (image: OpenImage, run: MethodRun) => Promise<boolean>,
  order: "image first" | "method first" = "image first",
): Promise<void> {
  const { images } = job.dataset;
  const progress = progressOf(job.terminal, images.length * job.runs.length);
  const failed = new Set<DatasetImage>();
  const one = async (source: DatasetImage, open: () => Promise<OpenImage>, run: MethodRun): Promise<void> => {
    checkCancelled(job.terminal.signal, "the evaluation");
    if (failed.has(source)) return progress.step(source.id, false);
    try {
      progress.step(`${source.id}, ${run.method}`, await each(await open(), run));
    } catch (error) {
      if (job.terminal.signal.aborted || !(error instanceof AppError)) throw error;
      failed.add(source);
      const problem = problemOf(source.id, error);
      job.problems.push(problem);
      job.terminal.warn(`FAILED ${problem.what}: ${problem.message}`);
    }
  };
  if (order === "method first") {
    for (const run of job.runs) for (const source of images) await one(source, () => openImage(job, source), run);
  } else {
    for (const source of images) {
      let opened: Promise<OpenImage> | undefined;
      for (const run of job.runs) {
        await one(
          source,
          () => {
            opened ??= openImage(job, source);
            return opened;
          },
          run,
        );
      }
    }
  }
  job.terminal.progress("");
}

async function openImage(job: EvaluateJob, source: DatasetImage): Promise<OpenImage> {
  const bytes = await source.read();
  const { width, height, orientation } = readHeader(bytes);
  let prepared: Promise<PreparedInput> | undefined;
  return {
    source,
    sha256: sha256(bytes),
    // EXIF's orientations from 5 on lie on their side.
    size: orientation >= 5 ? { width: height, height: width } : { width, height },
    prepared: () => {
      prepared ??= prepareInput(bytes, false, job.model.input, job.recipe, decoding());
      return prepared;
    },
  };
}

/** Runs an explainer for one class or rank. */
export async function ask(job: EvaluateJob, image: OpenImage, run: MethodRun, target: number): Promise<Answer> {
  const { tensor } = await image.prepared();
  const { manifest } = run.explainer;
  const { outputs } = await job.pool.run(run.explainer, tensor, target, job.terminal.signal);
  const single = manifest.layers.length === 1;
  const raw: readonly RawMap[] = single
    ? [mainMap(outputs, manifest)]
    : [...layerMaps(outputs, manifest), mainMap(outputs, manifest)];
  const prediction = readPrediction(outputs, manifest, job.labels);
  const maps = raw.map((map, i) => {
    try {
      return asPlane(map, map.layer === null ? undefined : manifest.layers[i]);
    } catch (error) {
      if (error instanceof AppError) return null;
      throw error;
    }
  });
  return { maps, prediction, class: target >= 0 ? target : (prediction.ranking[-target - 1]?.class ?? 0) };
}

/** An item's numbers from the journal, or computed and added to it. */
export async function measured(
  job: EvaluateJob,
  image: OpenImage,
  run: MethodRun,
  about: Readonly<Record<string, unknown>>,
  compute: () => Promise<readonly Cell[]>,
): Promise<{ readonly cells: readonly Cell[]; readonly fresh: boolean }> {
  // The explainer's digest stands for model, weights, method, layers and objective.
  const key = itemKey({ image: image.sha256, explainer: run.explainer.sha256, recipe: job.recipe, ...about });
  const known = job.journal.find(key);
  if (known !== undefined) return { cells: known, fresh: false };
  const cells = await compute();
  await job.journal.add(key, cells);
  return { cells, fresh: true };
}
