/** @file `evaluate pointing`: the pointing game, every method at every layer, and the middle of the image. */
import {
  centreOf,
  isHit,
  POINTING_TOLERANCE,
  type PointingTrial,
  pointOf,
  summarisePointing,
} from "../../../shared/evaluation/pointing.ts";
import { numberOf } from "../args.ts";
import { type EvaluateJob, type MethodRun, noPlace, skip } from "./job.ts";
import type { Cell } from "./journal.ts";
import { ask, forEachImage, measured, type OpenImage } from "./measure.ts";
import { type Play, playsOf } from "./plays.ts";
import { figureOrNull, type Report, type Row } from "./report.ts";
import { Table } from "./results.ts";

/** Further off than any object is large. */
const TOLERANCE_MAX = 10_000;

const subsets = ["all", "difficult"] as const;

export async function evaluatePointing(job: EvaluateJob): Promise<Report> {
  const tolerance = numberOf(job.args, "tolerance", 0, TOLERANCE_MAX) ?? POINTING_TOLERANCE;
  const smoothing = numberOf(job.args, "smoothing", 0, 1) ?? 0;
  const trials = new Table<PointingTrial>(job.runs);
  const centre: PointingTrial[] = [];
  const trialOf = (image: OpenImage, play: Play, hit: boolean): PointingTrial => ({
    image: image.source.id,
    class: play.class,
    hit,
    difficult: play.difficult,
  });
  await forEachImage(job, async (image, run) => {
    let computed = false;
    for (const play of await playsOf(job, image)) {
      const { cells, fresh } = await measured(job, image, run, { about: "point", target: play.target, smoothing }, () =>
        points(job, image, run, play, smoothing),
      );
      computed ||= fresh;
      if (run === job.runs[0])
        centre.push(trialOf(image, play, isHit(play.region.mask, centreOf(image.size), tolerance)));
      for (const [layer, cell] of cells.entries()) {
        if (cell === null) skip(job, noPlace, `${image.source.id}: ${run.method} at ${run.layers[layer]}`);
        const [x, y] = cell ?? [];
        const hit = x !== undefined && y !== undefined && isHit(play.region.mask, { x, y }, tolerance);
        if (cell !== null) trials.add(run, layer, trialOf(image, play, hit));
      }
    }
    return computed;
  });
  return reportOf(job, trials, centre, tolerance);
}

async function points(
  job: EvaluateJob,
  image: OpenImage,
  run: MethodRun,
  play: Play,
  smoothing: number,
): Promise<readonly Cell[]> {
  const { maps } = await ask(job, image, run, play.target);
  const { geometry } = await image.prepared();
  return maps.map((map) => {
    const point = map && pointOf(map, geometry, smoothing);
    return point && [point.x, point.y];
  });
}

function reportOf(
  job: EvaluateJob,
  trials: Table<PointingTrial>,
  centre: readonly PointingTrial[],
  tolerance: number,
): Report {
  const rows = subsets.flatMap((subset) => [
    rowOf("centre", "", subset, centre),
    ...trials.map(({ method }, layer, list) => rowOf(method, layer, subset, list)),
  ]);
  const level = summarisePointing(centre).micro;
  return {
    rows,
    figure: {
      title: "Pointing game",
      subtitle: `${job.model.name}, ${centre.length} (image, class) pairs, tolerance ${tolerance} px, 95 % intervals`,
      axis: "accuracy",
      range: [0, 1],
      ...trials.lines((list) => {
        const { micro, microInterval } = summarisePointing(list);
        return { value: figureOrNull(micro), interval: microInterval };
      }),
      ...(Number.isFinite(level) && { level: { name: "centre", value: level } }),
    },
  };
}

function rowOf(method: string, layer: string, subset: (typeof subsets)[number], trials: readonly PointingTrial[]): Row {
  const found = summarisePointing(trials, { subset });
  return {
    method,
    layer,
    subset,
    trials: found.trials,
    hits: found.hits,
    accuracy: figureOrNull(found.micro),
    "accuracy low": found.microInterval.low,
    "accuracy high": found.microInterval.high,
    "class mean": figureOrNull(found.classMean),
    "class mean low": found.classMeanInterval?.low ?? null,
    "class mean high": found.classMeanInterval?.high ?? null,
  };
}
