/**
 * @file The mean of something over many versions of a tensor of the model, as one Loop: the model's nodes stand in the
 *   file twice, however many samples there are, and a run needs the memory of one. Measured in wasm with SqueezeNet 1.1
 *   at 224 x 224, down to the image: 8 samples take 0.66 s (8 runs of one image 0.56 s, a batch of 8 0.58 s, neither
 *   with the model's own run); 16 samples 317 MB of process, one image 293, a batch of 16 675.
 */
import { emptyGraph, GraphBuilder, typeOf } from "../graph/builder.ts";
import { int64s } from "../graph/constant.ts";
import type { Attribute, Graph, Value } from "../graph/ir.ts";
import { made, read } from "../graph/walk.ts";
import { type At, recompute } from "./recompute.ts";

export interface Samples {
  readonly count: number;
  /** What a tensor that varies is in sample `i`, an int64 scalar. */
  readonly varied: ReadonlyMap<Value, (b: GraphBuilder, i: Value) => Value>;
  /** What stands in the place of tensors in all samples alike. */
  readonly replaced: ReadonlyMap<Value, Value>;
}

/**
 * @param needed tensors of the model that `compute` asks for
 * @param compute builds what is averaged, in the loop's body
 * @param like values of the shapes and types of what is averaged
 */
export function meanOver(
  g: GraphBuilder,
  graph: Graph,
  { count, varied, replaced }: Samples,
  needed: readonly Value[],
  compute: (b: GraphBuilder, at: At) => readonly Value[],
  like: readonly Value[],
): readonly Value[] {
  // Names in a body must differ from all outside: the count of nodes so far makes each loop's prefix its own.
  const prefix = `backlight/loop${g.nodes.length}/`;
  const b = new GraphBuilder({ ...emptyGraph(graph.opset), name: "sample" }, prefix);
  const i = b.input(`${prefix}i`, { dtype: "int64", shape: [] });
  const go = b.input(`${prefix}go`, { dtype: "bool", shape: [] });
  const sums = like.map((v, k) => b.input(`${prefix}sum${k}`, typeOf(v)));
  const sample = [...varied].map(([v, by]) => [v, by(b, i)] as const);
  const at = recompute(b, graph, new Map([...replaced, ...sample]), needed);
  const terms = compute(b, at);
  const next = sums.map((sum, k) => b.named(b.add(sum, terms[k] ?? sum), `${prefix}next${k}`));
  const { body, captured } = closed(g, graph, b.build([b.named(go, `${prefix}on`), ...next]));
  const attributes = new Map<string, Attribute>([["body", { kind: "graph", value: body }]]);
  const trips = g.constant(int64s([], [count]), "samples");
  const inputs = [trips, null, ...like.map(g.zerosLike.bind(g))];
  const totals = g.emit({ op: "Loop", domain: "", name: "", inputs, attributes, captured }, like.length);
  return totals.map((total) => g.scale(total, 1 / count));
}

/**
 * The body with what it reads from outside. Tensors of the model are read through a node of ours, so that one inside a
 * fusion can be replaced there.
 */
function closed(
  g: GraphBuilder,
  graph: Graph,
  body: Graph,
): { readonly body: Graph; readonly captured: readonly Value[] } {
  const own = new Set([...body.inputs, ...body.nodes.flatMap(made)]);
  const ofModel = new Set(graph.nodes.flatMap(made));
  const outside = new Map<Value, Value>();
  for (const v of body.nodes.flatMap(read)) {
    if (!own.has(v) && !outside.has(v)) outside.set(v, ofModel.has(v) ? g.identity(v) : v);
  }
  const nodes = body.nodes.map((node) => ({ ...node, inputs: node.inputs.map((v) => v && (outside.get(v) ?? v)) }));
  return { body: { ...body, nodes }, captured: [...outside.values()] };
}
