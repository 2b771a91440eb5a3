/**
 * @file The gradient of a convolution in its weights: the sum over locations of what each contributed (paper, Table 1),
 *   in the lowerings measured to be fastest.
 */
import { int, ints } from "../../graph/attributes.ts";
import { dtypeOf, extent, type GraphBuilder, isStatic, shapeOf, staticShape } from "../../graph/builder.ts";
import { volume } from "../../graph/constant.ts";
import type { Value } from "../../graph/ir.ts";
import { reach, spatialAxes, spatialExtents, type Window } from "../window.ts";

/** With more taps than this, one convolution with batch and channel exchanged beats slicing each tap out. */
const tapsMax = 49;
/**
 * A weight gradient is one product of dy with the patches laid out as a matrix where that matrix is small, for few
 * locations (14x14 and below: 0.9 times the forward convolution) or few channels (the first layer: a product with 3
 * columns a tap would leave the kernel idle); else a product per tap.
 */
const columnLocationsMax = 800;
const columnChannelsMax = 8;
/**
 * Sums over batch and locations, [N, C, ..] to [C]. In float32 through the global average, which the runtime computes
 * two to five times faster than a sum.
 */
export function channelSum(g: GraphBuilder, v: Value): Value {
  const [batch, , ...locations] = shapeOf(v);
  const others = shapeOf(v).flatMap((_, i) => (i === 1 ? [] : [i]));
  if (dtypeOf(v) !== "float32" || !isStatic(locations)) return g.sum(v, others, false);
  const means = g.node("GlobalAveragePool", [v]);
  const total = batch === 1 ? means : g.sum(means, [0]);
  return g.scale(g.reshape(total, [-1]), volume(locations));
}

/**
 * dW[m, c, t] = sum over batch and locations u of dy[m, u] x[c, u*stride + t*dilation - pad], for each group: the sum
 * of the contributions c_u of method Extract (paper, Table 1). `input` is what the window slides over.
 */
export function weightGradient(g: GraphBuilder, w: Window, input: Value, dy: Value, weights: Value): Value {
  const taps = volume(w.kernel);
  if (taps > tapsMax && w.group === 1) return exchangedConvolution(g, w, input, dy);
  const [m, c] = [extent(weights, 0), extent(weights, 1)];
  const positions = spatialExtents(dy);
  if (c === 1 && m === w.group && dtypeOf(dy) === "float32" && isStatic(shapeOf(dy))) {
    return depthwiseWeightGradient(g, w, input, dy, [m, c, ...w.kernel]);
  }
  const padded = g.pad(input, [0, 0, ...w.begin, 0, 0, ...w.end]);
  if (w.group === 1 && shapeOf(dy)[0] === 1) {
    const tap = (t: number): Value => tapOf(g, w, padded, positions, t);
    return imageWeightGradient(g, tap, dy, [m, c, ...w.kernel], volume(positions));
  }
  // Batch and group are one axis: [N*G, M/G, L] times [N*G, L, C/G].
  const left = g.reshape(dy, [-1, m / w.group, volume(positions)]);
  const products = Array.from({ length: taps }, (_, t) => {
    const tap = tapOf(g, w, padded, positions, t);
    const right = g.transpose(g.reshape(tap, [-1, c, volume(positions)]), [0, 2, 1]);
    const each = g.reshape(g.matmul(left, right), [-1, w.group, m / w.group, c]);
    return g.sum(each, [0], false);
  });
  const last = products.map((p) => g.node("Unsqueeze", [p, g.int64([-1])]));
  return g.reshape(last.length === 1 && last[0] ? last[0] : g.concat(last, -1), [m, c, ...w.kernel]);
}

/**
 * The same where every channel has a kernel of its own: per tap a product element by element and its sum. Rows are kept
 * as wide as the input's, dy filled up with zeros, so that a tap is the input's rows in one piece, some steps further
 * on: copying that is three times faster than copying row by row. A stride first splits the input into its phases.
 */
