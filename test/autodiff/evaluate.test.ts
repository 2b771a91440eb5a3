/** @file The interpreter against onnxruntime: the operators no gradient case contains, so that none is left out. */
import { describe, expect, it } from "vitest";
import { float, int, ints, string, tensor as tensorAttribute } from "../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf, int64s } from "../../shared/graph/constant.ts";
import type { Value } from "../../shared/graph/ir.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { assemble } from "../support/check-gradient.ts";
import { type Draw, spread } from "../support/draw.ts";
import { evaluate, evaluatedOperators, tensor } from "../support/evaluate.ts";
import { relativeError } from "../support/golden-ops.ts";
import { random } from "../support/random.ts";
import { runOnnx, tensorOf } from "../support/run-onnx.ts";
import { families } from "./cases.ts";

/** Of the largest element: float32 arithmetic. */
const tolerance = 3e-6;

interface Comparison {
  /** Shapes of float32 inputs, drawn from -1.5 to 1.5. */
  readonly inputs: readonly (readonly number[])[];
  readonly draw?: Draw;
  readonly opset?: number;
  readonly build: (g: GraphBuilder, ...xs: Value[]) => Value | readonly Value[];
}
const bools = (g: GraphBuilder, ...values: number[]): Value => g.constant(constantOf("bool", [values.length], values));
const indices = (g: GraphBuilder, dims: readonly number[], values: readonly number[]): Value =>
  g.constant(int64s(dims, values));
const row = [[3, 4]];
const op =
  (name: string, attributes = {}): Comparison["build"] =>
  (g, ...xs) =>
    g.node(name, xs, attributes);
/** Halves, so that equal values occur. */
const halves: Draw = (next, count) => Array.from({ length: count }, () => Math.floor(6 * next()) / 2 - 1.5);

const pooled = { kernel_shape: ints([3, 2]), strides: ints([2, 1]), pads: ints([1, 0, 1, 1]) };
const scattered = (name: string, reduction: string): Comparison => ({
  inputs: [
    [4, 3],
    [2, 3],
  ],
  build: (g, x, u) =>
    name === "ScatterND"
      ? g.node(name, [x, indices(g, [2, 1], [3, reduction === "none" ? 1 : 3]), u], { reduction: string(reduction) })
      : g.node(name, [x, indices(g, [2, 3], [0, 1, 2, -1, reduction === "none" ? 0 : 1, 0]), u], {
          reduction: string(reduction),
        }),
});

