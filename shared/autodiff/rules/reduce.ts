/** @file Rules of reductions. What is the same at each reduced location stays lazily broadcast (extent 1). */
import { getInt, int } from "../../graph/attributes.ts";
import { dtypeOf, rankOf, shapeOf } from "../../graph/builder.ts";
import { numbers } from "../../graph/constant.ts";
import type { Value } from "../../graph/ir.ts";
import { cannotDifferentiate, flat, lazy, type Rule, type RuleTable, type Site } from "../vjp.ts";

/** The reduced axes, ascending; an empty list where the node is the identity (noop_with_empty_axes). */
function axesOf({ node, x, optional }: Site): readonly number[] {
  const rank = rankOf(x(0));
  const input = optional(1);
  if (input !== null && !input.constant) throw cannotDifferentiate(node, "its axes are computed at run time");
  const axes = input?.constant ? Array.from(numbers(input.constant), (a) => (a < 0 ? a + rank : a)) : [];
  if (axes.length > 0) return axes.sort((a, b) => a - b);
  return getInt(node, "noop_with_empty_axes", 0) === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

/** How many elements each result is made of: a number, or a rank-0 tensor where the extents are symbolic. */
export function scaleByCount(g: Site["g"], v: Value, x: Value, axes: readonly number[]): Value {
  const extents = axes.map((a) => shapeOf(x)[a]);
  if (extents.every((d) => typeof d === "number")) return g.scale(v, 1 / extents.reduce((n, d) => n * d, 1));
  const count = g.node("ReduceProd", [g.gather(g.shapeOf(x), g.int64(axes), 0)], { keepdims: int(0) });
  return g.div(v, g.cast(count, dtypeOf(v)));
}

/** A reduction's rule, written as if `keepdims` were set. */
const reduction = (
  write: (at: { g: Site["g"]; x: Value; y: Value; dy: Value; axes: readonly number[] }) => Value,
): ReturnType<typeof lazy> =>
  lazy(((site) => {
    const { g, node, x, y, dy } = site;
    return [
      () => {
        const axes = axesOf(site);
        const keeps = axes.length === 0 || getInt(node, "keepdims", 1) === 1;
        const kept = (v: Value): Value => (keeps ? v : g.node("Unsqueeze", [v, g.int64(axes)]));
        return write({ g, x: x(0), y: kept(y()), dy: kept(dy), axes });
      },
      null,
    ];
  }) satisfies Rule);

/** Equal shares among the elements that attain the extremum (Danskin; torch.amax). */
const extremum = reduction(({ g, x, y, dy, axes }) => {
  const attains = g.cast(g.node("Equal", [x, y]), dtypeOf(x));
  return g.mul(attains, g.div(dy, g.sum(attains, axes)));
});

export const reduce = {
  ReduceSum: reduction(({ dy }) => dy),
  ReduceMean: reduction(({ g, x, dy, axes }) => scaleByCount(g, dy, x, axes)),
  ReduceMax: extremum,
  ReduceMin: extremum,
  ReduceL1: reduction(({ g, x, dy }) => g.mul(dy, g.sign(x))),
  // 0 where the norm is 0: there x is 0 too
  ReduceL2: reduction(({ g, x, y, dy }) => {
    const zero = g.scalar(0, dtypeOf(x));
    const one = g.scalar(1, dtypeOf(x));
    return g.mul(x, g.div(dy, g.where(g.node("Equal", [y, zero]), one, y)));
  }),
  ReduceSumSquare: reduction(({ g, x, dy }) => g.mul(g.scale(dy, 2), x)),
  ReduceLogSum: reduction(({ g, y, dy }) => g.mul(dy, g.exp(g.neg(y)))),
  ReduceLogSumExp: reduction(({ g, x, y, dy }) => g.mul(dy, g.exp(g.sub(x, y)))),
  // The product of the others: y/x, except where one factor is zero (only it has a gradient) or more are (none has).
  ReduceProd: reduction(({ g, x, dy, axes }) => {
    const [zero, one] = [g.scalar(0, dtypeOf(x)), g.scalar(1, dtypeOf(x))];
    const isZero = g.node("Equal", [x, zero]);
    const others = g.where(isZero, one, x);
    const product = axes.length === 0 ? others : g.node("ReduceProd", [others, g.int64(axes)], { keepdims: int(1) });
    const zeros = g.sum(g.cast(isZero, dtypeOf(x)), axes);
    const onlyThis = g.node("And", [isZero, g.node("Equal", [zeros, one])]);
    const slope = g.where(g.node("Equal", [zeros, zero]), g.div(product, others), g.where(onlyThis, product, zero));
    return g.mul(dy, slope);
  }),
  ArgMax: flat("an index has no gradient"),
  ArgMin: flat("an index has no gradient"),
} satisfies RuleTable;
