/**
 * @file Weakly supervised localisation: a box from a map, judged by its overlap with the annotated ones. The box is the
 * one around the largest connected part above a threshold (Zhou et al. 2016, CAM); accuracy is that of the best
 * threshold (MaxBoxAcc: Choe et al. 2020), since methods differ in how their values spread.
 */
import type { Rectangle } from "../imaging/geometry.ts";
import type { FloatMap } from "../imaging/resize.ts";
import { type Interval, wilson } from "./intervals.ts";
import { boxIou, type Mask, maskArea } from "./mask.ts";

/** An overlap from here on is a hit. */
export const IOU_HIT = 0.5;

/** 0.05, 0.1 ... 0.95 of the way from the map's smallest to its largest value. */
export const thresholds: readonly number[] = Array.from({ length: 19 }, (_, i) => (i + 1) / 20);

/**
 * For each threshold, the box around the largest connected part of what lies at or above it (pixels touch at corners
 * too; of equal parts the first in reading order). NaN belongs to no part. A flat map is one part.
 *
 * Pixels are taken from the highest threshold's down and joined to the parts that are there (a union-find forest), so
 * that all thresholds cost one pass.
 */
export function partBoxes(map: FloatMap): readonly (Rectangle | null)[] {
  const { width, height, data } = map;
  const byLevel = pixelsByLevel(map);
  const parent = new Int32Array(data.length).fill(-1);
  const size = new Int32Array(data.length);
  const boxes = new Map<number, Bounds>();
  const rootOf = (pixel: number): number => {
    let at = pixel;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!; // halves the path for the next who asks
      at = parent[at]!;
    }
    return at;
  };
  let best = -1;
  const found: (Rectangle | null)[] = [];
  for (const pixels of byLevel.toReversed()) {
    for (const pixel of pixels) {
      const x = pixel % width;
      const y = (pixel - x) / width;
      parent[pixel] = pixel;
      size[pixel] = 1;
      let own: Bounds = { left: x, top: y, right: x + 1, bottom: y + 1, first: pixel };
      let root = pixel;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny += 1) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx += 1) {
          const next = ny * width + nx;
          if (parent[next] === -1) continue;
          const other = rootOf(next);
          if (other === root) continue;
          own = around(own, boxes.get(other) ?? own);
          boxes.delete(other);
          const [small, large] = size[other]! < size[root]! ? [other, root] : [root, other];
          parent[small] = large;
          size[large]! += size[small]!;
          root = large;
        }
      }
      boxes.set(root, own);
      best = better(root, best < 0 ? root : rootOf(best), size, boxes);
    }
    const bounds = best < 0 ? undefined : boxes.get(rootOf(best));
    found.push(bounds === undefined ? null : rectangleOf(bounds));
  }
  return found.reverse();
}

/** A part's box, and its first pixel in reading order. */
interface Bounds extends Rectangle {
  readonly first: number;
}

const around = (a: Bounds, b: Bounds): Bounds => ({
  left: Math.min(a.left, b.left),
  top: Math.min(a.top, b.top),
  right: Math.max(a.right, b.right),
  bottom: Math.max(a.bottom, b.bottom),
  first: Math.min(a.first, b.first),
});

const rectangleOf = ({ left, top, right, bottom }: Bounds): Rectangle => ({ left, top, right, bottom });

function better(a: number, b: number, size: Int32Array, boxes: ReadonlyMap<number, Bounds>): number {
  if (size[a] !== size[b]) return size[a]! > size[b]! ? a : b;
  return (boxes.get(a)?.first ?? 0) <= (boxes.get(b)?.first ?? 0) ? a : b;
}

/** Pixels by the highest threshold that each one reaches, in reading order; those below all thresholds are left out. */
function pixelsByLevel({ data }: FloatMap): readonly (readonly number[])[] {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const from = thresholds.map((share) => min + share * (max - min));
  const levels = thresholds.map((): number[] => []);
  for (const [pixel, value] of data.entries()) levels[from.findLastIndex((level) => value >= level)]?.push(pixel);
  return levels;
}

/** For each threshold the best overlap of the map's box with any of the annotated boxes, all in pixels of the map. */
export const boxOverlaps = (map: FloatMap, boxes: readonly Rectangle[]): readonly number[] =>
  partBoxes(map).map((box) => (box === null ? 0 : Math.max(0, ...boxes.map((annotated) => boxIou(box, annotated)))));

export interface LocalisationSummary {
  readonly trials: number;
  /** Accuracy at the best threshold over all trials, and that threshold. NaN without trials. */
  readonly accuracy: number;
  readonly interval: Interval;
  readonly threshold: number;
  /** Accuracy at every threshold, in their order. */
  readonly byThreshold: readonly number[];
}

/** Of all trials' overlaps, each as `boxOverlaps` gives them; the interval is Wilson's at the best threshold. */
export function summariseLocalisation(overlaps: readonly (readonly number[])[]): LocalisationSummary {
  const hits = thresholds.map((_, i) => overlaps.filter((trial) => (trial[i] ?? 0) >= IOU_HIT).length);
  const most = Math.max(...hits);
  return {
    trials: overlaps.length,
    accuracy: most / overlaps.length,
    interval: wilson(most, overlaps.length),
    threshold: thresholds[hits.indexOf(most)] ?? Number.NaN,
    byThreshold: hits.map((n) => n / overlaps.length),
  };
}

/**
 * The part of a map's positive values that lies on the object (energy-based pointing game, Wang et al. 2020, Score-CAM,
 * section 4.3); null where the map has none. The map is at the mask's size.
 */
export function energyInside(map: FloatMap, mask: Mask): number | null {
  let [inside, total] = [0, 0];
  for (const [i, value] of map.data.entries()) {
    if (!(value > 0)) continue; // also NaN: what the model did not see
    total += value;
    if (mask.data[i] !== 0) inside += value;
  }
  return total === 0 ? null : inside / total;
}

/** The part of the photo the object covers: the energy inside of a map that says nothing. */
export const maskShare = (mask: Mask): number => maskArea(mask) / (mask.width * mask.height);
