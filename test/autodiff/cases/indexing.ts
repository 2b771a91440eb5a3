/** @file Reading by index; resampling. */
import { float, int, ints, string } from "../../../shared/graph/attributes.ts";
import type { AttributeInput } from "../../../shared/graph/builder.ts";
import { constantOf, int64s } from "../../../shared/graph/constant.ts";
import type { Shape } from "../../../shared/graph/ir.ts";
import type { GradientCase } from "../../support/check-gradient.ts";
import { clearOf, spread } from "../../support/draw.ts";
import { type Cases, op } from "./case.ts";

const indexed = (
  name: string,
  x: Shape,
  dims: readonly number[],
  indices: readonly number[],
  attributes: AttributeInput = {},
): GradientCase => ({
  inputs: [x],
  build: ({ g }, data) => g.node(name, [data, g.constant(int64s(dims, indices))], attributes),
});

/** Six updates, two a row, into a 3 x 4 table. */
const scattered = (indices: readonly number[], attributes: AttributeInput): GradientCase => ({
  inputs: [
    [3, 4],
    [3, 2],
  ],
  build: ({ g }, data, updates) =>
    g.node("ScatterElements", [data, g.constant(int64s([3, 2], indices)), updates], attributes),
});

const gathers: Cases = {
  "Gather, repeated rows": indexed("Gather", [5, 3], [4], [1, 4, 1, 0], { axis: int(0) }),
  "Gather, a table of indices, some from the end": indexed("Gather", [2, 5, 3], [2, 2], [0, -1, 3, 0], {
    axis: int(1),
  }),
  "Gather, last axis": indexed("Gather", [2, 3, 4], [3], [3, 3, 1], { axis: int(-1) }),
  "Gather, one index": indexed("Gather", [2, 5, 3], [], [2], { axis: int(1) }),
  "Gather, one index from the end": indexed("Gather", [2, 5, 3], [], [-2], { axis: int(1) }),
  "Gather, a list of one": indexed("Gather", [2, 5, 3], [1], [2], { axis: int(1) }),
  "Gather, one index, symbolic batch": indexed("Gather", ["N", 5, 3], [], [0], { axis: int(1) }),
  "Gather, rows, symbolic batch": indexed("Gather", ["N", 5, 3], [2], [4, 1], { axis: int(1) }),
  "Gather, default axis": indexed("Gather", [4, 3], [2], [3, 1]),
  "Gather, from a weight": {
    inputs: [[3, 4]],
    build: ({ g, weight }, x) => g.matmul(x, g.gather(weight([5, 4]), g.int64([0, 2, 2, 4]), 0)),
  },
  GatherElements: indexed("GatherElements", [3, 4], [3, 2], [0, 3, 1, 1, -1, 0], { axis: int(1) }),
  "GatherElements, first axis": indexed("GatherElements", [3, 2], [4, 2], [0, 2, 0, 1, 2, 2, 1, 0]),
  ScatterElements: scattered([0, 3, 1, 2, 2, 0], { axis: int(1) }),
  "ScatterElements, repeated positions add up": scattered([0, 3, 1, 1, -1, 3], {
    axis: int(-1),
    reduction: string("add"),
  }),
  "GatherND, rows": indexed("GatherND", [3, 4, 2], [3, 1], [2, 0, 2]),
  "GatherND, elements": indexed("GatherND", [3, 4], [2, 2], [2, 1, -1, -1]),
};

const scaled = (x: Shape, scales: readonly number[], attributes: AttributeInput): GradientCase => ({
  inputs: [x],
  build: ({ g }, data) =>
    g.node("Resize", [data, null, g.constant(constantOf("float32", [scales.length], scales))], attributes),
});
const sized = (x: Shape, sizes: readonly number[], attributes: AttributeInput): GradientCase => ({
  inputs: [x],
  build: ({ g }, data) => g.node("Resize", [data, null, null, g.int64(sizes)], attributes),
});
const mode = (name: string, transform?: string): AttributeInput => ({
  mode: string(name),
  coordinate_transformation_mode: transform === undefined ? undefined : string(transform),
});

