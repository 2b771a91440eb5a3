/** @file A part of the model computed a second time, from other weights or another image. */
import { AppError } from "../errors.ts";
import { describe } from "../graph/attributes.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Graph, Node, Value } from "../graph/ir.ts";
import { between } from "../graph/walk.ts";

/** Where a value of the model is in the second computation; what does not change is the model's own. */
export type At = (value: Value) => Value;

/**
 * Adds the nodes between the replaced values and the needed ones once more, reading the replacements.
 *
 * @param corrected what stands for a value of the model instead of its copy, if anything
 * @throws AppError `model-unsupported` where one holds a graph of its own
 */
export function recompute(
  g: GraphBuilder,
  graph: Graph,
  replaced: ReadonlyMap<Value, Value>,
  needed: readonly Value[],
  corrected: (value: Value, copy: Value, at: At) => Value = (_, copy) => copy,
): At {
  const now = new Map(replaced);
  const at = (value: Value): Value => now.get(value) ?? value;
  for (const node of between(graph.nodes, replaced.keys(), needed)) {
    // A replaced value stands for itself, also where its maker reads another replaced one.
    if (node.outputs.every((v) => v === null || replaced.has(v))) continue;
    expectPlain(node);
    const made = g.emit({ ...node, name: "", inputs: node.inputs.map((v) => v && at(v)) }, node.outputs.length);
    for (const [i, value] of node.outputs.entries()) {
      const copy = made[i];
      if (value && copy && !replaced.has(value)) now.set(value, corrected(value, copy, at));
    }
  }
  return at;
}

function expectPlain(node: Node): void {
  if (node.captured === undefined || node.captured.length === 0) return;
  throw new AppError(
    "model-unsupported",
    `the model is to be computed a second time, and ${describe(node)} holds graphs of its own that read it by name`,
    { node: node.name },
  );
}
