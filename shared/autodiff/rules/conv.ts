/** @file Rules of convolutions: input, weight and bias gradients, in the lowerings measured to be fastest. */
import { getInts, getString, int } from "../../graph/attributes.ts";
import { dtypeOf, extent, type GraphBuilder, rankOf, sameShape, shapeOf } from "../../graph/builder.ts";
import { float32s, volume } from "../../graph/constant.ts";
import type { Attributes, Constant, Node, Value } from "../../graph/ir.ts";
import { type RuleTable, rule } from "../vjp.ts";
import {
  expectSpatial,
  reach,
  spatialAxes,
  spatialExtents,
  transposed,
  type Window,
  windowAttributes,
  windowOf,
} from "../window.ts";
import { channelSum, weightGradient } from "./conv-weights.ts";

/**
 * Below this many input channels the runtime's im2col dominates a convolution with rotated weights (measured 1.2-2.2
 * times the forward convolution, against 1.1-1.4 for ConvTranspose).
 */
const rotatedChannelsMin = 32;
/** Turning weights that are computed in the graph pays from so many locations on (56x56: 1.06 instead of 1.13). */
const rotatedLocationsMin = 2048;

export const conv = {
  Conv: rule(({ g, node, x, dy }) => {
    expectSpatial(node, x(0));
    const weights = x(1);
    const window = windowOf(node, x(0), spatialExtents(weights));
    return [
      () => inputGradient(g, window, x(0), weights, dy),
      () => weightGradient(g, window, x(0), dy, weights),
      () => channelSum(g, dy),
    ];
  }),

  // The adjoint of the adjoint: a plain convolution; and the weights see input and output gradient exchanged.
  ConvTranspose: rule(({ g, node, x, y, dy }) => {
    expectSpatial(node, x(0));
    const weights = x(1);
    const window = transposeWindow(node, x(0), y(), spatialExtents(weights));
    return [
      () => {
        const attributes = { ...windowAttributes(window, [...window.begin, ...window.end]), group: int(window.group) };
        return g.node("Conv", [dy, weights], attributes);
      },
      () => weightGradient(g, window, dy, x(0), weights),
      () => channelSum(g, dy),
    ];
  }),
} satisfies RuleTable;

/** A ConvTranspose may state its output_shape, or SAME, instead of its pads: they follow from the shapes. */
function transposeWindow(node: Node, x: Value, y: Value, kernel: readonly number[]): Window {
  const auto = getString(node, "auto_pad", "NOTSET");
  if (getInts(node, "output_shape") === undefined && !auto.startsWith("SAME")) return windowOf(node, x, kernel);
  const w = windowOf({ ...node, attributes: without(node.attributes, "auto_pad") }, x, kernel);
  const padding = getInts(node, "output_padding") ?? kernel.map(() => 0);
  const total = kernel.map(
    (_, i) => (w.strides[i] ?? 1) * (extent(x, i + 2) - 1) + (padding[i] ?? 0) + reach(w, i) - extent(y, i + 2),
  );
  const [less, more] = [total.map((t) => Math.floor(t / 2)), total.map((t) => Math.ceil(t / 2))];
  return auto === "SAME_UPPER" ? { ...w, begin: less, end: more } : { ...w, begin: more, end: less };
}

const without = (attributes: Attributes, name: string): Attributes =>
  new Map([...attributes].filter(([key]) => key !== name));

/**
 * dX. A transposed convolution on the same weights always works and copies nothing. Where the maps are large beside the
 * weights, a copy of the weights pays: with stride 1 turned by 180 degrees and its channels exchanged, which makes dX a
 * plain convolution; and scaled by what dy was scaled by for each channel (a BatchNormalization after the convolution).
 */
