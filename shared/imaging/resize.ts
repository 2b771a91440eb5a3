/**
 * @file Bilinear resizing, two kinds. Photos: antialiased, 8-bit, bit for bit what Pillow's `resize(size, BILINEAR)`
 * gives, since models were trained and goldens made with it. Maps: half-pixel centres, no antialias.
 */
import type { Raster } from "./image.ts";

/** Fraction bits of a coefficient: 32 less 8 for the sample and 2 for sign and overflow of the sum. */
const PRECISION_BITS = 22;

/** For each output position: which inputs it draws from, and their weights scaled by 2^22 (sum 2^22 up to rounding). */
interface Weights {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly values: Int32Array;
  readonly perOutput: number;
}

/**
 * Weights of the triangle filter, its support widened by the factor of reduction (never below 1). With
 * s = from / to, centre (i + 0.5) s and input position j + 0.5: w = max(0, 1 - |j + 0.5 - centre| / max(s, 1)).
 */
function triangleWeights(from: number, to: number): Weights {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const perOutput = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const values = new Int32Array(to * perOutput);
  const exact = new Float64Array(perOutput);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const length = Math.min(from, Math.trunc(centre + support + 0.5)) - start;
    let sum = 0;
    for (let j = 0; j < length; j++) {
      // Multiplied by the reciprocal, not divided: the last bit decides whether a coefficient rounds up.
      const distance = Math.abs((j + start - centre + 0.5) * (1 / support));
      const weight = distance < 1 ? 1 - distance : 0;
      exact[j] = weight;
      sum += weight;
    }
    for (let j = 0; j < length; j++) {
      values[i * perOutput + j] = Math.trunc(0.5 + (exact[j]! / sum) * (1 << PRECISION_BITS));
    }
    first[i] = start;
    count[i] = length;
  }
  return { first, count, values, perOutput };
}

const clip = (value: number): number => Math.min(255, Math.max(0, value));

function resizeRows(from: Raster, width: number): Raster {
  const { first, count, values, perOutput } = triangleWeights(from.width, width);
  const out = new Uint8Array(width * from.height * 3);
  let to = 0;
  for (let y = 0; y < from.height; y++) {
    const row = y * from.width * 3;
    for (let x = 0; x < width; x++, to += 3) {
      let red = 1 << (PRECISION_BITS - 1);
      let green = red;
      let blue = red;
      let at = row + first[x]! * 3;
      const begin = x * perOutput;
      const end = begin + count[x]!;
      for (let k = begin; k < end; k++, at += 3) {
        const weight = values[k]!;
        red += from.data[at]! * weight;
        green += from.data[at + 1]! * weight;
        blue += from.data[at + 2]! * weight;
      }
      out[to] = clip(red >> PRECISION_BITS);
      out[to + 1] = clip(green >> PRECISION_BITS);
      out[to + 2] = clip(blue >> PRECISION_BITS);
    }
  }
  return { width, height: from.height, data: out };
}

function resizeColumns(from: Raster, height: number): Raster {
  const { first, count, values, perOutput } = triangleWeights(from.height, height);
  const stride = from.width * 3;
  const out = new Uint8Array(stride * height);
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    sums.fill(1 << (PRECISION_BITS - 1));
    for (let k = 0; k < count[y]!; k++) {
      const weight = values[y * perOutput + k]!;
      const row = (first[y]! + k) * stride;
      for (let i = 0; i < stride; i++) sums[i] = sums[i]! + from.data[row + i]! * weight;
    }
    for (let i = 0; i < stride; i++) out[y * stride + i] = clip(sums[i]! >> PRECISION_BITS);
  }
  return { width: from.width, height, data: out };
}

/** Resizes a photo, rows first, rounding to 8 bits between the two passes. A pass that changes nothing is left out. */
export function resizeRaster(from: Raster, width: number, height: number): Raster {
  const wide = from.width === width ? from : resizeRows(from, width);
  return from.height === height ? wide : resizeColumns(wide, height);
}

/** A map of one number a pixel, rows from the top. */
export interface FloatMap {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** Between which two pixels of an axis each position lies, and how far towards the second. */
interface Neighbours {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly part: Float64Array;
}

function neighboursOf(positions: Float64Array, size: number): Neighbours {
  const centred = positions.map((position) => Math.min(Math.max(position - 0.5, 0), size - 1));
  const low = Int32Array.from(centred, Math.floor);
  return {
    low,
    high: low.map((index) => Math.min(index + 1, size - 1)),
    part: centred.map((position, i) => position - low[i]!),
  };
}

/**
 * Reads a map on a grid of positions, row by row: bilinear between pixel centres, which lie at i + 0.5 (pixel i covers
 * [i, i+1)). Positions beyond the outermost centres have the edge's value.
 */
export function sampleGrid(map: FloatMap, xs: Float64Array, ys: Float64Array): Float32Array {
  const columns = neighboursOf(xs, map.width);
  const rows = neighboursOf(ys, map.height);
  const out = new Float32Array(xs.length * ys.length);
  let to = 0;
  for (let y = 0; y < ys.length; y++) {
    const upperRow = rows.low[y]! * map.width;
    const lowerRow = rows.high[y]! * map.width;
    const down = rows.part[y]!;
    for (let x = 0; x < xs.length; x++, to++) {
      const left = columns.low[x]!;
      const right = columns.high[x]!;
      const along = columns.part[x]!;
      const upperLeft = map.data[upperRow + left]!;
      const lowerLeft = map.data[lowerRow + left]!;
      const upper = upperLeft + (map.data[upperRow + right]! - upperLeft) * along;
      const lower = lowerLeft + (map.data[lowerRow + right]! - lowerLeft) * along;
      out[to] = upper + (lower - upper) * down;
    }
  }
  return out;
}

/** Resizes a map: bilinear, half-pixel centres, edges clamped, no antialias (`align_corners=False`). */
export function resizeMap(map: FloatMap, width: number, height: number): FloatMap {
  const xs = Float64Array.from({ length: width }, (_, x) => ((x + 0.5) * map.width) / width);
  const ys = Float64Array.from({ length: height }, (_, y) => ((y + 0.5) * map.height) / height);
  return { width, height, data: sampleGrid(map, xs, ys) };
}
