/** @file Which classes of an image are played, and where they are: everything left out is counted with its reason. */
import { AppError } from "../../../shared/errors.ts";
import type { AnnotatedObject } from "../../../shared/evaluation/datasets/annotation.ts";
import { type Region, regionOf } from "../../../shared/evaluation/datasets/region.ts";
import { maskArea } from "../../../shared/evaluation/mask.ts";
import { groupBy, isDifficult } from "../../../shared/evaluation/pointing.ts";
import { integerOf } from "../args.ts";
import { type EvaluateJob, skip } from "./job.ts";
import { ask, measured, type OpenImage } from "./measure.ts";

/** One (image, present class). */
export interface Play {
  /** The class as the dataset calls it. */
  readonly class: string;
  /** The model's class that is explained. */
  readonly target: number;
  readonly region: Region;
  /** Of the pointing game's difficult subset. */
  readonly difficult: boolean;
}

const known = new WeakMap<OpenImage, Promise<readonly Play[]>>();

/** The plays of an image, found once. Throws `dataset-invalid` where the annotation is of another picture. */
export function playsOf(job: EvaluateJob, image: OpenImage): Promise<readonly Play[]> {
  const found = known.get(image) ?? findPlays(job, image);
  known.set(image, found);
  return found;
}

async function findPlays(job: EvaluateJob, image: OpenImage): Promise<readonly Play[]> {
  const { id, objects, annotatedSize } = image.source;
  const { width, height } = image.size;
  if (objects === null) skip(job, "images without annotation", id);
  else if (objects.length === 0) skip(job, "images that show no object", id);
  if (annotatedSize !== null && (annotatedSize.width !== width || annotatedSize.height !== height)) {
    throw new AppError(
      "dataset-invalid",
      `the annotation of "${id}" is of ${annotatedSize.width} x ${annotatedSize.height} pixels, the image has ` +
        `${width} x ${height}: they are not the same picture`,
    );
  }
  const groups = groupBy(objects ?? [], (object) => object.class);
  const plays: Play[] = [];
  for (const [name, group] of groups) {
    const what = `${id}: ${name}`;
    const region = regionOf(group, image.size);
    for (let i = 0; i < region.clipped; i += 1) skip(job, "objects cut off at the edge of their image (kept)", what);
    for (let i = 0; i < region.outside; i += 1) skip(job, "objects wholly outside their image", what);
    if (group.every((object) => object.difficult)) {
      skip(job, "classes whose objects are all marked as difficult", what);
    } else if (maskArea(region.mask) === 0) {
      skip(job, "classes without a pixel on their image", what);
    } else {
      const target = await targetOf(job, image, group);
      if (target === null) continue;
      plays.push({ class: name, target, region, difficult: isDifficult(region.mask, groups.size - 1) });
    }
  }
  return plays;
}

/** More ranks than any classifier has classes. */
const TOP_MAX = 1_000_000;

/** The class to explain: of several candidates the one with the highest score. null where it is not played. */
async function targetOf(job: EvaluateJob, image: OpenImage, group: readonly AnnotatedObject[]): Promise<number | null> {
  const [first] = group;
  if (first === undefined) return null;
  const what = `${image.source.id}: ${first.class}`;
  const candidates = (first.target === undefined ? job.classOf(first.class) : [first.target]).filter(
    (c) => c >= 0 && c < job.classes,
  );
  const [only] = candidates;
  if (only === undefined) {
    skip(job, "classes that the model does not have", what);
    return null;
  }
  const top = integerOf(job.args, "top", 1, TOP_MAX);
  if (candidates.length === 1 && top === undefined) return only;
  const best = await bestOf(job, image, candidates);
  if (top === undefined || best.rank < top) return best.class;
  skip(job, `classes that the model does not rank among its first ${top}`, what);
  return null;
}

async function bestOf(
  job: EvaluateJob,
  image: OpenImage,
  candidates: readonly number[],
): Promise<{ readonly class: number; readonly rank: number }> {
  const [run] = job.runs;
  if (run === undefined) throw new TypeError("an evaluation has a method");
  const { cells } = await measured(job, image, run, { about: "rank", candidates }, async () => {
    const { prediction } = await ask(job, image, run, -1);
    const rank = prediction.ranking.findIndex((r) => candidates.includes(r.class));
    return [[prediction.ranking[rank]?.class ?? 0, rank]];
  });
  const [found = 0, rank = 0] = cells[0] ?? [];
  return { class: found, rank };
}
