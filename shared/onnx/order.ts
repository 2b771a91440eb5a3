/** @file Puts nodes in topological order. */
import { AppError } from "../errors.ts";
import { describe } from "../graph/attributes.ts";
import type { Node, Value } from "../graph/ir.ts";

/** The values a node waits for. */
const needs = (node: Node): readonly (Value | null)[] => [...node.inputs, ...(node.captured ?? [])];

/**
 * The nodes in topological order: as they are where they already are in one, as the file's order allows where not.
 * Throws `model-malformed` with the cycle where there is none.
 */
export function inTopologicalOrder(nodes: readonly Node[]): readonly Node[] {
  const producers = new Map<Value, number>();
  nodes.forEach((node, i) => {
    for (const output of node.outputs) if (output !== null) producers.set(output, i);
  });
  const before = nodes.map((node) =>
    needs(node).flatMap((v) => {
      const producer = v === null ? undefined : producers.get(v);
      return producer === undefined ? [] : [producer];
    }),
  );
  if (before.every((producing, i) => producing.every((p) => p < i))) return nodes;
  return sorted(before).flatMap((i) => nodes[i] ?? []);

  /** Depth first without recursion: a chain may be as long as the file. */
  function sorted(edges: readonly (readonly number[])[]): readonly number[] {
    const order: number[] = [];
    const state: ("open" | "done" | undefined)[] = edges.map(() => undefined);
    for (let root = 0; root < edges.length; root++) {
      if (state[root] !== undefined) continue;
      state[root] = "open";
      const path = [{ node: root, next: 0 }];
      for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
        const child = edges[top.node]?.[top.next++];
        if (child === undefined) {
          state[top.node] = "done";
          order.push(top.node);
          path.pop();
        } else if (state[child] === "open") {
          failCycle(path.map((p) => p.node).slice(path.findIndex((p) => p.node === child)));
        } else if (state[child] === undefined) {
          state[child] = "open";
          path.push({ node: child, next: 0 });
        }
      }
    }
    return order;
  }

  function failCycle(cycle: readonly number[]): never {
    // The path goes from consumer to producer; data flows the other way. A few nodes are enough to find it.
    const names = [...cycle].reverse().map((i) => (nodes[i] ? describe(nodes[i]) : ""));
    const shown = names.length <= 6 ? names : [...names.slice(0, 5), `... (${names.length} nodes in all)`];
    throw new AppError("model-malformed", `the model's nodes form a cycle: ${shown.join(" => ")} => ${names[0] ?? ""}`);
  }
}
