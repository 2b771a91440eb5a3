/**
 * @file A layer's share in a combination as something measured on images: the weightings that the paper's authors
 * compare, and one that needs no labels; and the combination itself for maps at hand. Running the model is elsewhere.
 */
import type { Size } from "../imaging/geometry.ts";
import { isFlat } from "../imaging/heatmap.ts";
import { type FloatMap, resizeMap } from "../imaging/resize.ts";
import type { Features } from "./weights-probe.ts";

/**
 * `feature-spread`: how much of a layer's pooled features differs between images. `accuracy`: how well a linear probe
 * tells classes by them. `pointing-accuracy`: how often the layer's own map points at the object. `class-contrast`: how
 * much the layer's map changes between the two most probable classes; ours, and like the first it asks for no labels.
 */
export const weightStrategies = ["feature-spread", "accuracy", "pointing-accuracy", "class-contrast"] as const;
export type WeightStrategy = (typeof weightStrategies)[number];

/**
 * The part of the features' mean square that varies between images, tr cov(f) / mean |f|^2, in [0, 1]: 0 where all
 * images look the same to the layer. Ours: the paper weighs by "feature spread", but its definition is not published.
 */
export function featureSpread(features: Features): number {
  const [first] = features;
  if (first === undefined) return 0;
  let [centre, square] = [0, 0];
  for (let k = 0; k < first.length; k += 1) {
    let [sum, squares] = [0, 0];
    for (const row of features) {
      sum += row[k]! / features.length;
      squares += row[k]! ** 2 / features.length;
    }
    centre += sum ** 2;
    square += squares;
  }
  return square > 0 ? Math.max(0, 1 - centre / square) : 0;
}

/**
 * How much a layer's map tells of this class rather than another: 1 - rho of the maps for the two most probable
 * classes, times the share of images that have a rho at all: a flat map tells nothing.
 * @param rho the mean over the images that have one; null where none has
 * @param flat how many have none
 */
export function classContrast(rho: number | null, images: number, flat: number): number {
  if (rho === null) return 0;
  const contrast = ((1 - rho) * images) / (images + flat);
  return contrast < ROUNDING ? 0 : contrast;
}

/** Correlations of maps that differ by rounding alone come this close to 1: such a layer is class-blind. */
const ROUNDING = 1e-4;

/** Each raw figure's share of their sum; alike where all are 0: nothing then speaks for one layer over another. */
export function layerShares(raw: readonly number[]): readonly number[] {
  const total = raw.reduce((a, b) => a + b, 0);
  return raw.map((value) => (total > 0 ? value / total : 1 / raw.length));
}

/**
 * Maps of one image as the explainer combines them: each resized to `size` (bilinear, half-pixel centres), scaled to
 * [0, 1] (a map constant up to rounding becomes 0), then sum w_j m_j, or prod m_j^w_j. Layers of weight 0 have no part.
 * @param weights one a map, sum 1
 */
export function combinedMap(
  maps: readonly FloatMap[],
  weights: readonly number[],
  how: "sum" | "product",
  { width, height }: Size,
): FloatMap {
  const data = new Float32Array(width * height).fill(how === "sum" ? 0 : 1);
  for (const [j, map] of maps.entries()) {
    const weight = weights[j] ?? 0;
    if (weight === 0) continue;
    const unit = unitRange(resizeMap(map, width, height).data);
    for (const [i, value] of unit.entries()) {
      if (how === "sum") data[i]! += weight * value;
      else data[i]! *= value ** weight;
    }
  }
  return { width, height, data };
}

function unitRange(data: Float32Array): Float32Array {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return isFlat(data) ? data.map(() => 0) : data.map((value) => (value - low) / (high - low));
}
