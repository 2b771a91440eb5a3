/**
 * @file Meta-saliency differentiated through its own step (method.md 5.3). A virtual weight phi of the layer is there
 * in
 *   both evaluations, so d/dphi f(theta - eps dCE/dtheta) is the contribution at the stepped net less
 *   eps d/dphi <dCE/dtheta, v>, v = df/dtheta at the stepped weights: a product of derivatives in the direction v.
 */
import { backward } from "../../autodiff/backward.ts";
import { AppError } from "../../errors.ts";
import type { GraphBuilder } from "../../graph/builder.ts";
import type { Value } from "../../graph/ir.ts";
import { aggregations } from "../aggregate.ts";
import { aggregated, type HeadSite } from "../heads.ts";
import type { ExplainSpec } from "../spec.ts";
import type { Stepped } from "./step.ts";

/** One product of a layer's contribution: a gradient and what it is multiplied with at each location. */
export interface Term {
  readonly dy: Value;
  readonly x: Value;
}

/** @throws AppError `spec-invalid` for methods that are no function of the layer's contributions */
export function expectSecondOrder({ method }: ExplainSpec): void {
  const { average, head, rules } = method;
  const refuse = (what: string): AppError =>
    new AppError(
      "spec-invalid",
      `the full variant of meta-saliency differentiates contributions through the step, and ${what}; ` +
        "use the variant stop-gradient",
    );
  if (average !== undefined) throw refuse(`an average over samples (${average}) is no function of them`);
  if (average) throw refuse(`${average} averages over other images than the one the step was taken on`);
  if (rules !== "true") throw refuse(`a modified backward pass (${rules}) has no derivative to take`);
  if (head.kind !== "grid") throw refuse(`${head.kind} averages gradients before it multiplies them`);
  const elementwise = head.extract === "bias" || head.extract === "scaling";
  if (!elementwise && head.aggregate !== "norm" && head.aggregate !== "sum") {
    throw refuse(`${head.extract}:${head.aggregate} has no closed form over a sum of products`);
  }
}

/**
 * The further terms of each layer's contribution: c = g' x'^T + h x^T + g k^T, g = dCE/dx, h = -eps dg/dt and
 * k = -eps dx/dt along theta + t v. With S = <dCE/dtheta, v> both come from one sweep over forward and backward pass:
 * dS/dx, for S sees whatever is added to x; and dS/dg, for the gradients below the layer are linear in g with dx/dt
 * as the factor.
 *
 * @param directions v of each stepped weight
 * @param sites the layer, where its gradient is, and the tensor its activations are read from
 */
export function secondOrderTerms(
  g: GraphBuilder,
  stepped: Stepped,
  directions: readonly Value[],
  sites: readonly { readonly layer: Value; readonly read: Value }[],
): readonly (readonly Term[])[] {
  const seeds = new Map<Value, Value>();
  stepped.steps.forEach((step, i) => {
    const v = directions[i];
    const others = seeds.get(step); // two biases of one sum have one gradient
    if (v) seeds.set(step, others ? g.add(others, v) : v);
  });
  const gradientAt = (v: Value): Value => stepped.gradients.get(v) ?? v;
  const wanted = [...new Set(sites.flatMap(({ layer, read }) => [layer, gradientAt(read)]))];
  const found = new Map(backward(g, seeds, wanted).map((d, i) => [wanted[i] ?? d, d]));
  // -eps times it, where eps is not in the step already
  const back = (v: Value): Value => {
    const d = g.neg(found.get(v) ?? v);
    return stepped.factor ? g.mul(d, stepped.factor) : d;
  };
  return sites.map(({ layer, read }) => [
    { dy: back(layer), x: read },
    { dy: gradientAt(layer), x: back(gradientAt(read)) },
  ]);
}

/**
 * The map of a contribution that is a sum of products. Norm: |sum_i a_i b_i^T|^2 = sum_ij <a_i, a_j> <b_i, b_j>, each
 * of which is the `sum` map of the elementwise products.
 */
export function secondOrderMap(site: HeadSite, further: readonly Term[], { method }: ExplainSpec): Value {
  const { head } = method;
  if (head.kind !== "grid") throw new TypeError("other heads were refused");
  const { extract, aggregate } = head;
  const { g } = site;
  const terms: readonly Term[] = [site, ...further];
  const total = (values: readonly Value[]): Value => values.reduce(g.add);
  const elementwise = (c: Value): Value => aggregated({ ...site, dy: c }, "bias", aggregations[aggregate], aggregate);
  // A bias is multiplied with ones, which no step changes.
  if (extract === "bias") return elementwise(total(terms.slice(0, 2).map((t) => t.dy)));
  if (extract === "scaling") return elementwise(total(terms.map((t) => g.mul(t.dy, t.x))));
  const sumMap = (dy: Value, x: Value): Value => aggregated({ ...site, dy, x }, extract, aggregations.sum, "sum");
  if (aggregate === "sum") return total(terms.map((t) => sumMap(t.dy, t.x)));
  const square = total(
    terms.flatMap((a, i) =>
      terms.slice(i).map((b, j) => g.scale(sumMap(g.mul(a.dy, b.dy), g.mul(a.x, b.x)), j === 0 ? 1 : 2)),
    ),
  );
  return g.sqrt(g.relu(square)); // rounding may leave a square just below 0
}
