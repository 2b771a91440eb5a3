/** @file The noise of SmoothGrad: drawn when compiling, from a seed, so that all runs in all runtimes see the same. */
import { dtypeOf, type GraphBuilder, shapeOf, staticShape } from "../graph/builder.ts";
import { constantOf, int64s, volume } from "../graph/constant.ts";
import type { Value } from "../graph/ir.ts";
import { axesOf, type Layout } from "./layout.ts";
import type { NoiseSpec } from "./spec.ts";

/**
 * The image with the noise of sample `i`: x + level (max x - min x) n_i, n_i standard normal, the same for all images
 * of a batch. One field of noise is kept; sample i has it moved cyclically by an offset of its own, which at each pixel
 * is as good as drawn anew and makes the file larger by one image, not by one a sample.
 */
export function addNoise(
  g: GraphBuilder,
  image: Value,
  layout: Layout | undefined,
  { level, seed, count }: NoiseSpec & { readonly count: number },
): (b: GraphBuilder, i: Value) => Value {
  const [, ...dims] = staticShape({
    ...image,
    type: { dtype: dtypeOf(image), shape: [1, ...shapeOf(image).slice(1)] },
  });
  const axes = layout ? axesOf[layout].spatial.map((axis) => axis - 1) : [dims.length - 1];
  const next = random(seed);
  const field = g.constant(constantOf(dtypeOf(image), dims, normal(next, volume(dims))), "noise");
  const offsets = Array.from({ length: count }, () => axes.map((axis) => Math.floor(next() * (dims[axis] ?? 1))));
  const shifts = g.constant(int64s([count, axes.length], offsets.flat()), "offsets");
  const every = shapeOf(image).flatMap((_, axis) => (axis > 0 ? [axis] : []));
  const scale = g.scale(g.sub(g.max(image, every), g.min(image, every)), level);
  return (b, i) => {
    const offset = b.gather(shifts, i, 0);
    const moved = axes.reduce((v, axis, at) => {
      const extent = dims[axis] ?? 1;
      const positions = b.int64(Array.from({ length: extent }, (_, p) => p));
      const from = b.node("Mod", [b.add(positions, b.gather(offset, b.int64([at]), 0)), b.int64([extent])]);
      return b.gather(v, from, axis);
    }, field);
    return b.add(image, b.mul(scale, moved));
  };
}

/** The image with noise that is fed: `noise` [count, ...image without batch], in the image's own units. */
export function feedNoise(g: GraphBuilder, image: Value, count: number): (b: GraphBuilder, i: Value) => Value {
  const noise = g.input("noise", { dtype: dtypeOf(image), shape: [count, ...shapeOf(image).slice(1)] });
  return (b, i) => b.add(image, b.gather(noise, i, 0));
}

/** Uniform numbers in [0, 1) from a 32-bit seed: a counter in steps of the golden ratio, mixed (splitmix). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal numbers, two from two uniform ones (Box and Muller 1958). */
function normal(next: () => number, count: number): Float32Array {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    out[i] = radius * Math.cos(angle);
    if (i + 1 < count) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}
