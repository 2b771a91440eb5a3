/** @file Reductions, and what works along one axis. */
import { int } from "../../../shared/graph/attributes.ts";
import type { AttributeInput } from "../../../shared/graph/builder.ts";
import type { Shape } from "../../../shared/graph/ir.ts";
import type { GradientCase } from "../../support/check-gradient.ts";
import { clearOfZero, type Draw, distinct, positive, spread } from "../../support/draw.ts";
import { type Cases, withIntegers } from "./case.ts";

const reduce = (
  name: string,
  x: Shape,
  axes: readonly number[] | null,
  attributes: AttributeInput = {},
  draw: Draw = draws[name] ?? spread,
): GradientCase => ({ inputs: [x], draw, build: withIntegers(name, axes === null ? [] : [axes], attributes) });

const draws: Readonly<Record<string, Draw>> = {
  ReduceMax: distinct,
  ReduceMin: distinct,
  ReduceL1: clearOfZero,
  ReduceL2: clearOfZero,
  ReduceProd: clearOfZero,
  ReduceLogSum: positive,
};
const names = [
  "ReduceSum",
  "ReduceMean",
  "ReduceMax",
  "ReduceMin",
  "ReduceL1",
  "ReduceL2",
  "ReduceSumSquare",
  "ReduceLogSum",
  "ReduceLogSumExp",
  "ReduceProd",
];

/** Each reduction in each way of naming axes. */
const everyWay: Cases = Object.fromEntries(
  names.flatMap((name) => [
    [`${name}, one axis`, reduce(name, [2, 3, 4], [1])],
    [`${name}, last axis dropped`, reduce(name, [2, 3, 4], [-1], { keepdims: int(0) })],
    [`${name}, first axis dropped`, reduce(name, [2, 3, 4], [0], { keepdims: int(0) })],
    [`${name}, two axes out of order`, reduce(name, [2, 3, 2, 2], [3, 1], { keepdims: int(0) })],
    [`${name}, all axes`, reduce(name, [2, 3], null)],
    [`${name}, all axes dropped`, reduce(name, [2, 3], null, { keepdims: int(0) })],
    [`${name}, no axes, element by element`, reduce(name, [2, 3], [], { noop_with_empty_axes: int(1) })],
    [`${name}, symbolic batch`, reduce(name, ["N", 3, 2], [1, 2], { keepdims: int(0) })],
  ]),
);

export const reduction: Cases = {
  ...everyWay,
  "ReduceSum, over the symbolic batch": reduce("ReduceSum", ["N", 3], [0]),
  "ReduceMean, over the symbolic batch": reduce("ReduceMean", ["N", 3], [0], { keepdims: int(0) }),
  "ReduceMean, no axes, all of them": reduce("ReduceMean", [2, 3], []),
  "ReduceProd, one zero in a row": reduce("ReduceProd", [2, 3], [1], {}, () => [0.5, 0, -2, 1, 3, 0.5]),
  "ReduceProd, two zeros in a row": reduce("ReduceProd", [2, 3], [1], {}, () => [0, 0, -2, 1, 3, 0.5]),
  CumSum: { inputs: [[2, 4]], build: withIntegers("CumSum", [[1]]) },
  "CumSum, exclusive": { inputs: [[2, 4]], build: withIntegers("CumSum", [[1]], { exclusive: int(1) }) },
  "CumSum, reverse, first axis": { inputs: [[3, 2]], build: withIntegers("CumSum", [[0]], { reverse: int(1) }) },
  "CumSum, exclusive and reverse": {
    inputs: [[2, 4]],
    build: withIntegers("CumSum", [[-1]], { exclusive: int(1), reverse: int(1) }),
  },
  TopK: { inputs: [[2, 5]], draw: distinct, build: withIntegers("TopK", [[3]]) },
  "TopK, smallest, first axis": {
    inputs: [[5, 2]],
    draw: distinct,
    build: withIntegers("TopK", [[2]], { axis: int(0), largest: int(0) }),
  },
};
