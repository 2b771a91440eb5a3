/** @file Rank correlation of two maps. Knows nothing of images, classes or methods. */
import { isFlat } from "../imaging/heatmap.ts";
import { type FloatMap, resizeMap } from "../imaging/resize.ts";

/** Average ranks from 1: equal values share the mean of the ranks they take up. Values must not be NaN. */
export function averageRanks(values: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(values).sort();
  const ranks = new Float64Array(values.length);
  for (let i = 0; i < ranks.length; i += 1) {
    const value = values[i] ?? Number.NaN;
    // Ranks below+1 .. upTo are this value's; their mean:
    const below = countWhere(sorted, (v) => v < value);
    const upTo = countWhere(sorted, (v) => v <= value);
    ranks[i] = (below + 1 + upTo) / 2;
  }
  return ranks;
}

/** How many at the front of the list satisfy a condition that holds up to some point and never again. */
function countWhere(sorted: Float64Array, holds: (value: number) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(sorted[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Pearson's correlation; null where one of the two does not vary. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  if (a.length !== b.length) throw new TypeError(`cannot correlate ${a.length} with ${b.length} values`);
  const n = a.length;
  let [meanA, meanB] = [0, 0];
  for (let i = 0; i < n; i += 1) {
    meanA += a[i]! / n;
    meanB += b[i]! / n;
  }
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < n; i += 1) {
    const da = a[i]! - meanA;
    const db = b[i]! - meanB;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return aa === 0 || bb === 0 ? null : Math.max(-1, Math.min(1, ab / Math.sqrt(aa * bb)));
}

/**
 * Spearman's rank correlation: Pearson's of the average ranks. Null for a flat map: up to rounding all its values are
 * equal, and the order of rounding errors means nothing.
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  if (a.length !== b.length) throw new TypeError(`cannot correlate ${a.length} with ${b.length} values`);
  return isFlat(a) || isFlat(b) ? null : pearson(averageRanks(a), averageRanks(b));
}

export interface AgreementOptions {
  /** Compare magnitudes: for maps whose sign may flip without changing what they show. */
  readonly absolute?: boolean;
}

/**
 * Spearman's correlation of two maps of one image, both brought to `size` first (bilinear, half-pixel centres), so that
 * maps of different layers compare. Null where one of them is flat.
 */
export function mapAgreement(
  a: FloatMap,
  b: FloatMap,
  size: { readonly width: number; readonly height: number },
  { absolute = false }: AgreementOptions = {},
): number | null {
  // Flatness is a property of the raw map: interpolation can only blur it.
  if (isFlat(a.data) || isFlat(b.data)) return null;
  const values = (map: FloatMap): Float32Array => {
    const { data } = resizeMap(map, size.width, size.height);
    return absolute ? data.map(Math.abs) : data;
  };
  return spearman(values(a), values(b));
}
