/** @file How the scores an objective is taken at become probabilities: read off the model's last operators. */
import type { Graph, Value } from "../graph/ir.ts";
import { namedValues, producers } from "../graph/walk.ts";

/**
 * How probabilities come from scores: by the model's own last operator, as they are where they lie in [0, 1] by
 * construction, or by a softmax where the model ends in scores.
 */
export type ProbabilityKind = "softmax" | "sigmoid" | "the scores themselves" | "softmax of the scores";

/** Operators that only move or pick values. */
const moving = new Set("Identity Reshape Flatten Squeeze Unsqueeze Cast Dropout Transpose Slice Gather".split(" "));
/** Operators that keep values within [0, 1] if all they read is. */
const keeping = new Set("ReduceMax ReduceMean Max MaxPool GlobalMaxPool GlobalAveragePool Mul Concat".split(" "));

/** Decided from the graph, so that it is the same for every image. */
export function probabilityKind(graph: Graph, objectiveTensor: string): ProbabilityKind {
  const made = producers(graph);
  const isUnit = (value: Value | null): boolean => {
    const node = value === null ? undefined : made.get(value);
    if (node === undefined) return false;
    if (node.op === "Sigmoid" || node.op === "Softmax" || node.op === "HardSigmoid") return true;
    if (moving.has(node.op)) return isUnit(node.inputs[0] ?? null);
    return keeping.has(node.op) && node.inputs.every((v) => v === null || isUnit(v));
  };
  const scores = namedValues(graph).get(objectiveTensor);
  if (scores !== undefined && isUnit(scores)) return "the scores themselves";
  let final: ProbabilityKind = "softmax of the scores";
  for (let value: Value | null | undefined = graph.outputs[0]; value && value !== scores; ) {
    const node = made.get(value);
    if (node?.op === "Softmax" || node?.op === "LogSoftmax") final = "softmax";
    else if (node?.op === "Sigmoid") final = "sigmoid";
    else if (node === undefined || !moving.has(node.op)) return "softmax of the scores";
    value = node.inputs[0];
  }
  return final;
}
