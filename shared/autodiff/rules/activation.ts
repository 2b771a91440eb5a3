/**
 * @file Rules of functions of one tensor, element by element. Where the derivative can be had from the output it is:
 * reading a pre-activation would keep the runtime from fusing the activation with the operator before it.
 */
import { float, getFloat, getString } from "../../graph/attributes.ts";
import { dtypeOf } from "../../graph/builder.ts";
import type { Value } from "../../graph/ir.ts";
import { flat, pointwise, type RuleTable, type Site } from "../vjp.ts";

/** dx = dy f'(x), where `slope` writes f'(x). */
const slope = (write: (site: Site, one: Value) => Value) =>
  pointwise((site) => [() => site.g.mul(site.dy, write(site, site.g.scalar(1, dtypeOf(site.y()))))]);

/** dx = dy where the function is the identity, dy * slope below zero. At zero the upper side holds. */
const below = (site: Site, sign: Value, slope: Value): Value =>
  site.g.mul(site.dy, site.g.where(site.g.node("Less", [sign, number(site, 0)]), slope, number(site, 1)));

const number = ({ g, y }: Site, value: number): Value => g.scalar(value, dtypeOf(y()));
const step = flat("the function is constant wherever it is continuous");

export const activation = {
  // The derivative at 0 is 0, as every framework has it; sign(relu(x)) is exactly that.
  Relu: slope(({ g, y }) => g.sign(y())),
  LeakyRelu: pointwise((site) => [
    () => {
      const alpha = getFloat(site.node, "alpha", 0.01);
      return below(site, alpha > 0 ? site.y() : site.x(0), number(site, alpha));
    },
  ]),
  // y = alpha (exp(x) - 1) below zero, so y' = y + alpha
  Elu: pointwise((site) => [
    () => {
      const alpha = getFloat(site.node, "alpha", 1);
      return below(site, alpha > 0 ? site.y() : site.x(0), site.g.add(site.y(), number(site, alpha)));
    },
  ]),
  // y = gamma alpha (exp(x) - 1) below zero, gamma x above
  Selu: pointwise((site) => [
    () => {
      const { g, node, x, y, dy } = site;
      const alpha = getFloat(node, "alpha", 1.6732632423543772);
      const gamma = getFloat(node, "gamma", 1.0507009873554805);
      const negative = g.node("Less", [x(0), number(site, 0)]);
      return g.mul(dy, g.where(negative, g.add(y(), number(site, alpha * gamma)), number(site, gamma)));
    },
  ]),
  // y = alpha (exp(x/alpha) - 1) below zero, so y' = y / alpha + 1
  Celu: pointwise((site) => [
    () => {
      const alpha = getFloat(site.node, "alpha", 1);
      return below(site, site.x(0), site.g.add(site.g.scale(site.y(), 1 / alpha), number(site, 1)));
    },
  ]),
  ThresholdedRelu: pointwise((site) => [
    () => {
      const { g, node, x, dy } = site;
      const alpha = getFloat(node, "alpha", 1);
      return g.where(g.node("Greater", [x(0), number(site, alpha)]), dy, number(site, 0));
    },
  ]),
  Sigmoid: slope(({ g, y }) => g.sub(y(), g.mul(y(), y()))),
  Tanh: slope(({ g, y }, one) => g.sub(one, g.mul(y(), y()))),
  Softplus: slope(({ g, x }) => g.node("Sigmoid", [x(0)])),
  // y = x / (1 + |x|), so 1 / (1 + |x|) = 1 - |y|
  Softsign: slope(({ g, y }, one) => {
    const rest = g.sub(one, g.abs(y()));
    return g.mul(rest, rest);
  }),
  // alpha strictly between 0 and 1, where y - y^2 > 0
  HardSigmoid: slope(({ g, node, y }) => g.scale(g.sign(g.sub(y(), g.mul(y(), y()))), getFloat(node, "alpha", 0.2))),
  // y = x h(x), h = clip(x/6 + 1/2, 0, 1): y' = h + x/6 strictly inside
  HardSwish: slope(({ g, x }) => {
    const h = g.node("HardSigmoid", [x(0)], { alpha: float(1 / 6), beta: float(0.5) });
    return g.add(h, g.mul(g.scale(x(0), 1 / 6), g.sign(g.sub(h, g.mul(h, h)))));
  }),
  // y = x t, t = tanh(softplus(x)): y' = t + x (1 - t^2) sigmoid(x)
  Mish: slope(({ g, x }, one) => {
    const t = g.node("Tanh", [g.node("Softplus", [x(0)])]);
    return g.add(t, g.mul(g.mul(x(0), g.sub(one, g.mul(t, t))), g.node("Sigmoid", [x(0)])));
  }),
  // y = x s, s = sigmoid(alpha x): y' = s + alpha x s (1 - s)
  Swish: slope(({ g, node, x }, one) => {
    const alpha = getFloat(node, "alpha", 1);
    const s = g.node("Sigmoid", [g.scale(x(0), alpha)]);
    return g.mul(s, g.add(one, g.mul(g.scale(x(0), alpha), g.sub(one, s))));
  }),
  Gelu: slope((site, one) => {
    const { g, node, x } = site;
    if (getString(node, "approximate", "none") === "tanh") {
      // y = x/2 (1 + t), t = tanh(u), u = k (x + c x^3): y' = (1 + t)/2 + x/2 (1 - t^2) k (1 + 3 c x^2)
      const [k, c] = [Math.sqrt(2 / Math.PI), 0.044715];
      const square = g.mul(x(0), x(0));
      const t = g.node("Tanh", [g.mul(g.scale(x(0), k), g.add(one, g.scale(square, c)))]);
      const du = g.scale(g.add(one, g.scale(square, 3 * c)), k);
      const inner = g.mul(g.mul(x(0), g.sub(one, g.mul(t, t))), du);
      return g.scale(g.add(g.add(one, t), inner), 0.5);
    }
    // y = x P(x), P the normal distribution: y' = P + x p
    const density = g.scale(g.exp(g.scale(g.mul(x(0), x(0)), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    const distribution = g.scale(g.add(one, g.node("Erf", [g.scale(x(0), Math.SQRT1_2)])), 0.5);
    return g.add(distribution, g.mul(x(0), density));
  }),
  Erf: slope(({ g, x }) => g.scale(g.exp(g.neg(g.mul(x(0), x(0)))), 2 / Math.sqrt(Math.PI))),
  Exp: slope(({ y }) => y()),
  Log: pointwise(({ g, x, dy }) => [() => g.div(dy, x(0))]),
  Sqrt: pointwise(({ g, y, dy }) => [() => g.div(g.scale(dy, 0.5), y())]),
  Abs: slope(({ g, x }) => g.sign(x(0))),
  Neg: pointwise(({ g, dy }) => [() => g.neg(dy)]),
  Reciprocal: slope(({ g, y }) => g.neg(g.mul(y(), y()))),
  Sin: slope(({ g, x }) => g.node("Cos", [x(0)])),
  Cos: slope(({ g, x }) => g.neg(g.node("Sin", [x(0)]))),
  Tan: slope(({ g, y }, one) => g.add(one, g.mul(y(), y()))),
  Asin: slope(({ g, x }, one) => g.div(one, g.sqrt(g.sub(one, g.mul(x(0), x(0)))))),
  Acos: slope(({ g, x }, one) => g.neg(g.div(one, g.sqrt(g.sub(one, g.mul(x(0), x(0))))))),
  Atan: slope(({ g, x }, one) => g.div(one, g.add(one, g.mul(x(0), x(0))))),
  Sinh: slope(({ g, x }) => g.node("Cosh", [x(0)])),
  Cosh: slope(({ g, x }) => g.node("Sinh", [x(0)])),
  Asinh: slope(({ g, x }, one) => g.div(one, g.sqrt(g.add(one, g.mul(x(0), x(0)))))),
  Acosh: slope(({ g, x }, one) => g.div(one, g.sqrt(g.sub(g.mul(x(0), x(0)), one)))),
  Atanh: slope(({ g, x }, one) => g.div(one, g.sub(one, g.mul(x(0), x(0))))),
  Identity: pointwise(({ dy }) => [() => dy]),
  Dropout: pointwise(({ dy }) => [() => dy]), // inference: the identity
  Cast: pointwise(({ g, x, dy }) => [() => g.cast(dy, dtypeOf(x(0)))]),
  Floor: step,
  Ceil: step,
  Round: step,
  Sign: step,
} satisfies RuleTable;
