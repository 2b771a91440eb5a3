/** @file Where the taps of sliding windows fall: shared by convolutions, poolings and Col2Im. */
import { getInt, getInts, getString } from "../../../shared/graph/attributes.ts";
import type { Node } from "../../../shared/graph/ir.ts";
import { forEachIndex, get, offset, volume } from "./tensor.ts";

export interface Windows {
  /** Spatial extents of the tensor the windows slide over. */
  readonly extents: readonly number[];
  /** How many window positions there are along each axis. */
  readonly counts: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/** Reads strides, dilations, pads, auto_pad and ceil_mode, and counts the positions. */
export function slidingWindows(node: Node, extents: readonly number[], kernel: readonly number[]): Windows {
  const ones = extents.map(() => 1);
  const strides = getInts(node, "strides") ?? ones;
  const dilations = getInts(node, "dilations") ?? ones;
  const auto = getString(node, "auto_pad", "NOTSET");
  const ceil = getInt(node, "ceil_mode", 0) !== 0;
  const given = auto === "NOTSET" ? getInts(node, "pads") : undefined;
  const pads = given ?? [...ones, ...ones].map(() => 0);
  const reach = kernel.map((k, axis) => (k - 1) * get(dilations, axis) + 1);
  if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
    const counts = extents.map((extent, axis) => Math.ceil(extent / get(strides, axis)));
    const total = counts.map((count, axis) =>
      Math.max(0, (count - 1) * get(strides, axis) + get(reach, axis) - get(extents, axis)),
    );
    const small = total.map((t) => Math.floor(t / 2));
    const large = total.map((t) => Math.ceil(t / 2));
    const [begins, ends] = auto === "SAME_UPPER" ? [small, large] : [large, small];
    return { extents, counts, kernel, strides, dilations, begins, ends };
  }
  const begins = pads.slice(0, extents.length);
  const ends = pads.slice(extents.length);
  const counts = extents.map((extent, axis) => {
    const [stride, begin] = [get(strides, axis), get(begins, axis)];
    const slack = (extent + begin + get(ends, axis) - get(reach, axis)) / stride;
    const count = (ceil ? Math.ceil(slack) : Math.floor(slack)) + 1;
    // A window that would begin beyond the data, in the padding behind it, is dropped (ONNX MaxPool, ceil_mode).
    return ceil && (count - 1) * stride >= extent + begin ? count - 1 : count;
  });
  return { extents, counts, kernel, strides, dilations, begins, ends };
}

/** For each position and each tap, row-major: the flat spatial index read, or -1 where it falls into the padding. */
export function taps(windows: Windows): Int32Array {
  const { extents, counts, kernel, strides, dilations, begins } = windows;
  const table = new Int32Array(volume(counts) * volume(kernel));
  let row = 0;
  forEachIndex(counts, (position) => {
    forEachIndex(kernel, (tap) => {
      const index = extents.map(
        (_, a) => get(position, a) * get(strides, a) + get(tap, a) * get(dilations, a) - get(begins, a),
      );
      const inside = index.every((i, a) => i >= 0 && i < get(extents, a));
      table[row++] = inside ? offset(extents, index) : -1;
    });
  });
  return table;
}
