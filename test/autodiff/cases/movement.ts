/** @file Operators that move elements. */
import { int, ints, string } from "../../../shared/graph/attributes.ts";
import type { Shape } from "../../../shared/graph/ir.ts";
import type { GradientCase } from "../../support/check-gradient.ts";
import { type Cases, op, withIntegers } from "./case.ts";

const slice = (
  x: Shape,
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[] | null = null,
  steps: readonly number[] | null = null,
): GradientCase => ({ inputs: [x], build: withIntegers("Slice", [starts, ends, axes, steps]) });

const pad = (x: Shape, pads: readonly number[], mode: string, axes: readonly number[] | null = null): GradientCase => ({
  inputs: [x],
  build: withIntegers("Pad", axes ? [pads, null, axes] : [pads], { mode: string(mode) }),
});

const shapes: Cases = {
  Reshape: { inputs: [[2, 3, 4]], build: withIntegers("Reshape", [[0, -1]]) },
  "Reshape, symbolic batch": { inputs: [["N", 3, 4]], build: withIntegers("Reshape", [[-1, 12]]) },
  "Reshape, symbolic batch folded in": { inputs: [["N", 3, 4]], build: withIntegers("Reshape", [[-1, 4]]) },
  "Reshape, to the shape of another": {
    inputs: [
      ["N", 2, 3],
      ["N", 6],
    ],
    build: ({ g }, a, b) => g.mul(g.node("Reshape", [a, g.node("Shape", [b])]), b),
  },
  Flatten: { inputs: [[2, 3, 4]], build: op("Flatten") },
  "Flatten, axis 0": { inputs: [[2, 3]], build: op("Flatten", { axis: int(0) }) },
  "Flatten, symbolic batch": { inputs: [["N", 3, 2, 2]], build: op("Flatten") },
  Squeeze: { inputs: [[1, 3, 1, 2]], build: withIntegers("Squeeze", [[0, -2]]) },
  "Squeeze, all": { inputs: [[1, 3, 1, 2]], build: op("Squeeze") },
  "Squeeze, symbolic batch": { inputs: [["N", 3, 1, 1]], build: withIntegers("Squeeze", [[2, 3]]) },
  Unsqueeze: { inputs: [[3, 2]], build: withIntegers("Unsqueeze", [[0, -1]]) },
  "Unsqueeze, symbolic batch": { inputs: [["N", 2]], build: withIntegers("Unsqueeze", [[2, 3]]) },
  // A permutation that is not its own inverse.
  Transpose: { inputs: [[2, 3, 4, 2]], build: op("Transpose", { perm: ints([2, 0, 3, 1]) }) },
  "Transpose, axes reversed": { inputs: [[2, 3, 4]], build: op("Transpose") },
  "Transpose, symbolic batch": { inputs: [["N", 3, 4, 2]], build: op("Transpose", { perm: ints([0, 2, 3, 1]) }) },
  Expand: { inputs: [[1, 3, 1]], build: withIntegers("Expand", [[2, 3, 4]]) },
  "Expand, rank raised": { inputs: [[3, 1]], build: withIntegers("Expand", [[2, 1, 4]]) },
  "Expand, to what it is": { inputs: [[2, 3]], build: withIntegers("Expand", [[1, 1]]) },
  "Expand, a weight to the symbolic batch": {
    inputs: [["N", 2, 3]],
    build: ({ g, weight }, x) => g.mul(g.node("Expand", [weight([1, 1, 3]), g.node("Shape", [x])]), x),
  },
  Tile: { inputs: [[2, 3]], build: withIntegers("Tile", [[2, 3]]) },
  "Tile, one axis alone": { inputs: [[2, 3]], build: withIntegers("Tile", [[1, 2]]) },
};

