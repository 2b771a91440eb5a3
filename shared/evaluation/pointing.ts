/**
 * @file The pointing game (Zhang et al. 2016, "Top-down neural attention by excitation backprop", with the tolerance
 * and averaging of its benchmark): does the map's largest value lie on the object?
 */
import type { Geometry, Point, Size } from "../imaging/geometry.ts";
import type { FloatMap } from "../imaging/resize.ts";
import { bootstrap, type Interval, mean, wilson } from "./intervals.ts";
import { type Mask, maskArea } from "./mask.ts";
import { checkMask, mapOnPhoto } from "./on-photo.ts";

/** How far from the object a point still counts, in pixels of the photo: the protocol's 15. */
export const POINTING_TOLERANCE = 15;

/** The first largest value in row-major order; NaN (what the model did not see) is never it. Null where all is NaN. */
export function peakOf({ width, data }: FloatMap): Point | null {
  let best = -1;
  for (let i = 0; i < data.length; i += 1) {
    const value = data[i]!;
    if (!Number.isNaN(value) && (best < 0 || value > data[best]!)) best = i;
  }
  return best < 0 ? null : { x: best % width, y: Math.floor(best / width) };
}

/** Where a map points to on the photo: its peak after the resize to the photo's own size, a pixel's index. */
export const pointOf = (map: FloatMap, geometry: Geometry, smoothing = 0): Point | null =>
  peakOf(mapOnPhoto(map, geometry, smoothing));

/** The baseline that looks at nothing: the middle of the photo, in pixel indices. */
export const centreOf = ({ width, height }: Size): Point => ({ x: (width - 1) / 2, y: (height - 1) / 2 });

/** Whether some pixel of the mask satisfies dx^2 + dy^2 < tolerance^2 (strictly); with tolerance 0, is the pixel. */
export function isHit(mask: Mask, point: Point, tolerance: number = POINTING_TOLERANCE): boolean {
  if (tolerance === 0) return mask.data[Math.round(point.y) * mask.width + Math.round(point.x)] === 1;
  const near = (value: number, size: number): readonly [number, number] => [
    Math.max(0, Math.floor(value - tolerance)),
    Math.min(size - 1, Math.ceil(value + tolerance)),
  ];
  const [x0, x1] = near(point.x, mask.width);
  const [y0, y1] = near(point.y, mask.height);
  for (let y = y0; y <= y1; y += 1) {
    for (let x = x0; x <= x1; x += 1) {
      if (mask.data[y * mask.width + x] === 0) continue;
      if ((x - point.x) ** 2 + (y - point.y) ** 2 < tolerance ** 2) return true;
    }
  }
  return false;
}

export interface PointingOptions {
  readonly tolerance?: number;
  readonly smoothing?: number;
}

/** One trial: the map of one class against that class's mask on the photo. Throws `dataset-invalid` for other sizes. */
export function playPointing(map: FloatMap, geometry: Geometry, mask: Mask, options: PointingOptions = {}): boolean {
  checkMask(mask, geometry.photo);
  const point = pointOf(map, geometry, options.smoothing);
  return point !== null && isHit(mask, point, options.tolerance);
}

/** The class covers less of the image than this in a difficult trial. */
const DIFFICULT_AREA = 1 / 4;

/**
 * Whether a trial is of the "difficult" subset: the class covers less than a quarter of the photo, and another class is
 * there too.
 */
export const isDifficult = (mask: Mask, otherClasses: number): boolean =>
  otherClasses > 0 && maskArea(mask) < DIFFICULT_AREA * mask.width * mask.height;

/** One (image, present class). */
export interface PointingTrial {
  readonly image: string;
  readonly class: string | number;
  readonly hit: boolean;
  readonly difficult: boolean;
}

export interface ClassAccuracy {
  readonly class: string | number;
  readonly hits: number;
  readonly trials: number;
}

export interface PointingSummary {
  readonly hits: number;
  readonly trials: number;
  /** Of all trials alike, with Wilson's interval. NaN where there were none. */
  readonly micro: number;
  readonly microInterval: Interval;
  /** The mean of the classes' accuracies, the paper's figure, over classes that had a trial. NaN where none had. */
  readonly classMean: number;
  /** By the bootstrap over images; null for fewer than two images. */
  readonly classMeanInterval: Interval | null;
  /** In the order of first appearance. */
  readonly classes: readonly ClassAccuracy[];
}

/** Accuracy of all trials, or of the difficult ones. Intervals are of 95 %. */
export function summarisePointing(
  trials: readonly PointingTrial[],
  { subset = "all", seed = 1 }: { readonly subset?: "all" | "difficult"; readonly seed?: number } = {},
): PointingSummary {
  const kept = trials.filter((t) => subset === "all" || t.difficult);
  const classes = classAccuracies(kept);
  const hits = kept.filter((t) => t.hit).length;
  const order = new Map(classes.map((each, i) => [each.class, i]));
  const images = [...groupBy(kept, (t) => t.image).values()].map((trials) =>
    trials.map((trial): Played => ({ index: order.get(trial.class) ?? 0, hit: trial.hit })),
  );
  return {
    hits,
    trials: kept.length,
    micro: hits / kept.length,
    microInterval: wilson(hits, kept.length),
    classMean: classMean(classes),
    classMeanInterval: bootstrap(images, (sample) => sampleMean(sample, classes.length), { seed }),
    classes,
  };
}

function classAccuracies(trials: readonly PointingTrial[]): readonly ClassAccuracy[] {
  const counts = new Map<string | number, { hits: number; trials: number }>();
  for (const trial of trials) {
    const count = counts.get(trial.class) ?? { hits: 0, trials: 0 };
    counts.set(trial.class, count);
    count.trials += 1;
    if (trial.hit) count.hits += 1;
  }
  return [...counts].map(([name, count]) => ({ class: name, ...count }));
}

const classMean = (classes: readonly ClassAccuracy[]): number => mean(classes.map(({ hits, trials }) => hits / trials));

/** A trial with its class as a number: thousands of samples are drawn of them. */
interface Played {
  readonly index: number;
  readonly hit: boolean;
}

/** The class mean of a sample of images; NaN for one without trials. */
function sampleMean(sample: readonly (readonly Played[])[], classes: number): number {
  const hits = new Float64Array(classes);
  const trials = new Float64Array(classes);
  for (const image of sample) {
    for (const { index, hit } of image) {
      trials[index] = trials[index]! + 1;
      if (hit) hits[index] = hits[index]! + 1;
    }
  }
  let [sum, shown] = [0, 0];
  for (let i = 0; i < classes; i += 1) {
    if (trials[i] === 0) continue;
    sum += hits[i]! / trials[i]!;
    shown += 1;
  }
  return sum / shown;
}

/** Items by their key, keys in the order of first appearance. */
export function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
