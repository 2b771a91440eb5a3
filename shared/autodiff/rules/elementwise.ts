/** @file Rules of elementwise operators with several operands. Broadcasting is undone by the sweep, never here. */
import { dtypeOf } from "../../graph/builder.ts";
import { numbers } from "../../graph/constant.ts";
import type { Value } from "../../graph/ir.ts";
import { flat, pointwise, type RuleTable, type Site } from "../vjp.ts";

const comparison = flat("a comparison is constant wherever it is continuous");
const logic = flat("a logical value has no gradient");

/** Shares dy equally among the operands that attain the extremum, as ReduceMax and ReduceMin do. */
const extremum = pointwise(({ g, node, x, y, dy }: Site) => {
  const dtype = dtypeOf(y());
  const attains = (i: number): Value => g.cast(g.node("Equal", [x(i), y()]), dtype);
  return node.inputs.map((_, i) => () => {
    if (node.inputs.length === 1) return dy;
    const count = node.inputs.map((_, j) => attains(j)).reduce(g.add);
    return g.div(g.mul(dy, attains(i)), count);
  });
});

/** The one number a constant operand consists of, if it does. */
function uniform(value: Value): number | undefined {
  const { constant } = value;
  if (!constant || constant.bytes.byteLength > 8) return undefined;
  return numbers(constant)[0];
}

export const elementwise = {
  Add: pointwise(({ dy }) => [() => dy, () => dy]),
  Sub: pointwise(({ g, dy }) => [() => dy, () => g.neg(dy)]),
  Mul: pointwise(({ g, x, dy }) => [() => g.mul(dy, x(1)), () => g.mul(dy, x(0))]),
  // y = a / b:  da = dy / b,  db = -dy y / b
  Div: pointwise(({ g, x, y, dy }) => [() => g.div(dy, x(1)), () => g.neg(g.mul(dy, g.div(y(), x(1))))]),
  Sum: pointwise(({ node, dy }) => node.inputs.map(() => () => dy)),
  Mean: pointwise(({ g, node, dy }) => node.inputs.map(() => () => g.scale(dy, 1 / node.inputs.length))),
  Max: extremum,
  Min: extremum,
  Where: pointwise(({ g, x, y, dy }) => {
    const zero = g.scalar(0, dtypeOf(y()));
    return [null, () => g.where(x(0), dy, zero), () => g.where(x(0), zero, dy)];
  }),
  // y = a^b:  da = dy b a^(b-1),  db = dy y log(a), and 0 where a is not positive
  Pow: pointwise(({ g, x, y, dy }) => {
    const dtype = dtypeOf(y());
    const exponent = (): Value => g.cast(x(1), dtype);
    return [
      () => {
        const b = uniform(x(1));
        if (b === 2) return g.mul(g.scale(dy, 2), x(0));
        if (b === 1) return dy;
        const slope = g.node("Pow", [x(0), g.sub(exponent(), g.scalar(1, dtype))]);
        return g.mul(g.mul(dy, exponent()), slope);
      },
      () => {
        const positive = g.node("Greater", [x(0), g.scalar(0, dtype)]);
        const log = g.node("Log", [g.where(positive, x(0), g.scalar(1, dtype))]);
        return g.mul(g.mul(dy, y()), log);
      },
    ];
  }),
  // x < 0 takes the slope's side; x = 0 the other.
  PRelu: pointwise(({ g, x, y, dy }) => {
    const zero = g.scalar(0, dtypeOf(y()));
    const negative = (): Value => g.node("Less", [x(0), zero]);
    return [() => g.where(negative(), g.mul(dy, x(1)), dy), () => g.where(negative(), g.mul(dy, x(0)), zero)];
  }),
  // A value strictly inside passes its gradient; one outside passes it to the bound it was moved to.
  Clip: pointwise(({ g, x, y, optional, dy }) => {
    const zero = g.scalar(0, dtypeOf(y()));
    const at = (op: string, i: 1 | 2) => () => {
      const bound = optional(i);
      return bound === null ? g.zerosLike(y()) : g.where(g.node(op, [x(0), bound]), dy, zero);
    };
    return [
      () => {
        const inside = insideBounds(g, y(), optional(1), optional(2));
        return inside === null ? dy : g.mul(dy, g.sign(inside));
      },
      at("Less", 1),
      at("Greater", 2),
    ];
  }),
  Equal: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  IsNaN: comparison,
  IsInf: comparison,
  And: logic,
  Or: logic,
  Xor: logic,
  Not: logic,
} satisfies RuleTable;

/** From here on a float32 bound bounds nothing: exporters write +-FLT_MAX for "none", and products with it overflow. */
const unboundedFrom = 3e38;

/**
 * Positive strictly inside the bounds, 0 at them; null where there are none. Written on the output y = clip(x): reading
 * x would break the runtime's fusion of the Clip with what is before it.
 */
function insideBounds(g: Site["g"], y: Value, low: Value | null, high: Value | null): Value | null {
  const bounds = (bound: Value | null): bound is Value => {
    const number = bound === null ? Number.POSITIVE_INFINITY : uniform(bound);
    return bound !== null && !(number !== undefined && Math.abs(number) >= unboundedFrom);
  };
  const above = (bound: Value): Value => (uniform(bound) === 0 ? y : g.sub(y, bound));
  if (bounds(low) && bounds(high)) return g.mul(above(low), g.sub(high, y));
  if (bounds(low)) return above(low);
  if (bounds(high)) return g.sub(high, y);
  return null;
}