const resizes: Cases = {
  "Resize, nearest": scaled([1, 2, 3, 4], [1, 1, 2, 2], mode("nearest")),
  "Resize, nearest, asymmetric, floor": scaled([1, 2, 3, 4], [1, 1, 2, 3], {
    ...mode("nearest", "asymmetric"),
    nearest_mode: string("floor"),
  }),
  "Resize, nearest, smaller, ceil": sized([1, 1, 7, 6], [1, 1, 3, 4], {
    ...mode("nearest"),
    nearest_mode: string("ceil"),
  }),
  "Resize, nearest, round_prefer_ceil": sized([1, 1, 4, 4], [1, 1, 6, 8], {
    ...mode("nearest"),
    nearest_mode: string("round_prefer_ceil"),
  }),
  "Resize, linear": scaled([1, 2, 3, 4], [1, 1, 2, 2], mode("linear")),
  "Resize, linear, uneven scale": scaled([1, 1, 4, 5], [1, 1, 1.6, 0.7], mode("linear")),
  "Resize, linear, smaller": sized([1, 2, 7, 6], [1, 2, 3, 4], mode("linear")),
  "Resize, linear, align_corners": sized([1, 2, 3, 4], [1, 2, 5, 7], mode("linear", "align_corners")),
  "Resize, linear, align_corners, to one": sized([1, 1, 3, 4], [1, 1, 1, 1], mode("linear", "align_corners")),
  "Resize, linear, from one": sized([1, 2, 1, 1], [1, 2, 3, 2], mode("linear", "align_corners")),
  "Resize, linear, asymmetric": sized([1, 1, 3, 4], [1, 1, 5, 6], mode("linear", "asymmetric")),
  "Resize, linear, pytorch_half_pixel": sized([1, 1, 4, 4], [1, 1, 1, 6], mode("linear", "pytorch_half_pixel")),
  "Resize, linear, half_pixel_symmetric": scaled(
    [1, 1, 4, 5],
    [1, 1, 1.6, 0.7],
    mode("linear", "half_pixel_symmetric"),
  ),
  "Resize, linear, antialias": sized([1, 1, 7, 6], [1, 1, 3, 4], { ...mode("linear"), antialias: int(1) }),
  "Resize, cubic": sized([1, 1, 4, 5], [1, 1, 7, 6], mode("cubic")),
  "Resize, cubic, exclude_outside": sized([1, 1, 4, 5], [1, 1, 6, 8], {
    ...mode("cubic"),
    exclude_outside: int(1),
    cubic_coeff_a: float(-0.5),
  }),
  "Resize, cubic, align_corners": sized([1, 1, 4, 5], [1, 1, 7, 6], mode("cubic", "align_corners")),
  "Resize, axes given": sized([2, 3, 2, 4], [5, 3], { ...mode("linear"), axes: ints([3, 1]) }),
  "Resize, axes given with scales": scaled([1, 2, 3, 4], [2, 1.5], { ...mode("linear"), axes: ints([2, 3]) }),
  "Resize, aspect ratio kept, not larger": sized([1, 1, 4, 6], [6, 6], {
    ...mode("linear"),
    axes: ints([2, 3]),
    keep_aspect_ratio_policy: string("not_larger"),
  }),
  "Resize, 1-D": sized([1, 2, 5], [1, 2, 8], mode("linear")),
  "Resize, symbolic batch": scaled(["N", 2, 3, 4], [1, 1, 2, 2], mode("linear")),
  "Resize, nearest, symbolic batch": scaled(["N", 2, 3, 4], [1, 1, 2, 2], {
    ...mode("nearest", "asymmetric"),
    nearest_mode: string("floor"),
  }),
};

/** Coordinates at which a grid point leaves one cell of pixels for the next, where bilinear sampling has a kink. */
const cellEdges = (size: number, align: boolean): readonly number[] =>
  Array.from({ length: size + 4 }, (_, i) => (align ? (2 * (i - 2)) / (size - 1) - 1 : (2 * (i - 2) + 1) / size - 1));

/** Points up to `reach`; 1 is the border. */
const grid = (image: Shape, points: Shape, attributes: AttributeInput, reach = 0.95): GradientCase => {
  const edges = image.slice(2).flatMap((size) => cellEdges(Number(size), attributes["align_corners"] !== undefined));
  return { inputs: [image, points], draw: [spread, clearOf(edges, reach)], build: op("GridSample", attributes) };
};

const samples: Cases = {
  GridSample: grid([2, 2, 4, 5], [2, 3, 2, 2], {}),
  "GridSample, align_corners": grid([1, 2, 4, 5], [1, 3, 2, 2], { align_corners: int(1) }),
  "GridSample, points outside read zeros": grid([1, 2, 3, 4], [1, 3, 3, 2], {}, 1.5),
  "GridSample, points outside read the border": grid(
    [1, 2, 3, 4],
    [1, 3, 3, 2],
    { padding_mode: string("border") },
    1.5,
  ),
  "GridSample, nearest": {
    inputs: [[1, 2, 4, 5]],
    build: ({ g, fixed }, x) =>
      g.node("GridSample", [x, fixed([1, 2, 2, 2], [-0.9, 0.3, 0.1, -0.4, 0.7, 0.8, -1.4, 0.2])], {
        mode: string("nearest"),
      }),
  },
  "GridSample, cubic": {
    inputs: [[1, 2, 4, 5]],
    build: ({ g, fixed }, x) =>
      g.node("GridSample", [x, fixed([1, 2, 2, 2], [-0.9, 0.3, 0.1, -0.4, 0.7, 0.8, -0.4, 0.2])], {
        mode: string("cubic"),
      }),
  },
  "GridSample, reflection": {
    inputs: [[1, 2, 4, 5]],
    build: ({ g, fixed }, x) =>
      g.node("GridSample", [x, fixed([1, 2, 2, 2], [-1.9, 0.3, 0.1, -1.4, 0.7, 2.8, -0.4, 0.2])], {
        padding_mode: string("reflection"),
      }),
  },
  "GridSample, symbolic batch": grid(["N", 2, 3, 4], ["N", 2, 3, 2], {}),
};

export const indexing: Cases = { ...gathers, ...resizes, ...samples };
