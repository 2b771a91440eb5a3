/** @file The objective: the gradient of the asked-for scalar, with respect to its scores and from there down. */
import { backward } from "../autodiff/backward.ts";
import { oneHot, startFromClass } from "../autodiff/one-hot.ts";
import type { RuleTable } from "../autodiff/vjp.ts";
import { int } from "../graph/attributes.ts";
import { type GraphBuilder, shapeOf } from "../graph/builder.ts";
import type { Value } from "../graph/ir.ts";
import { isFinal, type Scores } from "./scores.ts";
import type { ExplainSpec, Objective } from "./spec.ts";
import { evidenceOf, type Target, type TargetTerm } from "./target.ts";

/**
 * The gradient of the objective with respect to each wanted tensor.
 *
 * @param frozen values taken as constants
 */
export function differentiate(
  g: GraphBuilder,
  { value, axis }: Scores,
  target: Target,
  spec: Pick<ExplainSpec, "objective">,
  wanted: readonly Value[],
  table: RuleTable,
  frozen?: ReadonlySet<Value>,
): readonly Value[] {
  const sweep = (seeds: ReadonlyMap<Value, Value>): readonly Value[] => backward(g, seeds, wanted, table, frozen);
  // The model's own probability is a score like any other.
  const objective = spec.objective === "probability" && isFinal(g, value) ? "logit" : spec.objective;
  const [only, ...others] = target.terms;
  if (objective === "logit" && only?.coefficient === null && others.length === 0) {
    const { seeds, passed } = startFromClass(g, value, axis, only.index, new Set(wanted), table);
    const found = sweep(seeds);
    return wanted.map((w, i) => {
      const own = passed.get(w) ?? found[i] ?? w;
      return g.expandLike(own, w);
    });
  }
  // The region is where the scores are read, not a function of them.
  const site = { value, axis, region: target.region };
  const seed = target.terms.map((term) => weighted(g, seedOf(g, objective, { ...site, ...term }), term)).reduce(g.add);
  return sweep(new Map([[value, seed]]));
}

/** Times the coefficient of each image. */
const weighted = (g: GraphBuilder, seed: Value, { coefficient }: TargetTerm): Value =>
  coefficient === null
    ? seed
    : g.mul(
        seed,
        g.reshape(
          coefficient,
          shapeOf(seed).map((_, i) => (i === 0 ? -1 : 1)),
        ),
      );

interface SeedSite {
  readonly value: Value;
  readonly axis: number;
  readonly region: Value | null;
  readonly index: Value;
}

/** d objective / d scores of one class, of the scores' shape. */
function seedOf(g: GraphBuilder, objective: Objective, site: SeedSite): Value {
  const { value, axis, region, index } = site;
  const hot = oneHot(g, value, axis, index);
  const softmax = (): Value => g.node("Softmax", [value], { axis: int(axis) });
  switch (objective) {
    case "log-softmax": // onehot - softmax
      return g.sub(hot, softmax());
    case "nll":
      return g.sub(softmax(), hot);
    case "probability": {
      // p_c (onehot - p), where the model itself ends in logits
      const p = softmax();
      const own = g.sum(g.mul(p, hot), [axis]);
      return g.mul(own, g.sub(hot, p));
    }
    case "pointing": // softmax over locations of the target's scores
      return g.mul(g.exp(g.sub(value, evidenceOf(g, site, objective, null))), hot);
    case "region": // the share of each location in the mean
      return region ? g.mul(region, hot) : hot;
    case "logit":
      return hot;
    default:
      return objective satisfies never;
  }
}
