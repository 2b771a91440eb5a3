/** @file Subgraphs of If, Loop and Scan: kept byte for byte, read only for the names they take from outside. */
import { AppError } from "../errors.ts";
import { decode } from "./decode.ts";
import { type AttributeProto, type GraphProto, graphProto, type NodeProto } from "./schema.ts";

/** How deep control flow may nest; each level reads its bytes once more. */
const nestingMax = 16;

/** The graphs that stand in a node's attributes, one level deep. */
export const subgraphsOf = (attributes: readonly AttributeProto[]): readonly GraphProto[] =>
  attributes
    .flatMap((a) => [...(a.g === undefined ? [] : [a.g]), ...(a.graphs ?? [])])
    .map((bytes) => decode(graphProto, bytes));

/** The names of outer tensors that the node's subgraphs read. */
export function capturedNames(node: NodeProto, depth = 0): ReadonlySet<string> {
  const names = new Set<string>();
  for (const graph of checkedSubgraphs(node, depth)) {
    const own = new Set([...(graph.input ?? []), ...(graph.initializer ?? [])].map((v) => v.name ?? ""));
    const nodes = graph.node ?? [];
    for (const name of nodes.flatMap((n) => n.output ?? [])) own.add(name);
    const used = [
      ...nodes.flatMap((n) => [...(n.input ?? []), ...capturedNames(n, depth + 1)]),
      ...(graph.output ?? []).map((v) => v.name ?? ""),
    ];
    for (const name of used) if (name !== "" && !own.has(name)) names.add(name);
  }
  return names;
}

/** Every node in the node's subgraphs, at any depth. */
export const nodesWithin = (node: NodeProto, depth = 0): readonly NodeProto[] =>
  checkedSubgraphs(node, depth)
    .flatMap((g) => g.node ?? [])
    .flatMap((n) => [n, ...nodesWithin(n, depth + 1)]);

function checkedSubgraphs(node: NodeProto, depth: number): readonly GraphProto[] {
  const graphs = subgraphsOf(node.attribute ?? []);
  if (graphs.length > 0 && depth >= nestingMax) {
    throw new AppError(
      "model-malformed",
      `control flow is nested more than ${nestingMax} deep at "${node.name ?? ""}"`,
    );
  }
  return graphs;
}
