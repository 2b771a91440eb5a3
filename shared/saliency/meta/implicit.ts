/**
 * @file Layers whose step is taken without writing their stepped weights down. A weight gradient is a product of the
 *   gradient G at the layer's output and its input X, so W'x' = Wx' - G (X^T x'): with few locations that costs less
 *   than the gradient itself, needs no copy of the weights, and is exact for any step. The backward pass through it is
 *   the same trick, and follows from the rules of what is written here.
 */
import { spatialExtents, type Window, windowOf } from "../../autodiff/window.ts";
import { getFloat, getInt, int } from "../../graph/attributes.ts";
import { type GraphBuilder, isStatic, rankOf, shapeOf } from "../../graph/builder.ts";
import { volume } from "../../graph/constant.ts";
import type { Graph, Node, Value } from "../../graph/ir.ts";
import { consumers } from "../../graph/walk.ts";

/** A layer that is stepped implicitly. */
export interface Implicit {
  readonly node: Node;
  readonly weight: Value;
  readonly x: Value;
  readonly y: Value;
}

/**
 * Products of locations are made three times: for |gradient|^2, in the stepped forward pass and in the backward one.
 */
const uses = 3;

/** The layers for which that is less work than the gradient of their weights. */
export function implicitLayers(graph: Graph, weights: readonly Value[]): readonly Implicit[] {
  const readers = consumers(graph);
  return weights.flatMap((weight) => {
    const [node, ...others] = readers.get(weight) ?? [];
    const [x, w] = node?.inputs ?? [];
    const [y] = node?.outputs ?? [];
    if (!node || others.length > 0 || !x || x.constant || w !== weight || !y?.type || !x.type) return [];
    if (![x, y].every((v) => isStatic(shapeOf(v)) && shapeOf(v)[0] === 1)) return [];
    return pays(node, x, y, weight) ? [{ node, weight, x, y }] : [];
  });
}

function pays(node: Node, x: Value, y: Value, weight: Value): boolean {
  if (node.domain !== "" || node.inputs.filter((v) => v === weight).length !== 1) return false;
  const size = (v: Value): number => volume(shapeOf(v).map(Number));
  if (node.op === "Gemm") {
    return getInt(node, "transA", 0) === 0 && uses * (size(x) + size(y)) < size(weight);
  }
  if (node.op !== "Conv" || getInt(node, "group", 1) !== 1 || rankOf(x) < 3) return false;
  const [inputs, outputs] = [Number(shapeOf(x)[1]), Number(shapeOf(y)[1])];
  const locations = volume(spatialExtents(y));
  const positions = volume(paddedExtents(windowOf(node, x, spatialExtents(weight)), x));
  return uses * (positions ** 2 * inputs + locations ** 2 * outputs) < size(weight) * locations;
}

const paddedExtents = (w: Window, x: Value): readonly number[] =>
  spatialExtents(x).map((n, i) => n + (w.begin[i] ?? 0) + (w.end[i] ?? 0));

/** |dW|^2 = sum_uv <g_u, g_v> <p_u, p_v>, p_u the patch of x that location u sees. Rank 0. */
export function squaredGradient(g: GraphBuilder, layer: Implicit, dy: Value): Value {
  const rows = layer.node.op === "Gemm" ? dy : locationsOf(g, dy);
  const similar = layer.node.op === "Gemm" ? g.matmul(rows, transposed(g, rows)) : g.matmul(transposed(g, rows), rows);
  const alpha = getFloat(layer.node, "alpha", 1);
  return g.scale(g.sum(g.mul(similar, patchProducts(g, layer, layer.x)), [0, 1], false), alpha * alpha);
}

/** What the step adds to the layer's output at input `there`: -G (X^T x'), times the factor where there is one. */
export function stepAt(g: GraphBuilder, layer: Implicit, dy: Value, there: Value, factor: Value | null): Value {
  const { node, y, x } = layer;
  const products = patchProducts(g, { ...layer, x }, there);
  const alpha = getFloat(node, "alpha", 1);
  const back = g.scale(factor ? g.mul(products, factor) : products, -alpha * alpha);
  if (node.op === "Gemm") return g.mul(back, dy);
  return g.reshape(g.matmul(locationsOf(g, dy), back), shapeOf(y).map(Number));
}

/** <p_u, p'_v> of every location u of the layer's own input with every location v of another one: [L, L]. */
function patchProducts(g: GraphBuilder, { node, x, weight }: Implicit, there: Value): Value {
  if (node.op === "Gemm") return g.matmul(x, transposed(g, there));
  const w = windowOf(node, x, spatialExtents(weight));
  const extents = paddedExtents(w, x);
  const padded = (v: Value): Value => locationsOf(g, g.pad(v, [0, 0, ...w.begin, 0, 0, ...w.end]));
  const points = g.node("Gemm", [padded(x), padded(there)], { transA: int(1) });
  const outputs = extents.map((n, i) => {
    const span = ((w.kernel[i] ?? 1) - 1) * (w.dilations[i] ?? 1) + 1;
    return Math.floor((n - span) / (w.strides[i] ?? 1)) + 1;
  });
  if (volume(w.kernel) === 1 && volume(outputs) === volume(extents)) return points;
  // A tap of the kernel moves both locations alike.
  const grid = g.reshape(points, [...extents, ...extents]);
  const axes = [...extents, ...extents].map((_, i) => i);
  const strides = [...w.strides, ...w.strides];
  const taps = Array.from({ length: volume(w.kernel) }, (_, t) => {
    const at = w.kernel.map((k, i) => (Math.floor(t / volume(w.kernel.slice(i + 1))) % k) * (w.dilations[i] ?? 1));
    const ends = at.map((s, i) => s + ((outputs[i] ?? 1) - 1) * (w.strides[i] ?? 1) + 1);
    return g.slice(grid, [...at, ...at], [...ends, ...ends], axes, strides);
  });
  return g.reshape(taps.reduce(g.add), [volume(outputs), volume(outputs)]);
}

/** [1, C, ..] to [C, L]. */
const locationsOf = (g: GraphBuilder, v: Value): Value => g.reshape(v, [Number(shapeOf(v)[1]), -1]);
const transposed = (g: GraphBuilder, v: Value): Value => g.transpose(v, [1, 0]);
