/**
 * @file The gradient of a convolution in its weights: the sum over locations of what each contributed (paper, Table 1),
 *   in the lowerings measured to be fastest.
 */
import { int, ints } from "../../graph/attributes.ts";
import { dtypeOf, extent, type GraphBuilder, isStatic, shapeOf, staticShape } from "../../graph/builder.ts";
import { constantOf, volume } from "../../graph/constant.ts";
import type { Value } from "../../graph/ir.ts";
import { spatialAxes, spatialExtents, type Window } from "../window.ts";

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
    // A row a channel from the start: the taps then stack to a matrix without being reshaped one by one.
    const rows = taps === 1 ? padded : g.reshape(padded, [c, 1, ...spatialExtents(padded)]);
    const tap = (t: number): Value => tapOf(g, w, rows, positions, t);
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
 * The same where every channel has a kernel of its own: per tap a product element by element and its mean. Maps are
 * read as one row of numbers, in which a tap is the input some steps further on: copying that is three times faster
 * than copying row by row. Steps that would leave one row for the next meet a dy that is zero there, so nothing is
 * padded but both ends. A stride first splits the input into its phases.
 */
function depthwiseWeightGradient(g: GraphBuilder, w: Window, input: Value, dy: Value, shape: readonly number[]): Value {
  const [channels = 0] = shape;
  const [batch = 1] = staticShape(dy);
  const outputs = spatialExtents(dy);
  const stride = (i: number): number => w.strides[i] ?? 1;
  /** Rows, columns: those of dy, with columns enough for each phase of the input. */
  const extents = outputs.map((n, i) => (i === 0 ? n : Math.max(n, Math.ceil(extent(input, i + 2) / stride(i)))));
  const flat = (v: Value): Value => g.reshape(v, [batch, channels, -1]);
  const filled = (v: Value, to: readonly number[]): Value =>
    g.pad(v, [0, 0, ...to.map(() => 0), 0, 0, ...to.map((n, i) => n - extent(v, i + 2))]);
  const left = flat(filled(dy, extents));
  const right = filled(
    input,
    extents.map((n, i) => (i === 0 ? Math.max(extent(input, 2), stride(0)) : n * stride(i))),
  );
  const steps = extents.map((_, i) => volume(extents.slice(i + 1)));
  const length = volume(extents);
  const taps = Array.from({ length: volume(w.kernel) }, (_, t) => {
    const at = unravel(t, w.kernel).map((k, i) => k * (w.dilations[i] ?? 1) - (w.begin[i] ?? 0));
    const moves = at.map((k, i) => Math.floor(k / stride(i)));
    const phase = at.map((k, i) => k - (moves[i] ?? 0) * stride(i));
    return { moves, phase, shift: moves.reduce((sum, m, i) => sum + m * (steps[i] ?? 0), 0) };
  });
  const inside = once((moves: readonly number[]): Value => withinRows(g, left, extents, moves));
  const phaseOf = once((phase: readonly number[]) => {
    const shifts = taps.flatMap((tap) => (tap.phase.join() === phase.join() ? [tap.shift] : []));
    const whole = flat(everyNth(g, right, phase, w.strides));
    const before = Math.max(0, ...shifts.map((s) => -s));
    const behind = Math.max(0, ...shifts.map((s) => s + length - extent(whole, 2)));
    return { before, numbers: g.pad(whole, [0, 0, before, 0, 0, behind]) };
  });
  const means = taps.map(({ moves, phase, shift }) => {
    const { before, numbers } = phaseOf(phase);
    const start = before + shift;
    const seen = extent(numbers, 2) === length ? numbers : g.slice(numbers, [start], [start + length], [2]);
    return g.node("GlobalAveragePool", [g.mul(inside(moves.slice(1)), seen)]);
  });
  const [only] = means;
  const all = only && means.length === 1 ? only : g.concat(means, 2);
  return g.scale(g.reshape(batch === 1 ? all : g.sum(all, [0]), shape), length);
}

/**
 * dy, one row of numbers, where `moves` steps along the inner axes stay in their row, else zero. The mask is written
 * for one slab of the outermost axis: the runtime repeats it once, when it loads.
 */
function withinRows(g: GraphBuilder, dy: Value, extents: readonly number[], moves: readonly number[]): Value {
  const inner = extents.slice(1);
  if (moves.every((m) => m === 0)) return dy;
  const mask = Float32Array.from({ length: volume(inner) }, (_, l) => {
    const at = unravel(l, inner);
    return at.every((k, i) => k + (moves[i] ?? 0) >= 0 && k + (moves[i] ?? 0) < (inner[i] ?? 1)) ? 1 : 0;
  });
  const slab = g.constant(constantOf("float32", [1, ...inner], mask), "mask");
  return g.mul(dy, g.reshape(g.node("Expand", [slab, g.int64(extents)]), [-1]));
}

/** Every n-th location from `starts` on: as maxima of windows of one, eight times faster than a slice with steps. */
function everyNth(g: GraphBuilder, v: Value, starts: readonly number[], strides: readonly number[]): Value {
  if (strides.every((s) => s === 1) && starts.every((s) => s === 0)) return v;
  const axes = spatialAxes(v);
  const ends = axes.map((axis) => extent(v, axis));
  const cropped = starts.every((s) => s === 0) ? v : g.slice(v, starts, ends, axes);
  return g.node("MaxPool", [cropped], { kernel_shape: ints(axes.map(() => 1)), strides: ints(strides) });
}

/** `make`, called once for each list of numbers. */
function once<T>(make: (key: readonly number[]) => T): (key: readonly number[]) => T {
  const known = new Map<string, T>();
  return (key) => {
    const found = known.get(key.join()) ?? make(key);
    known.set(key.join(), found);
    return found;
  };
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
    return g.reshape(product(g.reshape(g.concat(taps, 1), [c * taps.length, locations])), shape);
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
