/**
 * @file The type of every output of every operator, a row an operator, in the dialect of opset 18 to 24 that graphs are
 * lifted to. An operator without a row has outputs of unknown type: no error until a gradient must pass there.
 */
import type { Dim, Node, TensorType } from "./ir.ts";

export interface Inferred {
  readonly type: TensorType | undefined;
  readonly elements?: readonly Dim[];
}

/** Types of the first `count` outputs. Throws `model-malformed` where the inputs contradict the operator. */
export function infer(_call: Omit<Node, "outputs">, count: number): readonly Inferred[] {
  return Array.from({ length: count }, () => ({ type: undefined }));
}
