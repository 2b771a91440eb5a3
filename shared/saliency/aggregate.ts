/**
 * @file Aggregate (paper, section 3.2): from what was extracted at a location to one number. One row a function; names,
 *   help, the grid and pictures all follow from the table, so a new function is a new row and nothing else.
 */
import type { GraphBuilder } from "../graph/builder.ts";
import type { Value } from "../graph/ir.ts";
import { channelMax, channelSum } from "./channels.ts";

/** An aggregation function of the contributions c of a location. */
export interface Aggregation {
  /** What it computes, as the documentation has it. */
  readonly formula: string;
  /** Whether it can be negative, so that zero means something and pictures need a diverging scale. */
  readonly signed: boolean;
  /** Of one contribution a channel: [N, K, ...spatial] to [N, 1, ...spatial]. */
  readonly each: (g: GraphBuilder, c: Value) => Value;
  /**
   * Of every product a b of an entry a of the gradient and an entry b of the patch, without ever forming them. Left
   * out where there is no closed form: the function then exists for `bias` and `scaling` only.
   */
  readonly products?: (p: Products) => Value;
}

/**
 * The products c = a b at each location: a from the gradient's channels, b from the patch of activations it saw. Within
 * each group of channels every a meets every b (one group, or a group a channel for depthwise layers).
 */
export interface Products {
  readonly g: GraphBuilder;
  readonly a: Factor;
  readonly b: Factor;
  /** From one number a group to one a location. */
  readonly sumOfGroups: (v: Value) => Value;
  readonly maxOfGroups: (v: Value) => Value;
}

/** One side of the products, reduced to one number a group after `of` was applied to each entry. */
export interface Factor {
  readonly sum: (of?: (v: Value) => Value) => Value;
  /** `of` must map 0 to a value at most 0 or be applied to entries of either sign: padding counts as entries of 0. */
  readonly max: (of?: (v: Value) => Value) => Value;
  readonly min: () => Value;
}

const square =
  (g: GraphBuilder) =>
  (v: Value): Value =>
    g.mul(v, v);
const larger = (g: GraphBuilder, a: Value, b: Value): Value => (a === b ? a : g.node("Max", [a, b]));

export const aggregations = {
  sum: {
    formula: "Σ c",
    signed: true,
    each: (g, c) => channelSum(g, c),
    products: ({ g, a, b, sumOfGroups }) => sumOfGroups(g.mul(a.sum(), b.sum())),
  },
  "positive-sum": {
    formula: "max(0, Σ c)",
    signed: false,
    each: (g, c) => g.relu(channelSum(g, c)),
    products: ({ g, a, b, sumOfGroups }) => g.relu(sumOfGroups(g.mul(a.sum(), b.sum()))),
  },
  "sum-abs": {
    formula: "Σ |c|",
    signed: false,
    each: (g, c) => channelSum(g, g.abs(c)),
    products: ({ g, a, b, sumOfGroups }) => sumOfGroups(g.mul(a.sum(g.abs), b.sum(g.abs))),
  },
  norm: {
    formula: "‖c‖₂",
    signed: false,
    each: (g, c) => g.sqrt(channelSum(g, square(g)(c))),
    products: ({ g, a, b, sumOfGroups }) => g.sqrt(sumOfGroups(g.mul(a.sum(square(g)), b.sum(square(g))))),
  },
  "filter-norm": {
    formula: "‖max(c, 0)‖₂",
    signed: false,
    each: (g, c) => g.sqrt(channelSum(g, square(g)(g.relu(c)))),
    // ab is positive where both are positive or both negative.
    products: ({ g, a, b, sumOfGroups }) => {
      const positive = (v: Value): Value => square(g)(g.relu(v));
      const negative = (v: Value): Value => square(g)(g.relu(g.neg(v)));
      return g.sqrt(
        sumOfGroups(g.add(g.mul(a.sum(positive), b.sum(positive)), g.mul(a.sum(negative), b.sum(negative)))),
      );
    },
  },
  max: {
    formula: "max c",
    signed: true,
    each: (g, c) => channelMax(g, c),
    // The largest product is one of extremes.
    products: ({ g, a, b, maxOfGroups }) => {
      const ends = [b.max(), b.min()];
      const corners = [a.max(), a.min()].flatMap((p) => ends.map((q) => g.mul(p, q)));
      return maxOfGroups(corners.reduce((p, q) => larger(g, p, q)));
    },
  },
  "max-abs": {
    formula: "max |c|",
    signed: false,
    each: (g, c) => channelMax(g, g.abs(c)),
    products: ({ g, a, b, maxOfGroups }) => maxOfGroups(g.mul(a.max(g.abs), b.max(g.abs))),
  },
} satisfies Readonly<Record<string, Aggregation>>;

export type Aggregate = keyof typeof aggregations;
// The keys of a literal object are exactly its type's.
export const aggregates = Object.keys(aggregations) as readonly Aggregate[];
