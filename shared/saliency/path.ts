/** @file The part of a graph between the image and the objective: what lies on it, what passes it, what it costs. */

import { isDifferentiable } from "../autodiff/backward.ts";
import { rules } from "../autodiff/rules.ts";
import { getInt } from "../graph/attributes.ts";
import type { Graph, Node, Value } from "../graph/ir.ts";
import { producers } from "../graph/walk.ts";

export interface Path {
  /** Tensors on some way from image to objective, in the order they are computed; the image first. */
  readonly tensors: readonly Value[];
  readonly producer: ReadonlyMap<Value, Node>;
  /**
   * Share of the ways from image to objective that pass a tensor, in (0, 1]: 1 means all that the objective knows of
   * the image went through it (the output of a stage, not a branch inside it).
   */
  readonly share: ReadonlyMap<Value, number>;
  /** Multiply-adds of the backward pass from the objective down to a tensor, relative to the model's forward pass. */
  readonly cost: ReadonlyMap<Value, number>;
}

export function pathBetween(graph: Graph, image: Value, objective: Value): Path {
  const nodes = graph.nodes.filter((n) => n.domain !== "" || rules[n.op]?.kind !== "flat");
  const edges = (node: Node): readonly (readonly [Value, Value])[] =>
    node.inputs.flatMap((x) =>
      x && !x.constant ? node.outputs.flatMap((y) => (y && isDifferentiable(y) ? [[x, y] as const] : [])) : [],
    );
  // Logarithms of the number of ways: a deep residual net has more than a double can count.
  const fromImage = new Map<Value, number>([[image, 0]]);
  for (const node of nodes) {
    for (const [x, y] of edges(node)) {
      const ways = fromImage.get(x);
      if (ways !== undefined) fromImage.set(y, logSum(fromImage.get(y), ways));
    }
  }
  const toObjective = new Map<Value, number>([[objective, 0]]);
  const onPath: Node[] = [];
  for (const node of [...nodes].reverse()) {
    let on = false;
    for (const [x, y] of edges(node)) {
      const ways = toObjective.get(y);
      if (ways === undefined || !fromImage.has(x)) continue;
      toObjective.set(x, logSum(toObjective.get(x), ways));
      on = true;
    }
    if (on) onPath.push(node);
  }
  const all = fromImage.get(objective) ?? Number.NEGATIVE_INFINITY;
  const tensors = [image, ...graph.nodes.flatMap((n) => n.outputs)].filter(
    (v): v is Value => v !== null && fromImage.has(v) && toObjective.has(v),
  );
  const share = new Map(
    tensors.map((v) => [v, Math.exp((fromImage.get(v) ?? 0) + (toObjective.get(v) ?? 0) - all)] as const),
  );
  return { tensors, producer: producers(graph), share, cost: costs(graph, onPath, tensors) };
}

const logSum = (a: number | undefined, b: number): number => {
  if (a === undefined) return b;
  const [high, low] = a > b ? [a, b] : [b, a];
  return high + Math.log1p(Math.exp(low - high));
};

/**
 * `onPath` is in reverse order of computation. A tensor needs the gradient of every consumer on the path, and theirs.
 */
function costs(graph: Graph, onPath: readonly Node[], tensors: readonly Value[]): ReadonlyMap<Value, number> {
  const forward = graph.nodes.reduce((sum, n) => sum + multiplyAdds(n), 0);
  const below = new Map<Node, number>();
  // Backward work done once the sweep has gone past a node, in the sweep's own order: an upper bound for tensors on
  // side branches, exact for tensors everything passes.
  let total = 0;
  for (const node of onPath) {
    total += multiplyAdds(node);
    below.set(node, total);
  }
  const consumers = new Map<Value, number>();
  for (const node of onPath)
    for (const x of node.inputs) if (x) consumers.set(x, Math.max(consumers.get(x) ?? 0, below.get(node) ?? 0));
  return new Map(tensors.map((v) => [v, forward === 0 ? 0 : (consumers.get(v) ?? 0) / forward]));
}

/** Multiply-adds of the products a node computes; 0 for everything elementwise. Symbolic extents count as 1. */
function multiplyAdds(node: Node): number {
  const size = (v: Value | null | undefined): number =>
    v?.type?.shape.reduce<number>((n, d) => n * (typeof d === "number" ? d : 1), 1) ?? 0;
  const [x, w] = node.inputs;
  const [y] = node.outputs;
  const inner = (axis: number): number => {
    const dim = x?.type?.shape.at(axis);
    return typeof dim === "number" ? dim : 1;
  };
  switch (node.op) {
    case "Conv":
      return (size(y) * size(w)) / Math.max(1, Number(w?.type?.shape[0] ?? 1));
    case "ConvTranspose":
      return (size(x) * size(w)) / Math.max(1, Number(w?.type?.shape[0] ?? 1));
    case "Gemm":
      return size(y) * inner(getInt(node, "transA", 0) ? 0 : 1);
    case "MatMul":
      return size(y) * inner(-1);
    default:
      return 0;
  }
}
