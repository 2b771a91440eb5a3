/**
 * @file Operators below a mean over locations, whose gradient is the same at each of them. The sweep passes it on with
 * extent 1 as long as rules allow, and must still count every location when it sums.
 */
import { int, ints } from "../../../shared/graph/attributes.ts";
import { constantOf } from "../../../shared/graph/constant.ts";
import type { Value } from "../../../shared/graph/ir.ts";
import type { Bench, GradientCase } from "../../support/check-gradient.ts";
import { clearOf, clearOfZero, type Draw, distinct, positive, spread } from "../../support/draw.ts";
import type { Cases } from "./case.ts";

type Build = (bench: Bench, x: Value) => Value;

/** x is [2, 3, 2, 2]; the mean is over its locations. */
const below = (
  build: Build,
  draw: Draw = spread,
  shape: GradientCase["inputs"][number] = [2, 3, 2, 2],
): GradientCase => ({
  inputs: [shape],
  extents: { N: [2], H: [3], W: [2] },
  draw,
  build: (bench, x) => bench.g.node("GlobalAveragePool", [build(bench, x)]),
});
const one =
  (name: string): Build =>
  ({ g }, x) =>
    g.node(name, [x]);
const withWeight =
  (name: string, dims: readonly number[], draw?: Draw): Build =>
  ({ g, weight }, x) =>
    g.node(name, [x, weight(dims, draw)]);
const mask = constantOf("bool", [2, 2], [1, 0, 0, 1]);

export const lazy: Cases = {
  "Add, a weight per channel, below a mean": below(withWeight("Add", [3, 1, 1])),
  "Add, a weight per location, below a mean": below(withWeight("Add", [2, 2])),
  "Add, a scalar weight, below a mean": below(withWeight("Add", [])),
  "Add, weights of two ranks, below a mean": below(({ g, weight }, x) => g.add(g.add(x, weight([2, 1])), weight([1]))),
  "Add, symbolic extents, below a mean": below(withWeight("Add", [3, 1, 1]), spread, ["N", 3, "H", "W"]),
  "Sub, a weight per channel, below a mean": below(withWeight("Sub", [3, 1, 1])),
  "Mul, a weight per channel, below a mean": below(withWeight("Mul", [3, 1, 1])),
  "Mul, two weights, below a mean": below(({ g, weight }, x) => g.add(x, g.mul(weight([3, 1, 1]), weight([3, 1, 2])))),
  "Div, by a weight per channel, below a mean": below(withWeight("Div", [3, 1, 1], positive)),
  "Sum, weights of two ranks, below a mean": below(({ g, weight }, x) =>
    g.node("Sum", [weight([3, 1, 1]), x, weight([2])]),
  ),
  "Mean, a weight, below a mean": below(withWeight("Mean", [3, 1, 1])),
  "Max, a weight, below a mean": below(withWeight("Max", [3, 1, 1]), distinct),
  "Pow, a weight for exponent, below a mean": below(withWeight("Pow", [3, 1, 1]), positive),
  "PRelu, slope per channel, below a mean": below(withWeight("PRelu", [3, 1, 1]), clearOfZero),
  "Where, between weights, below a mean": below(({ g, weight }, x) =>
    g.add(x, g.where(g.constant(mask), weight([3, 1, 1]), weight([]))),
  ),
  "Clip, bounds differentiated, below a mean": below(
    ({ g, weight }, x) => g.node("Clip", [x, weight([], () => [-0.5]), weight([], () => [0.8])]),
    clearOf([-0.5, 0.8]),
  ),
  "Relu, below a mean": below(one("Relu"), clearOfZero),
  "Neg, below a mean": below(one("Neg")),
  "Identity, below a mean": below(one("Identity")),
  "Transpose, below a mean": below(({ g }, x) => g.transpose(x, [1, 0, 3, 2])),
  "Reshape, below a mean": below(({ g }, x) => g.reshape(x, [3, 2, 4, 1])),
  "Concat, below a mean": below(({ g, weight }, x) => g.concat([x, weight([2, 3, 1, 2])], 2)),
  "Expand, below a mean": below(({ g, weight }, x) => g.add(x, g.node("Expand", [weight([1, 3, 1, 1]), g.shapeOf(x)]))),
  "Conv, below a mean": below(({ g, weight }, x) =>
    g.node("Conv", [x, weight([2, 3, 2, 2]), weight([2])], { pads: ints([1, 0, 0, 1]) }),
  ),
  "MatMul, below a mean": below(withWeight("MatMul", [2, 3])),
  "BatchNormalization, below a mean": below(({ g, weight }, x) => {
    const parameters = [weight([3]), weight([3]), weight([3]), weight([3], positive)];
    return g.node("BatchNormalization", [x, ...parameters]);
  }),
  "MaxPool, below a mean": below(({ g }, x) => g.node("MaxPool", [x], { kernel_shape: ints([1, 2]) }), distinct),
  "Softmax, below a mean": below(({ g }, x) => g.node("Softmax", [x], { axis: int(1) })),
  ...Object.fromEntries(
    ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd"].map(
      (name) => [
        `${name}, below a mean`,
        below(
          ({ g }, x) => g.node(name, [x, g.int64([1])], { keepdims: int(1) }),
          name === "ReduceMax" || name === "ReduceMin" ? distinct : clearOfZero,
        ),
      ],
    ),
  ),
  "ReduceLogSum, below a mean": below(({ g }, x) => g.node("ReduceLogSum", [x, g.int64([3])]), positive),
  "ReduceLogSumExp, below a mean": below(({ g }, x) => g.node("ReduceLogSumExp", [x, g.int64([1])])),
  "GlobalAveragePool, of another": below(one("GlobalAveragePool")),
};
