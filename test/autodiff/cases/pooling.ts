/** @file Poolings. */
import { int, ints, string } from "../../../shared/graph/attributes.ts";
import type { AttributeInput } from "../../../shared/graph/builder.ts";
import type { Shape } from "../../../shared/graph/ir.ts";
import type { GradientCase } from "../../support/check-gradient.ts";
import { distinct } from "../../support/draw.ts";
import { type Cases, op } from "./case.ts";

const pool =
  (name: string) =>
  (x: Shape, kernel: readonly number[], attributes: AttributeInput = {}): GradientCase => ({
    inputs: [x],
    draw: distinct,
    build: op(name, { kernel_shape: ints(kernel), ...attributes }),
  });
const max = pool("MaxPool");
const average = pool("AveragePool");
const by2 = ints([2, 2]);

const maxima: Cases = {
  "MaxPool, windows apart": max([2, 2, 4, 6], [2, 2], { strides: by2 }),
  "MaxPool, windows apart, rows over": max([1, 2, 5, 7], [2, 2], { strides: by2 }),
  "MaxPool, windows apart, gaps between": max([1, 2, 7, 8], [2, 2], { strides: ints([3, 3]) }),
  "MaxPool, windows apart, padded": max([1, 2, 5, 4], [2, 2], { strides: by2, pads: ints([1, 0, 0, 0]) }),
  "MaxPool, windows overlap": max([1, 2, 7, 6], [3, 3], { strides: by2 }),
  "MaxPool, windows overlap, padded": max([2, 2, 6, 5], [3, 3], { strides: by2, pads: ints([1, 1, 1, 1]) }),
  "MaxPool, pads uneven": max([1, 2, 6, 6], [3, 3], { strides: by2, pads: ints([0, 0, 1, 1]) }),
  "MaxPool, stride 1": max([1, 2, 4, 5], [3, 3], { pads: ints([1, 1, 1, 1]) }),
  "MaxPool, ceil_mode": max([1, 2, 6, 8], [3, 3], { strides: by2, ceil_mode: int(1) }),
  "MaxPool, ceil_mode, windows apart": max([1, 2, 5, 7], [2, 2], { strides: by2, ceil_mode: int(1) }),
  "MaxPool, ceil_mode, a window in the padding alone": max([1, 1, 6, 6], [2, 2], {
    strides: by2,
    pads: ints([0, 0, 1, 1]),
    ceil_mode: int(1),
  }),
  "MaxPool, dilated": max([1, 2, 6, 7], [2, 2], { dilations: by2 }),
  "MaxPool, dilated, windows apart": max([1, 2, 7, 6], [2, 2], { dilations: by2, strides: ints([3, 3]) }),
  "MaxPool, auto_pad SAME_UPPER": max([1, 2, 6, 5], [3, 3], { strides: by2, auto_pad: string("SAME_UPPER") }),
  "MaxPool, auto_pad SAME_LOWER": max([1, 2, 6, 5], [3, 3], { strides: by2, auto_pad: string("SAME_LOWER") }),
  "MaxPool, auto_pad VALID": max([1, 2, 6, 5], [3, 2], { strides: by2, auto_pad: string("VALID") }),
  "MaxPool, 1-D": max([2, 2, 8], [3], { strides: ints([2]), pads: ints([1, 1]) }),
  "MaxPool, 1-D, windows apart": max([2, 2, 8], [2], { strides: ints([2]) }),
  "MaxPool, 3-D": max([1, 1, 4, 4, 4], [2, 2, 2], { strides: ints([2, 2, 2]) }),
  "MaxPool, symbolic batch": max(["N", 2, 6, 5], [3, 3], { strides: by2, pads: ints([1, 1, 1, 1]) }),
  "MaxPool, symbolic batch, windows apart": max(["N", 2, 4, 4], [2, 2], { strides: by2 }),
  "MaxPool, symbolic extents": {
    ...max(["N", 2, "H", "W"], [3, 3], { strides: by2 }),
    extents: { N: [2], H: [5, 6], W: [7] },
  },
  MaxUnpool: {
    inputs: [[1, 2, 4, 6]],
    draw: distinct,
    build: ({ g }, x) => {
      const window = { kernel_shape: by2, strides: by2 };
      const [y = x, indices = x] = g.multi("MaxPool", [x], window, 2);
      return g.node("MaxUnpool", [g.mul(y, y), indices], window);
    },
  },
  GlobalMaxPool: { inputs: [[2, 3, 4, 3]], draw: distinct, build: op("GlobalMaxPool") },
  "GlobalMaxPool, 1-D": { inputs: [[2, 3, 5]], draw: distinct, build: op("GlobalMaxPool") },
  "GlobalMaxPool, symbolic batch": { inputs: [["N", 2, 3, 2]], draw: distinct, build: op("GlobalMaxPool") },
};