function depthwiseWeightGradient(g: GraphBuilder, w: Window, input: Value, dy: Value, shape: readonly number[]): Value {
  const [channels = 0] = shape;
  const [batch = 1] = staticShape(dy);
  const outputs = spatialExtents(dy);
  const axes = spatialAxes(dy);
  const stride = (i: number): number => w.strides[i] ?? 1;
  /** Rows, columns of a phase: the outputs, and what the farthest tap reaches beyond them. */
  const extents = outputs.map((n, i) => n + Math.floor((reach(w, i) - 1) / stride(i)));
  const needed = extents.map((n, i) => n * stride(i));
  const end = needed.map((n, i) => n - extent(input, i + 2) - (w.begin[i] ?? 0));
  const padded = g.pad(input, [0, 0, ...w.begin, 0, 0, ...end]);
  const rows = g.pad(dy, [0, 0, ...outputs.map(() => 0), 0, 0, ...extents.map((n, i) => n - (outputs[i] ?? 0))]);
  const steps = extents.map((_, i) => volume(extents.slice(i + 1)));
  const farthest = extents.reduce((sum, n, i) => sum + (n - (outputs[i] ?? 0)) * (steps[i] ?? 0), 0);
  const length = volume(extents) - farthest;
  const flat = (v: Value): Value => g.reshape(v, [batch, channels, -1]);
  const piece = (v: Value, start: number): Value =>
    start === 0 && farthest === 0 ? v : g.slice(v, [start], [start + length], [2]);
  const left = piece(flat(rows), 0);
  const phases = new Map<string, Value>();
  const phaseOf = (at: readonly number[]): Value => {
    const starts = at.map((k, i) => k % stride(i));
    const known = phases.get(starts.join());
    if (known) return known;
    const phase = flat(w.strides.every((s) => s === 1) ? padded : g.slice(padded, starts, needed, axes, w.strides));
    phases.set(starts.join(), phase);
    return phase;
  };
  const sums = Array.from({ length: volume(w.kernel) }, (_, t) => {
    const at = unravel(t, w.kernel).map((k, i) => k * (w.dilations[i] ?? 1));
    const start = at.reduce((sum, k, i) => sum + Math.floor(k / stride(i)) * (steps[i] ?? 0), 0);
    return g.reshape(channelSum(g, g.mul(left, piece(phaseOf(at), start))), [channels, 1]);
  });
  const [only] = sums;
  return g.reshape(only && sums.length === 1 ? only : g.concat(sums, 1), shape);
}

/** The same for one image and one group: products of matrices [M, L] and [rows, L], L locations. */
function imageWeightGradient(
  g: GraphBuilder,
  tap: (t: number) => Value,
  dy: Value,
  shape: readonly number[],
  locations: number,
): Value {
  const [m = 0, c = 0, ...kernel] = shape;
  const taps = Array.from({ length: volume(kernel) }, (_, t) => tap(t));
  const left = g.reshape(dy, [m, locations]);
  const product = (right: Value): Value => g.node("Gemm", [left, right], { transB: int(1) });
  const rows = (v: Value): Value => g.reshape(v, [c, locations]);
  const [only] = taps;
  if (only && taps.length === 1) return g.reshape(product(rows(only)), shape);
  if (locations <= columnLocationsMax || c <= columnChannelsMax) {
    const columns = g.concat(
      taps.map((v) => g.reshape(v, [c, 1, locations])),
      1,
    );
    return g.reshape(product(g.reshape(columns, [c * taps.length, locations])), shape);
  }
  const products = taps.map((v) => g.reshape(product(rows(v)), [m, c, 1]));
  return g.reshape(g.concat(products, 2), shape);
}

/** What tap `t` (row-major in the kernel) sees at each location: a strided slice of the padded input. */
function tapOf(g: GraphBuilder, w: Window, padded: Value, positions: readonly number[], t: number): Value {
  const axes = w.kernel.map((_, i) => i + 2);
  const index = unravel(t, w.kernel);
  const starts = index.map((k, i) => k * (w.dilations[i] ?? 1));
  const ends = starts.map((s, i) => s + ((positions[i] ?? 1) - 1) * (w.strides[i] ?? 1) + 1);
  const whole =
    starts.every((s, i) => s === 0 && ends[i] === shapeOf(padded)[i + 2]) && w.strides.every((s) => s === 1);
  return whole ? padded : g.slice(padded, starts, ends, axes, w.strides);
}

function unravel(flat: number, dims: readonly number[]): readonly number[] {
  const index = dims.map(() => 0);
  let rest = flat;
  for (let i = dims.length - 1; i >= 0; i--) {
    const size = dims[i] ?? 1;
    index[i] = rest % size;
    rest = Math.floor(rest / size);
  }
  return index;
}

/** One convolution of input and dy with batch and channel exchanged; stride and dilation change places. */
function exchangedConvolution(g: GraphBuilder, w: Window, input: Value, dy: Value): Value {
  const exchange = (v: Value): Value => g.transpose(v, [1, 0, ...w.kernel.map((_, i) => i + 2)]);
  const full = g.node("Conv", [exchange(input), exchange(dy)], {
    strides: ints(w.dilations),
    dilations: ints(w.strides),
    pads: ints([...w.begin, ...w.end]),
  });
  const axes = spatialAxes(full);
  const cropped = g.slice(
    full,
    axes.map(() => 0),
    w.kernel,
    axes,
  ); // rows only a remainder reached
  return exchange(cropped);
}
