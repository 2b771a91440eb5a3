/** @file Finding one's way in a graph: who makes a value, who reads it, what lies between. Changes nothing. */
import type { Graph, Node, Value } from "./ir.ts";

export { nearest } from "../nearest.ts";

/** What a node reads: its inputs that are there, and what its subgraphs capture. */
export const read = (node: Node): readonly Value[] =>
  [...node.inputs, ...(node.captured ?? [])].filter((v) => v !== null);

/** What a node makes. */
export const made = (node: Node): readonly Value[] => node.outputs.filter((v) => v !== null);

/** The node that makes each value; graph inputs and constants have none. */
export function producers(graph: Pick<Graph, "nodes">): ReadonlyMap<Value, Node> {
  return new Map(graph.nodes.flatMap((node) => made(node).map((value) => [value, node] as const)));
}

/** The nodes that read each value, in graph order, each once. Values nobody reads are not in the map. */
export function consumers(graph: Pick<Graph, "nodes">): ReadonlyMap<Value, readonly Node[]> {
  const found = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    for (const value of new Set(read(node))) {
      const readers = found.get(value);
      if (readers === undefined) found.set(value, [node]);
      else readers.push(node);
    }
  }
  return found;
}

/** Every tensor by its name: inputs, constants that are read, and what nodes make. */
export function namedValues(graph: Graph): ReadonlyMap<string, Value> {
  const values = [...graph.inputs, ...graph.nodes.flatMap((n) => [...read(n), ...made(n)]), ...graph.outputs];
  return new Map(values.map((v) => [v.name, v]));
}

/** The nodes on paths from any of `from` to any of `to`, in the order given, which must be topological. */
export function between(nodes: readonly Node[], from: Iterable<Value>, to: Iterable<Value>): readonly Node[] {
  const reached = new Set(from);
  const forward = nodes.filter((node) => {
    const touched = read(node).some((v) => reached.has(v));
    if (touched) for (const value of made(node)) reached.add(value);
    return touched;
  });
  return upstream(forward, to);
}

/** The nodes that any of `to` depends on, in the order given, which must be topological. */
export function upstream(nodes: readonly Node[], to: Iterable<Value>): readonly Node[] {
  const needed = new Set(to);
  const kept = nodes.toReversed().filter((node) => {
    const wanted = made(node).some((v) => needed.has(v));
    if (wanted) for (const value of read(node)) needed.add(value);
    return wanted;
  });
  return kept.reverse();
}
