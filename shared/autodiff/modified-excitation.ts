/**
 * @file Excitation backprop (Zhang et al. 2016; method.md 6): the backward pass carries probabilities. A weighted layer
 *   hands the signal p of each output to its inputs in proportion to their excitatory part of it, x W+:
 *   p' = x * (W+)^T (p / (W+ x)). That is a distribution only where x is not negative, so nets where it may be are
 *   refused, at the layer it happens.
 */
import { describe } from "../graph/attributes.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import { dtypeOf } from "../graph/builder.ts";
import type { Node, Value } from "../graph/ir.ts";
import { isNonNegative } from "./modified-sign.ts";
import { rules } from "./rules.ts";
import { cannotDifferentiate, type Entry, pointwise, type RuleTable, refused, rule, type Site } from "./vjp.ts";

const weighted: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);

/** Whether a node is a layer with weights: what contrastive excitation backprop negates the last of. */
export const isWeighted = (node: Node): boolean =>
  node.domain === "" && weighted.has(node.op) && weightsOf(node, new Set()) !== undefined;

/** Which input the weights are: of a product the constant one, of a convolution the second whatever makes it. */
function weightsOf(
  node: Node,
  computed: ReadonlySet<Value>,
): { readonly at: 0 | 1; readonly value: Value } | undefined {
  const [left, right] = node.inputs;
  const isWeight = (v: Value): boolean => v.constant !== undefined || computed.has(v);
  if (right && (node.op.startsWith("Conv") || isWeight(right))) return { at: 1, value: right };
  return left && isWeight(left) ? { at: 0, value: left } : undefined;
}

/** p / y, and 0 where y is 0: no input excited that output, so it has nobody to give its signal to. */
function ratio(g: GraphBuilder, p: Value, y: Value): Value {
  const zero = g.scalar(0, dtypeOf(y));
  return g.where(g.node("Equal", [y, zero]), zero, g.div(p, y));
}

function expectNonNegative(g: GraphBuilder, node: Node, x: Value): void {
  if (isNonNegative(g, x)) return;
  const maker = g.producer(x);
  const why = maker ? `${describe(maker)} can make it` : "nothing says that the model's input is not";
  throw cannotDifferentiate(
    node,
    `excitation backprop shares a signal out over inputs that are never negative, and "${x.name}" may be (${why})`,
  );
}

/** The true rule's pullback of input `at`, for another node and gradient. */
function pulled(site: Site, node: Node, y: Value, dy: Value, at: number): Value {
  const entry = rules[node.op];
  if (entry?.kind !== "rule") throw new TypeError(`${node.op} has a rule`);
  const x = (i: number): Value => node.inputs[i] ?? y;
  const optional = (i: number): Value | null => node.inputs[i] ?? null;
  const pullback = entry.pull({ g: site.g, node, x, optional, y: () => y, dy, dyAt: () => dy })[at];
  if (!pullback) throw new TypeError(`${node.op} has a gradient at input ${at}`);
  return pullback();
}

/** x * (W+)^T (p / (W+ x)), W+ the positive part of the weights or of their negation; no bias. */
function shared(site: Site, weights: { readonly at: 0 | 1; readonly value: Value }, negated: boolean): Value {
  const { g, node, x, dy } = site;
  const data = weights.at === 1 ? 0 : 1;
  const positive = g.relu(negated ? g.neg(weights.value) : weights.value);
  const inputs = weights.at === 1 ? [x(0), positive] : [positive, x(1)];
  // Gemm's factors on the product cancel; a negative one would swap excitation and inhibition, and no exporter has any.
  const attributes = new Map([...node.attributes].filter(([name]) => name !== "alpha" && name !== "beta"));
  const [y] = g.emit({ ...node, name: "", inputs, attributes }, 1);
  const product = y && g.producer(y);
  if (!y || !product) throw new TypeError(`${node.op} has an output`);
  return g.mul(x(data), pulled(site, product, y, ratio(g, dy, y), data));
}

export interface ExcitationOptions {
  /**
   * The output of the last weighted layer, for the contrastive form: below it the signal is p - q, q being that of the
   * layer's negated weights.
   */
  readonly contrast?: Value;
  /** Weights that are no constants but computed, by a step of training. */
  readonly computed?: ReadonlySet<Value>;
}

const layer = ({ contrast, computed = new Set() }: ExcitationOptions): Entry =>
  rule((site) => {
    const { g, node, x, y } = site;
    const weights = weightsOf(node, computed);
    const pull = (data: 0 | 1) => (): Value => {
      if (!weights || weights.at === data) {
        throw cannotDifferentiate(node, "excitation backprop has no rule for the product of two computed tensors");
      }
      expectNonNegative(g, node, x(data));
      const p = shared(site, weights, false);
      return y() === contrast ? g.sub(p, shared(site, weights, true)) : p;
    };
    return [pull(0), pull(1)];
  });

/** A mean, as a layer whose weights are all the same: p' = x * A^T (p / A x). */
const mean = (op: string): Entry => {
  const entry = rules[op];
  if (entry?.kind !== "rule") throw new TypeError(`${op} has a rule`);
  return {
    ...entry,
    pull: (site) => [
      () => {
        const { g, node, x, y, dy } = site;
        expectNonNegative(g, node, x(0));
        const share = ratio(g, dy, y());
        const [pullback] = entry.pull({ ...site, dy: share, dyAt: () => share });
        if (!pullback) throw new TypeError(`${op} has a gradient`);
        return g.mul(x(0), pullback());
      },
    ],
  };
};

/** A sum of tensors shares the signal out in proportion to them; what is added to all images alike is a bias. */
const sum = pointwise(({ g, node, x, y, dy }) =>
  node.inputs.map((_, i) => () => {
    const others = node.inputs.filter((v, j) => j !== i && v?.constant === undefined);
    return others.length === 0 ? dy : g.mul(x(i), ratio(g, dy, y()));
  }),
);

/** A factor a channel is a BatchNormalization spelled out: the signal passes as it is. */
const factor = pointwise(({ node, dy }) =>
  node.inputs.map((_, i) => () => {
    if (node.inputs.every((v, j) => j === i || v?.constant !== undefined)) return dy;
    throw cannotDifferentiate(node, "excitation backprop has no rule for the product of two computed tensors");
  }),
);

const statistics = refused("excitation backprop has no rule for a normalisation by the image's own statistics");

/** The table of excitation backprop. What is not here (activations, max pooling, moves) has the true rule. */
export const excitation = (options: ExcitationOptions = {}): RuleTable => ({
  ...rules,
  Conv: layer(options),
  ConvTranspose: layer(options),
  Gemm: layer(options),
  MatMul: layer(options),
  AveragePool: mean("AveragePool"),
  GlobalAveragePool: mean("GlobalAveragePool"),
  ReduceMean: mean("ReduceMean"),
  Add: sum,
  Sum: sum,
  Mul: factor,
  Div: factor,
  BatchNormalization: rule(({ dy }) => [() => dy]),
  LayerNormalization: statistics,
  InstanceNormalization: statistics,
  GroupNormalization: statistics,
});
