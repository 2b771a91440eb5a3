/**
 * @file The inner step of meta-saliency, in the graph: the loss of the class and its gradient in the weights, the
 *   weights after one step, and the net computed again with them. What is explained at that net is not known here.
 */
import { backward } from "../../autodiff/backward.ts";
import { oneHot } from "../../autodiff/one-hot.ts";
import { AppError } from "../../errors.ts";
import { int } from "../../graph/attributes.ts";
import { dtypeOf, extent, type GraphBuilder, rankOf, shapeOf } from "../../graph/builder.ts";
import { constantOf } from "../../graph/constant.ts";
import type { Graph, Value } from "../../graph/ir.ts";
import { recompute } from "../recompute.ts";
import type { Scores } from "../scores.ts";
import type { MetaSpec } from "../spec.ts";
import { implicitLayers, squaredGradient, stepAt } from "./implicit.ts";
import { parametersOf } from "./parameters.ts";

/** `auto` steps so far that the loss changes by this share of it to first order: far enough to see, near enough to be
 * the gradient's doing (tests hold the true change to within a quarter of the promised one). */
export const autoShare = 0.1;
/**
 * From here on eps is multiplied into the loss's gradient at the scores, so that every weight's comes out as its step
 * and no weight is multiplied again. A smaller one (or 0) would take squares of gradients out of float32's range.
 */
const seedStepMin = 1e-8;

/** Outputs of the explainer that say what the step did, float32 [1] each. */
export const metaOutputs = {
  /** eps */
  step: "meta/step",
  /** CE at the model's weights */
  before: "meta/loss-before",
  /** CE at the stepped weights */
  after: "meta/loss-after",
  /** |dCE/dtheta|^2 over the weights that move */
  slope: "meta/gradient-squared",
} as const;

/** The stepped net, as part of the graph that is built. */
export interface Stepped {
  /** A tensor of the model, as it is in the stepped net. */
  readonly at: (value: Value) => Value;
  /** The weights that move, and where each has moved to. */
  readonly replaced: ReadonlyMap<Value, Value>;
  /** The stepped weights that are written down. */
  readonly weights: readonly Value[];
  /** What the step made: constants to whoever differentiates the stepped net. */
  readonly constants: ReadonlySet<Value>;
  /** eps dCE/dw of each weight where eps is on the seed, else dCE/dw; and what that has still to be multiplied by. */
  readonly steps: readonly Value[];
  readonly factor: Value | null;
  /** The gradient of the model's weights and of the tensors asked for, scaled as `steps` are. */
  readonly gradients: ReadonlyMap<Value, Value>;
  readonly report: Readonly<Record<keyof typeof metaOutputs, Value>>;
}

/**
 * @param scores the logits the loss is taken of: of a dense output the mean loss over its locations
 * @param index int64 [1], the class
 * @param inner tensors of the model whose gradient in the loss is wanted too
 * @param needed tensors of the model that are wanted in the stepped net
 * @param materialised whether every stepped weight must be there as a tensor; else layers are stepped implicitly where
 *   that is less work
 */