const cuts: Cases = {
  Concat: {
    inputs: [
      [1, 2, 3],
      [1, 4, 3],
      [1, 1, 3],
    ],
    build: op("Concat", { axis: int(1) }),
  },
  "Concat, last axis": {
    inputs: [
      [2, 2],
      [2, 3],
    ],
    build: op("Concat", { axis: int(-1) }),
  },
  "Concat, the same twice": { inputs: [[2, 3]], build: ({ g }, x) => g.concat([x, x], 0) },
  "Concat, with a weight": { inputs: [[2, 2, 2]], build: ({ g, weight }, x) => g.concat([weight([2, 1, 2]), x], 1) },
  "Concat, symbolic batch": {
    inputs: [
      ["N", 2, 2],
      ["N", 1, 2],
    ],
    build: op("Concat", { axis: int(1) }),
  },
  "Split, lengths given": {
    inputs: [[2, 6]],
    build: ({ g }, x) => g.multi("Split", [x, g.int64([1, 3, 2])], { axis: int(1) }, 3),
  },
  "Split, equal": {
    inputs: [[2, 6]],
    build: ({ g }, x) => g.multi("Split", [x], { axis: int(-1), num_outputs: int(3) }, 3),
  },
  "Split, last part shorter": {
    inputs: [[7, 2]],
    build: ({ g }, x) => g.multi("Split", [x], { axis: int(0), num_outputs: int(3) }, 3),
  },
  "Split, default axis": { inputs: [[4, 2]], build: ({ g }, x) => g.multi("Split", [x, g.int64([1, 3])], {}, 2) },
  "Split, a part nobody reads": {
    inputs: [[2, 6]],
    build: ({ g }, x) => g.multi("Split", [x, g.int64([1, 3, 2])], { axis: int(1) }, 3).slice(1, 2),
  },
  "Split, symbolic batch": {
    inputs: [["N", 4]],
    build: ({ g }, x) => g.multi("Split", [x, g.int64([1, 3])], { axis: int(1) }, 2).slice(1),
  },
  Slice: slice([3, 6, 5], [1, 2], [3, 5], [0, 2]),
  "Slice, axes left out": slice([3, 6], [1, 2], [3, 5]),
  "Slice, counted from the end": slice([3, 6], [-4], [-1], [-1]),
  "Slice, to the end and beyond": slice([3, 6], [2], [Number.MAX_SAFE_INTEGER], [1]),
  "Slice, step 2": slice([2, 8, 7], [0, 1], [8, 7], [1, 2], [2, 3]),
  "Slice, step 2, to the end": slice([2, 7], [0], [Number.MAX_SAFE_INTEGER], [1], [2]),
  "Slice, backwards": slice([2, 7], [-1], [-Number.MAX_SAFE_INTEGER], [1], [-1]),
  "Slice, backwards by 2": slice([2, 9], [7], [1], [1], [-2]),
  "Slice, start before the beginning": slice([2, 5], [-9], [3], [1]),
  "Slice, backwards from beyond the end": slice([2, 5], [99], [0], [1], [-2]),
  "Slice, backwards past the beginning": slice([2, 5], [-2], [-99], [1], [-1]),
  "Slice, everything": slice([2, 5], [0], [5], [1]),
  "Slice, step 2 of all, symbolic batch": slice(["N", 2, 4, 4], [0, 0], [4, 4], [2, 3], [2, 2]),
  "Slice, symbolic batch": slice(["N", 5], [1], [4], [1]),
  Pad: pad([1, 2, 3, 4], [0, 0, 1, 2, 0, 1, 2, 0], "constant"),
  "Pad, value differentiated": {
    inputs: [[2, 3]],
    build: ({ g, weight }, x) => g.node("Pad", [x, g.int64([1, 0, 0, 2]), weight([])]),
  },
  "Pad, cropping": pad([1, 2, 6, 6], [0, 0, -1, -2, 0, 0, -2, -1], "constant"),
  "Pad, cropping one side and padding the other": pad([2, 6], [0, -2, 0, 1], "constant"),
  "Pad, axes given": pad([2, 3, 4], [1, 2, 0, 1], "constant", [-1, 1]),
  "Pad, reflect": pad([1, 2, 5, 4], [0, 0, 2, 3, 0, 0, 1, 2], "reflect"),
  "Pad, reflect, axes given": pad([2, 5], [2, 4], "reflect", [1]),
  "Pad, edge": pad([1, 2, 3, 4], [0, 1, 2, 0, 0, 0, 1, 3], "edge"),
  "Pad, wrap": pad([2, 5], [1, 3, 0, 4], "wrap"),
  "Pad, edge, cropping the other side": pad([2, 5], [0, 2, 0, -1], "edge"),
  "Pad, reflect, cropping the other side": pad([2, 6], [0, 2, 0, -2], "reflect"),
  "Pad, wrap, cropping the other side": pad([2, 6], [0, 3, 0, -2], "wrap"),
  "Pad, wrap, cropping the first side": pad([2, 6], [0, -2, 0, 3], "wrap"),
  "Pad, reflect, cropping the first side": pad([2, 5], [0, -2, 0, 2], "reflect"),
  "Pad, symbolic batch": pad(["N", 2, 3], [0, 1, 0, 0, 0, 2], "constant"),
  "Pad, reflect, symbolic batch": pad(["N", 2, 4], [0, 0, 2, 0, 0, 1], "reflect"),
};

const blocks: Cases = {
  DepthToSpace: { inputs: [[2, 8, 2, 3]], build: op("DepthToSpace", { blocksize: int(2) }) },
  "DepthToSpace, columns first": {
    inputs: [[2, 8, 2, 3]],
    build: op("DepthToSpace", { blocksize: int(2), mode: string("CRD") }),
  },
  "DepthToSpace, columns first, symbolic batch": {
    inputs: [["N", 4, 2, 3]],
    build: op("DepthToSpace", { blocksize: int(2), mode: string("CRD") }),
  },
  SpaceToDepth: { inputs: [[2, 2, 4, 6]], build: op("SpaceToDepth", { blocksize: int(2) }) },
  "SpaceToDepth, symbolic batch": { inputs: [["N", 1, 4, 2]], build: op("SpaceToDepth", { blocksize: int(2) }) },
  "Trilu, upper": { inputs: [[2, 3, 4]], build: op("Trilu") },
  "Trilu, lower, a diagonal below": {
    inputs: [[4, 3]],
    build: ({ g }, x) =>
      g.node("Trilu", [x, g.constant({ dtype: "int64", dims: [], bytes: minusOne })], { upper: int(0) }),
  },
};

const minusOne = new Uint8Array(8).fill(255);

export const movement: Cases = { ...shapes, ...cuts, ...blocks };