function inputGradient(g: GraphBuilder, w: Window, x: Value, weights: Value, dy: Value): Value {
  const [outputs, inputs] = [extent(weights, 0), extent(weights, 1)];
  const positions = shapeOf(dy)
    .slice(2)
    .reduce<number>((n, d) => n * (typeof d === "number" ? d : 1), 1);
  const { constant } = weights;
  const rotatable =
    w.strides.every((s) => s === 1) &&
    w.kernel.every((_, i) => (w.begin[i] ?? 0) < reach(w, i) && (w.end[i] ?? 0) < reach(w, i));
  const convolved = (d: Value, rotated: Value): Value => {
    const pads = [...w.begin.map((p, i) => reach(w, i) - 1 - p), ...w.end.map((p, i) => reach(w, i) - 1 - p)];
    return g.node("Conv", [d, rotated], { ...windowAttributes(w, pads), group: int(w.group) });
  };
  if (constant === undefined && dtypeOf(weights) === "float32") {
    const pays =
      w.group > 1 || (volume(w.kernel) > 1 && inputs >= rotatedChannelsMin && positions >= rotatedLocationsMin);
    return rotatable && pays ? convolved(dy, rotateComputed(g, weights, w)) : transposed(g, w, x, dy, weights);
  }
  if (constant?.dtype !== "float32" || (w.group === 1 && positions < outputs)) return transposed(g, w, x, dy, weights);
  const { unscaled, scale } = channelScale(g, dy, outputs);
  if (rotatable && (w.group > 1 || inputs >= rotatedChannelsMin || volume(w.kernel) === 1)) {
    return convolved(unscaled, g.constant(rotate(constant, w.group, scale), `${weights.name}/rotated`));
  }
  const copy = scale ? g.constant(scaleRows(constant, scale), `${weights.name}/scaled`) : weights;
  return transposed(g, w, x, unscaled, copy);
}

/** Takes a product with one constant a channel off `dy`, if it ends in one. */
function channelScale(
  g: GraphBuilder,
  dy: Value,
  channels: number,
): { readonly unscaled: Value; readonly scale: Float32Array | null } {
  const node = g.producer(dy);
  const [d, factor] = node?.inputs ?? [];
  const perChannel =
    node?.op === "Mul" && factor?.constant?.dtype === "float32" && volume(factor.constant.dims) === channels;
  const placed = perChannel && factor.constant?.dims.length === rankOf(dy) - 1 && factor.constant.dims[0] === channels;
  if (!d || !placed || !factor.constant || !sameShape(shapeOf(d), shapeOf(dy))) return { unscaled: dy, scale: null };
  return { unscaled: d, scale: float32s(factor.constant) };
}

/** [M, C/G, k..] with each output channel's kernel times its scale. */
function scaleRows(weights: Constant, scale: Float32Array): Constant {
  const from = float32s(weights);
  const row = from.length / scale.length;
  const to = from.map((v, i) => v * (scale[Math.floor(i / row)] ?? 1));
  return { dtype: "float32", dims: weights.dims, bytes: new Uint8Array(to.buffer) };
}

/** [M, C/G, k..] to [C, M/G, k..], each kernel turned by 180 degrees and times its output channel's scale. */
function rotate(weights: Constant, group: number, scale: Float32Array | null): Constant {
  const [m = 0, c = 0, ...kernel] = weights.dims;
  const taps = volume(kernel);
  const perGroup = m / group;
  const from = float32s(weights);
  const to = new Float32Array(from.length);
  for (let o = 0; o < m; o++) {
    const block = Math.floor(o / perGroup);
    const factor = scale?.[o] ?? 1;
    for (let i = 0; i < c; i++) {
      const source = (o * c + i) * taps;
      const target = ((block * c + i) * perGroup + (o % perGroup)) * taps;
      for (let t = 0; t < taps; t++) to[target + t] = factor * (from[source + taps - 1 - t] ?? 0);
    }
  }
  return { dtype: "float32", dims: [c * group, perGroup, ...kernel], bytes: new Uint8Array(to.buffer) };
}

/** The same in the graph, of weights that are no constant. */
function rotateComputed(g: GraphBuilder, weights: Value, w: Window): Value {
  const [m, c] = [extent(weights, 0), extent(weights, 1)];
  const axes = spatialAxes(weights);
  const back = axes.map(() => -1);
  const turned =
    volume(w.kernel) === 1
      ? weights
      : g.slice(
          weights,
          back,
          axes.map((axis) => -extent(weights, axis) - 1),
          axes,
          back,
        );
  const exchanged = [0, 2, 1, ...axes.map((axis) => axis + 1)];
  const grouped = g.transpose(g.reshape(turned, [w.group, m / w.group, c, ...w.kernel]), exchanged);
  return g.reshape(grouped, [c * w.group, m / w.group, ...w.kernel]);
}