const averages: Cases = {
  "AveragePool, windows apart": average([2, 2, 4, 6], [2, 2], { strides: by2 }),
  "AveragePool, windows apart, rows over": average([1, 2, 5, 7], [2, 2], { strides: by2 }),
  "AveragePool, windows overlap": average([1, 2, 7, 6], [3, 3], { strides: by2 }),
  "AveragePool, padding not counted": average([1, 2, 6, 5], [3, 3], { strides: by2, pads: ints([1, 1, 1, 1]) }),
  "AveragePool, padding counted": average([1, 2, 6, 5], [3, 3], {
    strides: by2,
    pads: ints([1, 1, 1, 1]),
    count_include_pad: int(1),
  }),
  "AveragePool, pads uneven, not counted": average([1, 2, 6, 5], [3, 3], { strides: by2, pads: ints([0, 1, 1, 2]) }),
  "AveragePool, pads uneven, counted": average([1, 2, 6, 5], [3, 3], {
    strides: by2,
    pads: ints([0, 1, 1, 2]),
    count_include_pad: int(1),
  }),
  "AveragePool, ceil_mode": average([1, 2, 6, 8], [3, 3], { strides: by2, ceil_mode: int(1) }),
  "AveragePool, ceil_mode, padded": average([1, 2, 8, 7], [3, 3], {
    strides: by2,
    pads: ints([1, 1, 1, 1]),
    ceil_mode: int(1),
  }),
  "AveragePool, ceil_mode, padding counted": average([1, 2, 8, 7], [3, 3], {
    strides: by2,
    pads: ints([1, 1, 1, 1]),
    ceil_mode: int(1),
    count_include_pad: int(1),
  }),
  "AveragePool, ceil_mode, a window in the padding alone": average([1, 1, 6, 6], [2, 2], {
    strides: by2,
    pads: ints([0, 0, 1, 1]),
    ceil_mode: int(1),
  }),
  "AveragePool, dilated": average([1, 2, 6, 7], [2, 2], { dilations: by2 }),
  "AveragePool, dilated, padded": average([1, 2, 6, 7], [2, 3], { dilations: by2, pads: ints([1, 2, 0, 1]) }),
  "AveragePool, auto_pad SAME_UPPER": average([1, 2, 6, 5], [3, 3], { strides: by2, auto_pad: string("SAME_UPPER") }),
  "AveragePool, auto_pad SAME_LOWER": average([1, 2, 6, 5], [3, 3], { strides: by2, auto_pad: string("SAME_LOWER") }),
  "AveragePool, over everything": average([2, 3, 4, 4], [4, 4]),
  "AveragePool, 1-D": average([2, 2, 8], [3], { strides: ints([2]), pads: ints([1, 1]) }),
  "AveragePool, 3-D": average([1, 1, 4, 4, 4], [2, 2, 2], { strides: ints([2, 2, 2]) }),
  "AveragePool, symbolic batch": average(["N", 2, 6, 5], [3, 3], { strides: by2, pads: ints([1, 1, 1, 1]) }),
  "AveragePool, symbolic extents": {
    ...average(["N", 2, "H", "W"], [2, 2], { strides: by2 }),
    extents: { N: [2], H: [5, 6], W: [4] },
  },
  GlobalAveragePool: { inputs: [[2, 3, 4, 3]], build: op("GlobalAveragePool") },
  "GlobalAveragePool, 1-D": { inputs: [[2, 3, 5]], build: op("GlobalAveragePool") },
  "GlobalAveragePool, symbolic batch": { inputs: [["N", 2, 3, 2]], build: op("GlobalAveragePool") },
  "GlobalAveragePool, symbolic extents": {
    inputs: [["N", 2, "H", "W"]],
    extents: { N: [2], H: [3, 4], W: [5] },
    build: op("GlobalAveragePool"),
  },
};

export const pooling: Cases = { ...maxima, ...averages };
