/** @file Gaussian smoothing of maps. */
import type { FloatMap } from "../imaging/resize.ts";

/** The kernel reaches this many standard deviations: beyond it lies 6e-5 of its weight. */
const REACH = 4;

/** exp(-d^2 / 2 sigma^2) at d = -r .. r with r = ceil(4 sigma), divided by its sum. `sigma` is in pixels, above 0. */
export function gaussianKernel(sigma: number): Float64Array {
  const radius = Math.ceil(REACH * sigma);
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
}

/** Smooths a map along both axes; beyond its edges the edge's values go on. `sigma` 0 returns the map itself. */
export function gaussianSmooth(map: FloatMap, sigma: number): FloatMap {
  if (sigma === 0) return map;
  const kernel = gaussianKernel(sigma);
  return transpose(smoothRows(transpose(smoothRows(map, kernel)), kernel));
}

/** The protocol's smoothing: sigma as a part of the map's longer side. */
export const smoothMap = (map: FloatMap, fraction: number): FloatMap =>
  gaussianSmooth(map, fraction * Math.max(map.width, map.height));

function smoothRows({ width, height, data }: FloatMap, kernel: Float64Array): FloatMap {
  const radius = (kernel.length - 1) / 2;
  const out = new Float32Array(data.length);
  const padded = new Float64Array(width + 2 * radius);
  for (let y = 0; y < height; y += 1) {
    const row = y * width;
    for (let i = 0; i < padded.length; i += 1) {
      padded[i] = data[row + Math.min(width - 1, Math.max(0, i - radius))]!;
    }
    for (let x = 0; x < width; x += 1) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k += 1) sum += kernel[k]! * padded[x + k]!;
      out[row + x] = sum;
    }
  }
  return { width, height, data: out };
}

function transpose({ width, height, data }: FloatMap): FloatMap {
  const out = new Float32Array(data.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) out[x * height + y] = data[y * width + x]!;
  }
  return { width: height, height: width, data: out };
}
