/** @file The geometry shared by convolutions and poolings: kernel, strides, dilations, pads made explicit. */
import { getInt, getInts, getString, int, ints } from "../graph/attributes.ts";
import { extent, type GraphBuilder, isStatic, rankOf, shapeOf } from "../graph/builder.ts";
import type { Attribute, Node, Shape, Value } from "../graph/ir.ts";
import { cannotDifferentiate } from "./vjp.ts";

/** One entry per spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly group: number;
}

/** Extent of the dilated kernel. */
export const reach = (w: Window, axis: number): number => ((w.kernel[axis] ?? 1) - 1) * (w.dilations[axis] ?? 1) + 1;

/** The window of a Conv or pooling node that reads `x`, with auto_pad resolved. */
export function windowOf(node: Node, x: Value, kernel: readonly number[]): Window {
  const ones = kernel.map(() => 1);
  const strides = getInts(node, "strides") ?? ones;
  const dilations = getInts(node, "dilations") ?? ones;
  const pads = getInts(node, "pads") ?? [...ones, ...ones].map(() => 0);
  const window = { kernel, strides, dilations, group: getInt(node, "group", 1) };
  const given = { ...window, begin: pads.slice(0, kernel.length), end: pads.slice(kernel.length) };
  const auto = getString(node, "auto_pad", "NOTSET");
  if (auto === "NOTSET" || auto === "") return given;
  const none = { ...given, begin: ones.map(() => 0), end: ones.map(() => 0) };
  if (auto === "VALID") return none;
  // SAME: the output has ceil(in / stride) positions; an odd remainder of padding goes to the upper or lower side.
  const total = kernel.map((_, i) => {
    const size = extent(x, i + 2);
    const stride = strides[i] ?? 1;
    return Math.max(0, (Math.ceil(size / stride) - 1) * stride + reach(none, i) - size);
  });
  const less = total.map((t) => Math.floor(t / 2));
  const more = total.map((t) => Math.ceil(t / 2));
  return auto === "SAME_LOWER" ? { ...window, begin: more, end: less } : { ...window, begin: less, end: more };
}

/** The window as attributes of a Conv, ConvTranspose or pooling node. */
export const windowAttributes = (w: Window, pads: readonly number[]): Readonly<Record<string, Attribute>> => ({
  kernel_shape: ints(w.kernel),
  strides: ints(w.strides),
  dilations: ints(w.dilations),
  pads: ints(pads),
});

/**
 * The transposed convolution of `dy` with `weights`, exactly as large as `x`: the adjoint of sliding the window over x.
 * Rows of x that no window reached get zero (stride remainder); rows the last window reached beyond x are cropped.
 */
export function transposed(g: GraphBuilder, w: Window, x: Value, dy: Value, weights: Value): Value {
  const spatial: Shape = shapeOf(x).slice(2);
  const reached: Shape = shapeOf(dy).slice(2);
  const node = (end: readonly number[], outputPadding: readonly number[]): Value =>
    g.node("ConvTranspose", [dy, weights], {
      ...windowAttributes(w, [...w.begin, ...end]),
      ...(outputPadding.some((p) => p > 0) && { output_padding: ints(outputPadding) }),
      group: int(w.group),
    });
  if (w.strides.every((s) => s === 1))
    return node(
      w.end,
      w.strides.map(() => 0),
    );
  if (isStatic(spatial) && isStatic(reached)) {
    // Positions of x minus positions reached: positive is a remainder to append, negative an overhang to crop.
    const missing = spatial.map(
      (n, i) => n - (((reached[i] ?? 0) - 1) * (w.strides[i] ?? 1) + reach(w, i) - (w.begin[i] ?? 0)),
    );
    return node(
      missing.map((m) => Math.max(0, -m)),
      missing.map((m) => Math.max(0, m)),
    );
  }
  // Symbolic extents: make it large enough for any remainder, then crop to what x has at run time.
  const large = node(
    w.end.map(() => 0),
    w.strides.map((s) => s - 1),
  );
  const axes = spatialAxes(x);
  const ends = g.node("Slice", [g.node("Shape", [x]), g.int64([2]), g.int64([rankOf(x)])]);
  const cropped = g.node("Slice", [large, g.int64(axes.map(() => 0)), ends, g.int64(axes)]);
  return g.declare(cropped, [...shapeOf(large).slice(0, 2), ...spatial]);
}

/** Refuses a tensor without spatial axes. */
export function expectSpatial(node: Node, x: Value): void {
  if (rankOf(x) < 3) throw cannotDifferentiate(node, `its input "${x.name}" has no spatial axis`);
}

/** The axes behind batch and channel: of [N, C, ..spatial], and of weights [M, C/G, ..kernel]. */
export const spatialAxes = (v: Value): readonly number[] => Array.from({ length: rankOf(v) - 2 }, (_, i) => i + 2);
/** Their extents, which must be fixed. */
export const spatialExtents = (v: Value): readonly number[] => spatialAxes(v).map((axis) => extent(v, axis));
