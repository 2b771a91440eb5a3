/** @file Linear maps along one axis: the adjoint of resizing, mirroring and other fixed recombinations of positions. */

import { int, string } from "../graph/attributes.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import { dtypeOf, rankOf } from "../graph/builder.ts";
import type { Value } from "../graph/ir.ts";

/**
 * Moves `axis` last, applies `matrix` ([from, to]) to it, and moves it back: out[.., j, ..] = sum_i x[.., i, ..] m[i,
 * j].
 */
export function contractAxis(g: GraphBuilder, x: Value, axis: number, matrix: Value): Value {
  const rank = rankOf(x);
  if (axis === rank - 1) return g.matmul(x, matrix);
  const swap = Array.from({ length: rank }, (_, i) => (i === axis ? rank - 1 : i === rank - 1 ? axis : i));
  return g.transpose(g.matmul(g.transpose(x, swap), matrix), swap);
}

/**
 * Zeros of `like`'s shape with `updates` added at `indices` along `axis`; positions named twice add up. 16-bit types go
 * through float32, because the runtime adds no others.
 */
export function scatterAdd(g: GraphBuilder, like: Value, indices: Value, updates: Value, axis: number): Value {
  const dtype = dtypeOf(like);
  const wide = dtype === "float16" || dtype === "bfloat16" ? "float32" : dtype;
  const zeros = g.cast(g.zerosLike(like), wide);
  const attributes = { axis: int(axis), reduction: string("add") };
  return g.cast(g.node("ScatterElements", [zeros, indices, g.cast(updates, wide)], attributes), dtype);
}

/** Normalises a possibly negative axis. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);
