/** @file Operators of several operands with broadcasting. */
import { constantOf } from "../../../shared/graph/constant.ts";
import { clearOf, clearOfZero, distinct, positive, spread } from "../../support/draw.ts";
import { type Cases, op, withWeights } from "./case.ts";

export const elementwise: Cases = {
  Add: {
    inputs: [
      [2, 3],
      [2, 3],
    ],
    build: op("Add"),
  },
  "Add, row stretched": { inputs: [[2, 3], [3]], build: op("Add") },
  "Add, left operand stretched": {
    inputs: [
      [3, 1],
      [2, 3, 4],
    ],
    build: op("Add"),
  },
  "Add, both stretched": {
    inputs: [
      [2, 1, 3],
      [4, 1],
    ],
    build: op("Add"),
  },
  "Add, a scalar weight": { inputs: [[2, 3]], build: withWeights("Add", [[]]) },
  "Add, to itself": { inputs: [[5]], build: ({ g }, a) => g.add(a, a) },
  "Add, a weight per channel, symbolic batch": { inputs: [["N", 3, 2]], build: withWeights("Add", [[3, 1]]) },
  "Add, batch stretched by a weight of batch 1": { inputs: [["N", 3]], build: withWeights("Add", [[1, 3]]) },
  Sub: {
    inputs: [
      [2, 3],
      [2, 3],
    ],
    build: op("Sub"),
  },
  "Sub, both stretched": {
    inputs: [
      [2, 1, 3],
      [4, 1],
    ],
    build: op("Sub"),
  },
  Mul: {
    inputs: [
      [2, 3],
      [2, 3],
    ],
    build: op("Mul"),
  },
  "Mul, both stretched": {
    inputs: [
      [2, 1, 3],
      [4, 1],
    ],
    build: op("Mul"),
  },
  "Mul, by itself": { inputs: [[5]], build: ({ g }, a) => g.mul(a, a) },
  "Mul, a weight per channel": { inputs: [["N", 3, 2, 2]], build: withWeights("Mul", [[3, 1, 1]]) },
  "Mul, a scalar weight": { inputs: [[2, 3]], build: withWeights("Mul", [[]]) },
  Div: {
    inputs: [
      [2, 3],
      [2, 3],
    ],
    draw: [spread, positive],
    build: op("Div"),
  },
  "Div, both stretched": {
    inputs: [
      [2, 1, 3],
      [4, 1],
    ],
    draw: [spread, clearOfZero],
    build: op("Div"),
  },
  "Div, by a weight": { inputs: [[2, 3]], build: ({ g, weight }, x) => g.div(x, weight([3], positive)) },
  "Pow, square": { inputs: [[2, 3]], build: ({ g, dtype }, x) => g.node("Pow", [x, g.scalar(2, dtype)]) },
  "Pow, first power": { inputs: [[2, 3]], build: ({ g, dtype }, x) => g.node("Pow", [x, g.scalar(1, dtype)]) },
  "Pow, cube of both signs": {
    inputs: [[2, 3]],
    draw: clearOfZero,
    build: ({ g, dtype }, x) => g.node("Pow", [x, g.scalar(3, dtype)]),
  },
  "Pow, root": {
    inputs: [[2, 3]],
    draw: positive,
    build: ({ g, dtype }, x) => g.node("Pow", [x, g.scalar(0.5, dtype)]),
  },
  "Pow, exponent of another type": {
    inputs: [[2, 3]],
    build: ({ g }, x) => g.node("Pow", [x, g.constant(constantOf("int64", [], [2]))]),
  },
  "Pow, one exponent a column": {
    inputs: [[2, 3]],
    draw: positive,
    build: ({ g, fixed }, x) => g.node("Pow", [x, fixed([3], [2, -1.5, 0.7])]),
  },
  "Pow, exponent differentiated": { inputs: [[2, 3], [3]], draw: positive, build: op("Pow") },
  "Sum, one operand": { inputs: [[2, 3]], build: op("Sum") },
  "Sum, three stretched": { inputs: [[2, 3], [3], [2, 1]], build: op("Sum") },
  "Mean, three stretched": { inputs: [[2, 3], [3], [2, 1]], build: op("Mean") },
  "Max, one operand": { inputs: [[2, 3]], build: op("Max") },
  "Max, three": {
    inputs: [
      [2, 4],
      [2, 4],
      [1, 4],
    ],
    draw: [distinct, spread, spread],
    build: op("Max"),
  },
  "Max, of a weight": { inputs: [[2, 4]], build: withWeights("Max", [[4]]) },
  "Min, two": { inputs: [[2, 4], [4]], draw: [distinct, spread], build: op("Min") },
  "Where, condition constant and stretched": {
    inputs: [
      [2, 3],
      [1, 3],
    ],
    build: ({ g }, a, b) => g.where(g.constant(constantOf("bool", [2, 1], [1, 0])), a, b),
  },
  "Where, condition computed": {
    inputs: [
      [2, 3],
      [2, 3],
    ],
    draw: clearOfZero,
    build: ({ g, dtype }, a, b) => g.where(g.node("Greater", [a, g.scalar(0, dtype)]), a, b),
  },
  "PRelu, slope per channel": {
    inputs: [[2, 3, 2, 2]],
    draw: clearOfZero,
    build: withWeights("PRelu", [[3, 1, 1]]),
  },
  "PRelu, one slope": { inputs: [["N", 3]], draw: clearOfZero, build: withWeights("PRelu", [[1]]) },
  "Clip, both bounds": {
    inputs: [[3, 5]],
    draw: clearOf([-0.5, 0.8]),
    build: ({ g, dtype }, x) => g.node("Clip", [x, g.scalar(-0.5, dtype), g.scalar(0.8, dtype)]),
  },
  "Clip, only below": {
    inputs: [[3, 5]],
    draw: clearOf([-0.5]),
    build: ({ g, dtype }, x) => g.node("Clip", [x, g.scalar(-0.5, dtype)]),
  },
  "Clip, only above": {
    inputs: [[3, 5]],
    draw: clearOf([0.8]),
    build: ({ g, dtype }, x) => g.node("Clip", [x, null, g.scalar(0.8, dtype)]),
  },
  "Clip, no bound": { inputs: [[3]], build: ({ g }, x) => g.node("Clip", [x]) },
  "Clip, largest number as bound": {
    inputs: [[3, 5]],
    draw: clearOfZero,
    build: ({ g, dtype }, x) => g.node("Clip", [x, g.scalar(0, dtype), g.scalar(3.4028234663852886e38, dtype)]),
  },
  "Clip, bounds differentiated": {
    inputs: [[3, 5]],
    draw: clearOf([-0.5, 0.8]),
    build: ({ g, weight }, x) => g.node("Clip", [x, weight([], () => [-0.5]), weight([], () => [0.8])]),
  },
};
