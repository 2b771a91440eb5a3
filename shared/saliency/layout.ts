/**
 * @file Which axis of a tensor is what. Operators that fix the meaning of their axes (convolutions, poolings) label
 *   them; the labels spread through everything that keeps or permutes axes. Extents prove nothing: a 3x3 map ends in 3
 *   as well.
 */
import { getInt, getInts } from "../graph/attributes.ts";
import { numbers } from "../graph/constant.ts";
import type { Graph, Node, Shape, Value } from "../graph/ir.ts";
import type { LayerRecord } from "./spec.ts";

/** batch, channel, spatial */
type Label = "n" | "c" | "s";
type Labels = readonly Label[];
export type Layout = LayerRecord["layout"];

/** Operators whose first input and first output are [N, C, ...spatial]. */
const channelsFirst: ReadonlySet<string> = new Set([
  "Conv",
  "ConvTranspose",
  "MaxPool",
  "AveragePool",
  "GlobalAveragePool",
  "GlobalMaxPool",
  "LpPool",
  "InstanceNormalization",
  "GroupNormalization",
  "LRN",
  "DepthToSpace",
  "SpaceToDepth",
  "GridSample",
]);

const rankOf = (v: Value | null | undefined): number | undefined => v?.type?.shape.length;

/** The layout of every tensor whose axes are known, [N, K] vectors excepted. */
export function layouts(graph: Graph): ReadonlyMap<Value, Layout> {
  const labels = new Map<Value, Labels>();
  for (let changed = true; changed; ) {
    changed = false;
    const set = (v: Value | null | undefined, found: Labels | undefined): void => {
      if (!v || !found || labels.has(v) || v.constant || found.length !== rankOf(v)) return;
      labels.set(v, found);
      changed = true;
    };
    for (const node of graph.nodes) spread(node, labels, set, true);
    for (const node of [...graph.nodes].reverse()) spread(node, labels, set, false);
  }
  return new Map([...labels].flatMap(([v, l]) => (layoutOf(l) ? [[v, layoutOf(l) ?? "nchw"] as const] : [])));
}

function layoutOf(labels: Labels): Layout | undefined {
  switch (labels.join("")) {
    case "ncss":
      return "nchw";
    case "nssc":
      return "nhwc";
    case "ncs":
      return "ncl";
    case "nsc":
      return "tokens";
    default:
      return undefined;
  }
}

type Set_ = (v: Value | null | undefined, labels: Labels | undefined) => void;

/** What one node says of its outputs (forward) or of its inputs (backward). */
function spread(node: Node, labels: ReadonlyMap<Value, Labels>, set: Set_, forward: boolean): void {
  const [x] = node.inputs;
  const [y] = node.outputs;
  const [ofX, ofY] = [x ? labels.get(x) : undefined, y ? labels.get(y) : undefined];
  if (channelsFirst.has(node.op)) {
    for (const v of [x, y]) set(v, imageLabels(rankOf(v)));
    return;
  }
  switch (node.op) {
    case "Transpose": {
      const rank = rankOf(x) ?? 0;
      const perm = getInts(node, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
      if (forward) set(y, ofX && perm.map((p) => ofX[p] ?? "s"));
      else set(x, ofY && perm.map((_, i) => ofY[perm.indexOf(i)] ?? "s"));
      return;
    }
    case "Reshape":
      if (forward) set(y, reshaped(ofX, x?.type?.shape, y?.type?.shape));
      else set(x, reshaped(ofY, y?.type?.shape, x?.type?.shape));
      return;
    case "MatMul":
      // Times a weight matrix: the last axis stays the channels.
      if (node.inputs[1] && rankOf(node.inputs[1]) === 2) {
        if (forward) set(y, ofX);
        else set(x, ofY);
      }
      return;
    case "ReduceMean":
    case "ReduceMax":
    case "ReduceSum":
      if (getInt(node, "keepdims", 1) === 1) {
        if (forward) set(y, ofX);
        else set(x, ofY);
      } else if (reducesTokens(node)) {
        set(x, ["n", "s", "c"]);
      }
      return;
    case "Gather":
    case "Expand":
    case "Squeeze":
    case "Unsqueeze":
    case "Flatten":
    case "Einsum":
    case "Gemm":
      return;
    default:
      // Everything else keeps axes where ranks agree: elementwise, Concat, Split, Slice, Pad, normalisations, softmax.
      if (forward) {
        const known = node.inputs.flatMap((v) => (v && labels.has(v) ? [labels.get(v)] : []))[0];
        for (const v of node.outputs) set(v, known);
      } else {
        for (const v of node.inputs) set(v, ofY);
      }
  }
}

const imageLabels = (rank: number | undefined): Labels | undefined =>
  rank === undefined || rank < 3
    ? undefined
    : Array.from({ length: rank }, (_, i) => (i === 0 ? "n" : i === 1 ? "c" : "s"));

/** The mean over axis 1 of a rank-3 tensor: how a ViT without class token pools. */
function reducesTokens(node: Node): boolean {
  const axes = node.inputs[1]?.constant;
  return rankOf(node.inputs[0]) === 3 && axes !== undefined && Array.from(numbers(axes)).join() === "1";
}

/** [N, C, H, W] <-> [N, C, H*W] and the same with channels last; also a spatial axis cut in two. */
function reshaped(labels: Labels | undefined, from: Shape | undefined, to: Shape | undefined): Labels | undefined {
  if (!labels || !from || !to) return undefined;
  if (to.length === 4 && from.length === 4) return from.every((d, i) => d === to[i]) ? labels : undefined;
  const channel = labels.indexOf("c");
  const count = from[channel];
  if (to.length === 3 && from.length === 4) {
    if (channel === 1 && to[1] === count) return ["n", "c", "s"];
    if (channel === 3 && to[2] === count) return ["n", "s", "c"];
  }
  if (to.length === 4 && from.length === 3) {
    if (channel === 1 && to[1] === count) return ["n", "c", "s", "s"];
    if (channel === 2 && to[3] === count && sameProduct(from[1], to[1], to[2])) return ["n", "s", "s", "c"];
  }
  return undefined;
}

/** Heads split channels, not locations: only a product of rows and columns is a map again. */
const sameProduct = (
  all: Shape[number] | undefined,
  rows: Shape[number] | undefined,
  columns: Shape[number] | undefined,
): boolean =>
  typeof all === "number" && typeof rows === "number" && typeof columns === "number" && all === rows * columns;

/** Where the channels and the locations of a layout are. */
export const axesOf: { readonly [L in Layout]: { readonly channel: number; readonly spatial: readonly number[] } } = {
  nchw: { channel: 1, spatial: [2, 3] },
  nhwc: { channel: 3, spatial: [1, 2] },
  ncl: { channel: 1, spatial: [2] },
  tokens: { channel: 2, spatial: [1] },
};

/** The layout to assume of a tensor nothing labels. */
export const assumedLayout = (shape: Shape): Layout | undefined =>
  shape.length === 4 ? "nchw" : shape.length === 3 ? "tokens" : undefined;
