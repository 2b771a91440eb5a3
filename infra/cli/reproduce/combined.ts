/** @file The pointing game of all combinations of a method's layers at once: from one run of its explainer an image. */
import { isHit, type PointingTrial, pointOf, summarisePointing } from "../../../shared/evaluation/pointing.ts";
import { combinedMap } from "../../../shared/evaluation/weights.ts";
import { type Combination, combinations } from "../../../shared/saliency/spec.ts";
import type { EvaluateJob, MethodRun } from "../evaluate/job.ts";
import { ask, forEachImage, measured, type OpenImage } from "../evaluate/measure.ts";
import { type Play, playsOf } from "../evaluate/plays.ts";
import { figureOrNull, type Row } from "../evaluate/report.ts";
import { pairedDifference } from "./paired.ts";

/** Shares of one method's layers, under the name of what they come from. */
export interface Weighting {
  readonly name: string;
  readonly weights: readonly number[];
}

interface Way extends Weighting {
  readonly how: Combination;
}

/** The weighting that others are compared with. */
export const UNIFORM = "uniform";

/** A row a combination: its accuracy, and the difference to uniform weights on the same trials. */
export async function evaluateCombinations(
  job: EvaluateJob,
  run: MethodRun,
  weightings: readonly Weighting[],
): Promise<readonly Row[]> {
  const ways = combinations.flatMap((how) => weightings.map((weighting): Way => ({ ...weighting, how })));
  const trials = ways.map((): PointingTrial[] => []);
  await forEachImage({ ...job, runs: [run] }, async (image) => {
    let computed = false;
    for (const play of await playsOf(job, image)) {
      const about = { about: "combined points", target: play.target, ways };
      const { cells, fresh } = await measured(job, image, run, about, () => points(job, image, run, play, ways));
      computed ||= fresh;
      for (const [i, cell] of cells.entries()) {
        const [x = Number.NaN, y = Number.NaN] = cell ?? [];
        const hit = cell !== null && isHit(play.region.mask, { x, y });
        trials[i]?.push({ image: image.source.id, class: play.class, hit, difficult: play.difficult });
      }
    }
    return computed;
  });
  return ways.map((way, i) => rowOf(run, way, trials, i, ways));
}

async function points(job: EvaluateJob, image: OpenImage, run: MethodRun, play: Play, ways: readonly Way[]) {
  const { maps } = await ask(job, image, run, play.target);
  const { geometry } = await image.prepared();
  // The last one is the explainer's own combination.
  const layers = maps.slice(0, -1).flatMap((map) => map ?? []);
  if (layers.length < maps.length - 1) return ways.map(() => null);
  return ways.map(({ how, weights }) => {
    const point = pointOf(combinedMap(layers, weights, how, geometry.input), geometry);
    return point && [point.x, point.y];
  });
}

function rowOf(
  run: MethodRun,
  way: Way,
  trials: readonly (readonly PointingTrial[])[],
  index: number,
  ways: readonly Way[],
): Row {
  const own = trials[index] ?? [];
  const { micro, microInterval } = summarisePointing(own);
  const base = trials[ways.findIndex((w) => w.how === way.how && w.name === UNIFORM)] ?? [];
  const against = way.name === UNIFORM ? null : pairedDifference(own, base);
  return {
    method: run.method,
    combine: way.how,
    weights: way.name,
    shares: way.weights.map((w) => w.toFixed(2)).join(" "),
    trials: own.length,
    accuracy: figureOrNull(micro),
    "accuracy low": microInterval.low,
    "accuracy high": microInterval.high,
    "over uniform": against && figureOrNull(against.mean),
    "over uniform low": against?.interval?.low ?? null,
    "over uniform high": against?.interval?.high ?? null,
  };
}
