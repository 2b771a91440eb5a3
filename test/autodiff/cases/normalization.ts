/** @file Normalisations and softmaxes. */
import { float, int } from "../../../shared/graph/attributes.ts";
import type { Shape } from "../../../shared/graph/ir.ts";
import type { GradientCase } from "../../support/check-gradient.ts";
import { clearOfZero, positive } from "../../support/draw.ts";
import { type Cases, op, withWeights } from "./case.ts";

/** Scale, bias, mean and variance: all differentiated. */
const batch = (x: Shape, channels: number, epsilon?: number): GradientCase => ({
  inputs: [x],
  build: ({ g, weight }, data) => {
    const parameters = [weight([channels]), weight([channels]), weight([channels]), weight([channels], positive)];
    return g.node("BatchNormalization", [data, ...parameters], { epsilon: epsilon ? float(epsilon) : undefined });
  },
});

export const normalization: Cases = {
  BatchNormalization: batch([2, 3, 2, 2], 3),
  "BatchNormalization, epsilon given": batch([1, 3, 2, 2], 3, 0.25),
  "BatchNormalization, 1-D": batch([2, 3, 4], 3),
  "BatchNormalization, no location": batch([4, 3], 3),
  "BatchNormalization, symbolic batch": batch(["N", 3, 2, 2], 3),
  InstanceNormalization: {
    inputs: [[2, 3, 3, 2]],
    build: withWeights("InstanceNormalization", [[3], [3]], { epsilon: float(0.125) }),
  },
  "InstanceNormalization, default epsilon, 1-D": {
    inputs: [[2, 3, 4]],
    build: withWeights("InstanceNormalization", [[3], [3]]),
  },
  "InstanceNormalization, symbolic batch": {
    inputs: [["N", 2, 3, 2]],
    build: withWeights("InstanceNormalization", [[2], [2]]),
  },
  "GroupNormalization, scale per channel": {
    inputs: [[2, 6, 2, 2]],
    opset: 21,
    build: withWeights("GroupNormalization", [[6], [6]], { num_groups: int(3) }),
  },
  "GroupNormalization, scale per group": {
    inputs: [[2, 6, 2, 2]],
    opset: 18,
    build: withWeights("GroupNormalization", [[3], [3]], { num_groups: int(3), epsilon: float(0.125) }),
  },
  "GroupNormalization, symbolic batch": {
    inputs: [["N", 4, 3]],
    opset: 21,
    build: withWeights("GroupNormalization", [[4], [4]], { num_groups: int(2) }),
  },
  LayerNormalization: { inputs: [[2, 3, 5]], build: withWeights("LayerNormalization", [[5], [5]]) },
  "LayerNormalization, no bias": { inputs: [[2, 3, 5]], build: withWeights("LayerNormalization", [[5]]) },
  "LayerNormalization, two axes": {
    inputs: [[3, 2, 4]],
    build: withWeights(
      "LayerNormalization",
      [
        [2, 4],
        [2, 4],
      ],
      { axis: int(1), epsilon: float(0.125) },
    ),
  },
  "LayerNormalization, scale of lower rank": {
    inputs: [[3, 2, 4]],
    build: withWeights("LayerNormalization", [[4], [4]], { axis: int(-2) }),
  },
  "LayerNormalization, mean and deviation read too": {
    inputs: [[2, 3, 5]],
    build: ({ g, weight }, x) => g.multi("LayerNormalization", [x, weight([5]), weight([5])], {}, 3),
  },
  "LayerNormalization, symbolic batch": {
    inputs: [["N", 3, 4]],
    build: withWeights("LayerNormalization", [[4], [4]]),
  },
  RMSNormalization: { inputs: [[2, 3, 5]], opset: 23, build: withWeights("RMSNormalization", [[5]]) },
  "RMSNormalization, two axes": {
    inputs: [[3, 2, 4]],
    opset: 23,
    build: withWeights("RMSNormalization", [[2, 4]], { axis: int(1), epsilon: float(0.125) }),
  },
  LRN: { inputs: [[1, 6, 2, 3]], build: op("LRN", { size: int(5), alpha: float(0.5) }) },
  "LRN, constants given": {
    inputs: [[2, 5, 2, 2]],
    build: op("LRN", { size: int(3), alpha: float(0.75), beta: float(0.625), bias: float(2) }),
  },
  "LRN, default constants": { inputs: [[1, 4, 2, 2]], build: op("LRN", { size: int(3) }) },
  "LRN, even size": { inputs: [[1, 6, 2, 2]], build: op("LRN", { size: int(4), alpha: float(0.5) }) },
  "LRN, symbolic batch": { inputs: [["N", 5, 2, 2]], build: op("LRN", { size: int(3), alpha: float(0.5) }) },
  LpNormalization: { inputs: [[2, 3, 4]], build: op("LpNormalization") },
  "LpNormalization, axis 1": { inputs: [[2, 3, 4]], build: op("LpNormalization", { axis: int(1) }) },
  "LpNormalization, p 1": { inputs: [[2, 5]], draw: clearOfZero, build: op("LpNormalization", { p: int(1) }) },
  Softmax: { inputs: [[2, 3, 4]], build: op("Softmax") },
  "Softmax, axis 1": { inputs: [[2, 4, 3]], build: op("Softmax", { axis: int(1) }) },
  "Softmax, symbolic batch": { inputs: [["N", 5]], build: op("Softmax", { axis: int(-1) }) },
  LogSoftmax: { inputs: [[2, 3, 4]], build: op("LogSoftmax") },
  "LogSoftmax, axis 0": { inputs: [[4, 3]], build: op("LogSoftmax", { axis: int(0) }) },
  "LogSoftmax, symbolic batch": { inputs: [["N", 5]], build: op("LogSoftmax") },
};
