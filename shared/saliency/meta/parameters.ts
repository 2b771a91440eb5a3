/** @file Which tensors of a graph are weights that a training step moves, and which of them were asked for. */
import { AppError } from "../../errors.ts";
import { volume } from "../../graph/constant.ts";
import { type Constant, floatTypes, type Graph, type Node, type Value } from "../../graph/ir.ts";
import { upstream } from "../../graph/walk.ts";
import type { MetaSpec } from "../spec.ts";

/** Inputs that are weights where they are constants. Running statistics, bounds and pads are not trained. */
const trained: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  Add: [0, 1],
  Mul: [0, 1],
  BatchNormalization: [1, 2],
};
/** Operators that start a weighted layer; a factor, a summand or a normalisation belongs to the layer before it. */
const weighted: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);
/** Where a single number is part of a formula (GELU's 1/2, attention's scale), not a weight. */
const formulas: ReadonlySet<string> = new Set(["Add", "Mul"]);

/**
 * The weights the scores depend on, in order of computation, or those of the last k weighted layers.
 * @throws AppError `spec-invalid` where there are none, or fewer layers than asked for
 */
export function parametersOf(graph: Graph, scores: Value, which: MetaSpec["weights"]): readonly Value[] {
  const layers: Value[][] = [[]];
  for (const node of upstream(graph.nodes, [scores])) {
    const found = weightsOf(node);
    if (weighted.has(node.op) && found.length > 0) layers.push([]);
    layers.at(-1)?.push(...found);
  }
  const count = layers.length - 1;
  if (count === 0) {
    throw new AppError(
      "spec-invalid",
      "meta-saliency moves a model's weights, and this one has none before its scores",
    );
  }
  if (which === "all") return [...new Set(layers.flat())];
  if (which.last > count) {
    throw new AppError(
      "spec-invalid",
      `meta-saliency was to move the last ${which.last} layers with weights, and the model has ${count}`,
      { layers: count },
    );
  }
  return [...new Set(layers.slice(-which.last).flat())];
}

function weightsOf(node: Node): readonly Value[] {
  if (node.domain !== "" || !Object.hasOwn(trained, node.op)) return [];
  return (trained[node.op] ?? []).flatMap((i) => {
    const value = node.inputs[i];
    const isWeight = value?.constant !== undefined && isTrained(node, value.constant);
    return value && isWeight ? [value] : [];
  });
}

const isTrained = (node: Node, { dtype, dims }: Constant): boolean =>
  floatTypes.has(dtype) && !(formulas.has(node.op) && volume(dims) === 1);