const comparisons: Readonly<Record<string, Comparison>> = {
  ScatterND: scattered("ScatterND", "none"),
  "ScatterND, add": scattered("ScatterND", "add"),
  "ScatterND, mul": scattered("ScatterND", "mul"),
  "ScatterND, max": scattered("ScatterND", "max"),
  ScatterElements: scattered("ScatterElements", "none"),
  "ScatterElements, add": scattered("ScatterElements", "add"),
  "ScatterElements, mul": scattered("ScatterElements", "mul"),
  "ScatterElements, min": scattered("ScatterElements", "min"),
  "GatherND, batch_dims": {
    inputs: [[2, 3, 4]],
    build: (g, x) => g.node("GatherND", [x, indices(g, [2, 2, 1], [2, 0, 1, 1])], { batch_dims: int(1) }),
  },
  OneHot: {
    inputs: [[2]],
    build: (g, values) =>
      g.node("OneHot", [indices(g, [2, 2], [1, -1, 0, 5]), indices(g, [], [3]), values], { axis: int(1) }),
  },
  NonZero: { inputs: row, draw: halves, build: (g, x) => g.cast(g.node("NonZero", [x]), "float32") },
  Compress: { inputs: row, build: (g, x) => g.node("Compress", [x, bools(g, 0, 1, 1)], { axis: int(0) }) },
  "Compress, flat": { inputs: row, build: (g, x) => g.node("Compress", [x, bools(g, 0, 1, 1)]) },
  ArgMax: { inputs: row, draw: halves, build: (g, x) => g.cast(g.node("ArgMax", [x], { axis: int(1) }), "float32") },
  "ArgMax, the last of equals": {
    inputs: row,
    draw: halves,
    build: (g, x) => g.cast(g.node("ArgMax", [x], { axis: int(1), select_last_index: int(1) }), "float32"),
  },
  ArgMin: {
    inputs: row,
    draw: halves,
    build: (g, x) => g.cast(g.node("ArgMin", [x], { keepdims: int(0) }), "float32"),
  },
  "TopK, among equals": {
    inputs: [[3, 6]],
    draw: halves,
    build: (g, x) => {
      const [values, at] = g.multi("TopK", [x, g.int64([4])], {}, 2);
      return at && values ? [values, g.cast(at, "float32")] : [];
    },
  },
  Hardmax: { inputs: row, draw: halves, build: op("Hardmax") },
  LpPool: { inputs: [[1, 2, 6, 5]], build: op("LpPool", { ...pooled, p: int(3) }) },
  GlobalLpPool: { inputs: [[2, 3, 4, 3]], build: op("GlobalLpPool", { p: int(3) }) },
  "MaxPool, indices in column order": {
    inputs: [[2, 2, 6, 5]],
    build: (g, x) => {
      const [y, at] = g.multi("MaxPool", [x], { ...pooled, storage_order: int(1) }, 2);
      return at && y ? [y, g.cast(at, "float32")] : [];
    },
  },
  MaxUnpool: {
    inputs: [[1, 1, 4, 6]],
    build: (g, x) => {
      const attributes = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
      const [y, at] = g.multi("MaxPool", [x], attributes, 2);
      return g.node("MaxUnpool", [y ?? x, at ?? x], attributes);
    },
  },
  Col2Im: {
    inputs: [[2, 12, 9]],
    build: (g, x) =>
      g.node("Col2Im", [x, g.int64([5, 6]), g.int64([2, 3])], { strides: ints([2, 2]), pads: ints([0, 1, 1, 0]) }),
  },
  MeanVarianceNormalization: { inputs: [[2, 3, 2, 4]], build: op("MeanVarianceNormalization") },
  ReverseSequence: {
    inputs: [[4, 3, 2]],
    build: (g, x) => g.node("ReverseSequence", [x, g.int64([4, 1, 3])]),
  },
  AffineGrid: {
    inputs: [[2, 2, 3]],
    build: (g, x) => g.node("AffineGrid", [x, g.int64([2, 3, 4, 5])], { align_corners: int(1) }),
  },
  "AffineGrid, pixels for corners": {
    inputs: [[2, 2, 3]],
    build: (g, x) => g.node("AffineGrid", [x, g.int64([2, 3, 4, 5])]),
  },
  ...Object.fromEntries(
    ["linear", "nearest", "cubic"].flatMap((mode) =>
      ["zeros", "border", "reflection"].flatMap((padding) =>
        [0, 1].map((align): [string, Comparison] => [
          `GridSample, ${mode}, ${padding}, align_corners ${align}`,
          {
            inputs: [
              [1, 2, 4, 5],
              [1, 4, 4, 2],
            ],
            build: op("GridSample", { mode: string(mode), padding_mode: string(padding), align_corners: int(align) }),
          },
        ]),
      ),
    ),
  ),
  "Resize, tf_crop_and_resize": {
    inputs: [[1, 1, 4, 5]],
    build: (g, x) =>
      g.node(
        "Resize",
        [x, g.constant(constantOf("float32", [8], [0, 0, 0.2, -0.1, 1, 1, 0.9, 1.2])), null, g.int64([1, 1, 5, 6])],
        {
          mode: string("linear"),
          coordinate_transformation_mode: string("tf_crop_and_resize"),
          extrapolation_value: float(7),
        },
      ),
  },
  "Resize, cubic, antialias": {
    inputs: [[1, 1, 9, 8]],
    build: (g, x) =>
      g.node("Resize", [x, null, null, g.int64([1, 1, 4, 3])], { mode: string("cubic"), antialias: int(1) }),
  },
  Shrink: { inputs: row, build: op("Shrink", { lambd: float(0.5), bias: float(0.25) }) },
  Sign: { inputs: row, draw: halves, build: op("Sign") },
  ConstantOfShape: {
    inputs: [],
    build: (g) =>
      g.node("ConstantOfShape", [g.int64([2, 3])], { value: tensorAttribute(constantOf("float32", [1], [-2.5])) }),
  },
  Floor: { inputs: row, build: op("Floor") },
  Ceil: { inputs: row, build: op("Ceil") },
  "Round, halves to even": { inputs: [[4, 4]], draw: halves, build: op("Round") },
  "Mod, as in C": {
    inputs: [
      [3, 4],
      [3, 4],
    ],
    build: op("Mod", { fmod: int(1) }),
  },
  "Mod, as in Python": {
    inputs: [],
    build: (g) => g.cast(g.node("Mod", [g.int64([7, -7, 7, -7]), g.int64([3, 3, -3, -3])]), "float32"),
  },
  "Div, of integers": {
    inputs: [],
    build: (g) => g.cast(g.div(g.int64([7, -7, 7, -7]), g.int64([2, 2, -2, -2])), "float32"),
  },
  "Cast, to integers": { inputs: row, build: (g, x) => g.cast(g.cast(x, "int32"), "float32") },
  "Cast, to bool": { inputs: row, draw: halves, build: (g, x) => g.cast(g.cast(x, "bool"), "float32") },
  CastLike: { inputs: row, build: (g, x) => g.cast(g.node("CastLike", [x, g.int64([1])]), "float32") },
  ...Object.fromEntries(
    ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"].map((name): [string, Comparison] => [
      name,
      { inputs: [[3, 4], [4]], draw: halves, build: (g, a, b) => g.cast(g.node(name, [a, b]), "float32") },
    ]),
  ),
  ...Object.fromEntries(
    ["And", "Or", "Xor"].map((name): [string, Comparison] => [
      name,
      { inputs: [], build: (g) => g.cast(g.node(name, [bools(g, 0, 0, 1, 1), bools(g, 0, 1, 0, 1)]), "float32") },
    ]),
  ),
  Not: { inputs: [], build: (g) => g.cast(g.node("Not", [bools(g, 0, 1)]), "float32") },
  IsNaN: { inputs: row, build: (g, x) => g.cast(g.node("IsNaN", [g.node("Log", [x])]), "float32") },
  IsInf: { inputs: row, draw: halves, build: (g, x) => g.cast(g.node("IsInf", [g.div(x, g.sub(x, x))]), "float32") },
  Range: {
    inputs: [],
    build: (g) => g.cast(g.node("Range", [indices(g, [], [7]), indices(g, [], [-2]), indices(g, [], [-3])]), "float32"),
  },
  EyeLike: { inputs: row, build: op("EyeLike", { k: int(1) }) },
  Size: { inputs: row, build: (g, x) => g.cast(g.node("Size", [x]), "float32") },
  "Shape, a part of it": {
    inputs: [[2, 3, 4]],
    build: (g, x) => g.cast(g.node("Shape", [x], { start: int(1), end: int(-1) }), "float32"),
  },
  Constant: {
    inputs: [],
    build: (g) => g.node("Constant", [], { value: tensorAttribute(constantOf("float32", [2], [1.5, -2])) }),
  },
};

