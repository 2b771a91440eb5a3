/** @file What every file of cases uses. */
import type { AttributeInput } from "../../../shared/graph/builder.ts";
import type { Value } from "../../../shared/graph/ir.ts";
import type { Bench, GradientCase } from "../../support/check-gradient.ts";

/** Named for the branch it exercises: operator, comma, what is special. */
export type Cases = Readonly<Record<string, GradientCase>>;

/** One node on the inputs as they are. */
export const op =
  (name: string, attributes: AttributeInput = {}) =>
  ({ g }: Bench, ...xs: Value[]): Value =>
    g.node(name, xs, attributes);

/** One node on the inputs, weights of these shapes after them. */
export const withWeights =
  (name: string, shapes: readonly (readonly number[])[], attributes: AttributeInput = {}) =>
  ({ g, weight }: Bench, ...xs: Value[]): Value =>
    g.node(name, [...xs, ...shapes.map((dims) => weight(dims))], attributes);

/** One node on the inputs, int64 inputs (axes, shapes, pads; null: left out) after them. */
export const withIntegers =
  (name: string, lists: readonly (readonly number[] | null)[], attributes: AttributeInput = {}) =>
  ({ g }: Bench, ...xs: Value[]): Value =>
    g.node(name, [...xs, ...lists.map((list) => list && g.int64(list))], attributes);
