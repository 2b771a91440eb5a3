/** @file What the gradient is where there is none: at kinks and ties, by exact value. */
import { describe, expect, it } from "vitest";
import { backward } from "../../shared/autodiff/backward.ts";
import { float, int, ints } from "../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf } from "../../shared/graph/constant.ts";
import type { Value } from "../../shared/graph/ir.ts";
import { evaluate, type Tensor, tensor } from "../support/evaluate.ts";

type Build = (g: GraphBuilder, ...xs: Value[]) => Value;

/** The gradients of <dy, build(xs)>, `dy` counting 1, 2, 3 ... unless it is all ones. */
function gradients(build: Build, inputs: readonly Tensor[], ones = false): readonly (readonly number[])[] {
  const g = new GraphBuilder(emptyGraph());
  const xs = inputs.map(({ dims }, i) => g.input(`x${i}`, { dtype: "float32", shape: dims }));
  const y = build(g, ...xs);
  const feeds = new Map(xs.map((x, i) => [x, inputs[i] ?? tensor([0], [])]));
  const made = evaluate({ nodes: g.nodes }, feeds).get(y) ?? tensor([0], []);
  const dy = g.constant(
    constantOf(
      "float32",
      made.dims,
      made.data.map((_, i) => (ones ? 1 : i + 1)),
    ),
  );
  const dxs = backward(g, new Map([[y, dy]]), xs);
  const values = evaluate(g.build(dxs), feeds);
  return dxs.map((dx) => Array.from(values.get(dx)?.data ?? []));
}
const row = (...values: number[]): Tensor => tensor([values.length], values);
const op =
  (name: string, attributes = {}): Build =>
  (g, ...xs) =>
    g.node(name, xs, attributes);
/** Gradient of one input under a cotangent of ones. */
const slopes = (build: Build, ...values: number[]) => gradients(build, [row(...values)], true)[0];

describe("at a kink", () => {
  it("ReLU has slope 0 at 0", () => {
    expect(slopes(op("Relu"), -1, 0, 2)).toEqual([0, 0, 1]);
  });

  it("Clip passes its gradient strictly between its bounds only", () => {
    const relu6: Build = (g, x) => g.node("Clip", [x, g.scalar(0), g.scalar(6)]);
    expect(slopes(relu6, -1, 0, 3, 6, 7)).toEqual([0, 0, 1, 0, 0]);
    const below: Build = (g, x) => g.node("Clip", [x, g.scalar(-2)]);
    expect(slopes(below, -3, -2, 0, 9)).toEqual([0, 0, 1, 1]);
    const above: Build = (g, x) => g.node("Clip", [x, null, g.scalar(-2)]);
    expect(slopes(above, -3, -2, 0)).toEqual([1, 0, 0]);
  });

  it("Clip with one bound that is the largest float is a ReLU", () => {
    const relu: Build = (g, x) => g.node("Clip", [x, g.scalar(0), g.scalar(3.4028234663852886e38)]);
    expect(slopes(relu, -1, 0, 2, 1e30)).toEqual([0, 0, 1, 1]);
  });

  it("leaky activations take the upper side at 0", () => {
    expect(slopes(op("LeakyRelu", { alpha: float(0.25) }), -1, 0, 1)).toEqual([0.25, 1, 1]);
    expect(slopes(op("LeakyRelu", { alpha: float(-0.5) }), -1, 0, 1)).toEqual([-0.5, 1, 1]);
    expect(slopes(op("Elu", { alpha: float(0.5) }), 0, 1)).toEqual([1, 1]);
    const prelu: Build = (g, x) => g.node("PRelu", [x, g.constant(constantOf("float32", [1], [0.25]))]);
    expect(slopes(prelu, -1, 0, 1)).toEqual([0.25, 1, 1]);
  });

  it("hard sigmoids have slope 0 on their corners", () => {
    const hard = op("HardSigmoid", { alpha: float(0.25), beta: float(0.5) });
    expect(slopes(hard, -3, -2, 0, 2, 3)).toEqual([0, 0, 0.25, 0, 0]);
  });

  it("|x| has slope 0 at 0", () => {
    expect(slopes(op("Abs"), -2, 0, 3)).toEqual([-1, 0, 1]);
  });

  it("norms have slope 0 at the origin, not NaN", () => {
    const build: Build = (g, x) => g.node("ReduceL2", [x, g.int64([1])]);
    expect(gradients(build, [tensor([2, 2], [0, 0, 3, 4])])[0]).toEqual([
      0,
      0,
      expect.closeTo(1.2),
      expect.closeTo(1.6),
    ]);
    const unit = op("LpNormalization", { axis: int(-1) });
    expect(gradients(unit, [tensor([1, 2], [0, 0])])[0]?.every(Number.isFinite)).toBe(true);
  });
});

describe("among equals", () => {
  it("max pooling gives everything to the first in row-major window order", () => {
    const pool = op("MaxPool", { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    expect(gradients(pool, [tensor([1, 1, 2, 4], [5, 5, 1, 7, 5, 5, 7, 7])])[0]).toEqual([1, 0, 0, 2, 0, 0, 0, 0]);
  });

  it("overlapping max pooling adds what several windows give to one position", () => {
    const pool = op("MaxPool", { kernel_shape: ints([3]), strides: ints([1]) });
    expect(gradients(pool, [tensor([1, 1, 5], [0, 1, 2, 2, 0])])[0]).toEqual([0, 0, 1 + 2 + 3, 0, 0]);
    expect(gradients(pool, [tensor([1, 1, 5], [0, 0, 0, 0, 0])])[0]).toEqual([1, 2, 3, 0, 0]);
  });

  it("global max pooling gives everything to the first", () => {
    expect(gradients(op("GlobalMaxPool"), [tensor([1, 2, 3], [1, 4, 4, 6, 6, 6])])[0]).toEqual([0, 1, 0, 2, 0, 0]);
  });

  it("a reduced maximum or minimum is shared equally", () => {
    const max: Build = (g, x) => g.max(x, [1], false);
    const min: Build = (g, x) => g.min(x, [1], false);
    const x = tensor([2, 4], [1, 5, 5, 2, 3, 3, 3, 3]);
    expect(gradients(max, [x])[0]).toEqual([0, 0.5, 0.5, 0, 0.5, 0.5, 0.5, 0.5]);
    expect(gradients(min, [x])[0]).toEqual([1, 0, 0, 0, 0.5, 0.5, 0.5, 0.5]);
  });

  it("an elementwise maximum is shared equally", () => {
    expect(gradients(op("Max"), [row(1, 2, 3), row(3, 2, 1)])).toEqual([
      [0, 1, 3],
      [1, 1, 0],
    ]);
    expect(gradients(op("Min"), [row(1, 2), row(1, 3)])).toEqual([
      [0.5, 2],
      [0.5, 0],
    ]);
  });

  it("TopK gives the gradient of each value to the position it names", () => {
    const build: Build = (g, x) => g.multi("TopK", [x, g.int64([2])], {}, 2)[0] ?? x;
    expect(gradients(build, [row(3, 7, 7, 1)])[0]).toEqual([0, 1, 2, 0]);
  });
});

describe("beyond what a float holds", () => {
  it("saturated functions have slope 0 or 1, never NaN", () => {
    expect(slopes(op("Softplus"), -1e4, 0, 1e4)).toEqual([0, 0.5, 1]);
    expect(slopes(op("Sigmoid"), -1e4, 0, 1e4)).toEqual([0, 0.25, 0]);
  });
});