describe("onnxruntime computes what the interpreter does", () => {
  for (const [name, comparison] of Object.entries(comparisons)) {
    it(name, async () => {
      const { g, xs, ys } = build(comparison);
      const next = random(0x5eed);
      const feeds = new Map(
        xs.map((x, i) => {
          const dims = comparison.inputs[i] ?? [];
          const values = (comparison.draw ?? spread)(
            next,
            dims.reduce((n, d) => n * d, 1),
          );
          return [x, tensor(dims, Float32Array.from(values))] as const;
        }),
      );
      const graph = g.build(ys.map((y, i) => g.named(y, `y${i}`)));
      const expected = evaluate(graph, feeds);
      const found = await runOnnx(
        exportModel(graph),
        Object.fromEntries([...feeds].map(([x, { dims, data }]) => [x.name, tensorOf(dims, Float32Array.from(data))])),
      );
      for (const y of graph.outputs) {
        const { dims, data } = expected.get(y) ?? tensor([0], []);
        const made = found.get(y.name);
        expect(made?.dims).toEqual(dims);
        expect(relativeError(made?.data instanceof Float32Array ? made.data : [], data)).toBeLessThan(tolerance);
      }
    });
  }

  it("for every operator there is, counting those of the gradient cases", () => {
    const compared = Object.values(comparisons).flatMap((comparison) => build(comparison).g.nodes);
    const cases = Object.values(families).flatMap((family) => Object.values(family));
    const nodes = [...compared, ...cases.flatMap((check) => assemble(check, "float32", 0).g.nodes)];
    const seen = new Set(nodes.map((node) => node.op));
    expect([...evaluatedOperators].filter((name) => !seen.has(name))).toEqual([]);
  });
});

function build({ inputs, build: make, opset = 21 }: Comparison) {
  const g = new GraphBuilder(emptyGraph(opset));
  const xs = inputs.map((shape, i) => g.input(`x${i}`, { dtype: "float32", shape }));
  const made = make(g, ...xs);
  const ys: readonly Value[] = "name" in made ? [made] : made;
  return { g, xs, ys };
}