export function takeStep(
  g: GraphBuilder,
  graph: Graph,
  meta: MetaSpec,
  at: {
    readonly scores: Scores;
    readonly index: Value;
    readonly inner: readonly Value[];
    readonly needed: readonly Value[];
    readonly materialised: boolean;
  },
): Stepped {
  const { scores, index, inner, needed } = at;
  const all = parametersOf(graph, scores.value, meta.weights);
  expectPrecision(all);
  const implicit = at.materialised ? [] : implicitLayers(graph, all);
  const weights = all.filter((w) => implicit.every((layer) => layer.weight !== w));
  const onSeed = meta.step !== "auto" && meta.step >= seedStepMin ? meta.step : 1;
  const signed = meta.sign === "descent" ? onSeed : -onSeed;
  const loss = lossOf(g, scores, index);
  const seed = g.scale(loss.gradient, signed);
  const wanted = [...weights, ...inner, ...implicit.map((layer) => layer.y)];
  const found = backward(g, new Map([[scores.value, seed]]), wanted);
  const gradients = new Map(wanted.map((v, i) => [v, found[i] ?? v]));
  const gradientAt = (v: Value): Value => gradients.get(v) ?? v;
  const steps = weights.map(gradientAt);
  const squares = g.node("Sum", [
    ...steps.map((step) => sumOfSquares(g, step)),
    ...implicit.map((layer) => squaredGradient(g, layer, gradientAt(layer.y))),
  ]);
  const slope = g.scale(one(g, squares), 1 / (onSeed * onSeed));
  const eps = meta.step === "auto" ? automaticStep(g, loss.value, slope) : oneOf(g, meta.step, scores.value);
  const factor = onSeed === 1 ? eps : null;
  const moved = weights.map((w, i) => {
    const step = steps[i] ?? w;
    return g.sub(w, factor ? g.mul(step, factor) : step);
  });
  const replaced = new Map(weights.map((w, i) => [w, moved[i] ?? w]));
  const held = implicit.map((layer) => ({ ...layer, x: g.identity(layer.x) }));
  const touched = new Map([...replaced, ...implicit.map(({ weight }) => [weight, weight] as const)]);
  const steppedAt = recompute(g, graph, touched, [scores.value, ...needed], (y, copy, there) => {
    const i = implicit.findIndex((layer) => layer.y === y);
    const [layer, own] = [held[i], implicit[i]];
    return layer && own ? g.add(copy, stepAt(g, layer, gradientAt(y), there(own.x), factor)) : copy;
  });
  const after = lossOf(g, { ...scores, value: steppedAt(scores.value) }, index);
  return {
    at: steppedAt,
    replaced,
    weights: moved,
    steps,
    factor,
    constants: new Set([...moved, ...held.flatMap((layer) => [layer.x, gradientAt(layer.y)])]),
    gradients,
    report: { step: eps, before: loss.value, after: after.value, slope },
  };
}

/** A step of 1e-4 of a weight is below what 16 bits can tell apart. */
function expectPrecision(weights: readonly Value[]): void {
  const coarse = weights.find((w) => dtypeOf(w) !== "float32" && dtypeOf(w) !== "float64");
  if (coarse === undefined) return;
  throw new AppError(
    "model-unsupported",
    `meta-saliency moves each weight by a small fraction of it, and "${coarse.name}" is ${dtypeOf(coarse)}, ` +
      "whose rounding is coarser than such a step; use the model in float32",
    { weight: coarse.name },
  );
}

interface Loss {
  /** [1] */
  readonly value: Value;
  /** Of the scores' shape. */
  readonly gradient: Value;
}

/** CE = -log softmax(scores)_c and its gradient, softmax - onehot; means over the locations of dense scores. */
function lossOf(g: GraphBuilder, { value, axis }: Scores, index: Value): Loss {
  const logs = g.node("LogSoftmax", [value], { axis: int(axis) });
  const own = g.gather(logs, index, axis);
  const all = Array.from({ length: rankOf(own) }, (_, i) => i);
  const locations = shapeOf(own).reduce<number>((n, _, i) => n * extent(own, i), 1);
  return {
    value: one(g, g.neg(g.mean(own, all, false))),
    gradient: g.scale(g.sub(g.exp(logs), oneHot(g, value, axis, index)), 1 / locations),
  };
}

const one = (g: GraphBuilder, v: Value): Value => g.reshape(v, [1]);
const oneOf = (g: GraphBuilder, number: number, like: Value): Value =>
  g.constant(constantOf(dtypeOf(like), [1], [number]), "step");

const sumOfSquares = (g: GraphBuilder, v: Value): Value => g.node("ReduceSumSquare", [v], { keepdims: int(0) });

/** autoShare loss / |gradient|^2: to first order the loss changes by eps |gradient|^2. 0 where there is no gradient. */
function automaticStep(g: GraphBuilder, loss: Value, slope: Value): Value {
  const zero = g.scalar(0, dtypeOf(slope));
  return g.where(g.node("Greater", [slope, zero]), g.div(g.scale(loss, autoShare), slope), zero);
}
