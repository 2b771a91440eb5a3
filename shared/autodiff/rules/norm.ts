/** @file Rules of normalisations and softmaxes. */
import { getFloat, getInt } from "../../graph/attributes.ts";
import { dtypeOf, extent, type GraphBuilder, rankOf, shapeOf } from "../../graph/builder.ts";
import { constantOf, float32s } from "../../graph/constant.ts";
import type { Value } from "../../graph/ir.ts";
import { axisOf } from "../axis.ts";
import { cannotDifferentiate, flat, type RuleTable, rule, type Site } from "../vjp.ts";
import { scaleByCount } from "./reduce.ts";

/** [C] to [C, 1, ..], so that it broadcasts against [N, C, ..]. */
const perChannel = (g: GraphBuilder, v: Value, like: Value): Value =>
  rankOf(like) === 2
    ? v
    : g.reshape(v, [
        -1,
        ...shapeOf(like)
          .slice(2)
          .map(() => 1),
      ]);

/** s / sqrt(var + eps) as a constant [C, 1, ..], where it is one: what reads it can then fold it into its weights. */
function batchScale(g: GraphBuilder, scale: Value, variance: Value, epsilon: number, like: Value): Value | null {
  if (scale.constant?.dtype !== "float32" || variance.constant?.dtype !== "float32") return null;
  const [s, v] = [float32s(scale.constant), float32s(variance.constant)];
  const factors = s.map((a, i) => a / Math.sqrt((v[i] ?? 0) + epsilon));
  return g.constant(
    constantOf(
      "float32",
      [
        factors.length,
        ...shapeOf(like)
          .slice(2)
          .map(() => 1),
      ],
      factors,
    ),
    "scale",
  );
}

const allButChannel = (v: Value): readonly number[] => shapeOf(v).flatMap((_, i) => (i === 1 ? [] : [i]));

/** How x was normalised over `axes`: xhat = (x - mean) / sqrt(variance + epsilon). */
interface Normalised {
  readonly xhat: Value;
  readonly inverse: Value;
}

function normalise(g: GraphBuilder, x: Value, axes: readonly number[], epsilon: number): Normalised {
  const centred = g.sub(x, g.mean(x, axes));
  const variance = g.mean(g.mul(centred, centred), axes);
  const inverse = g.node("Reciprocal", [g.sqrt(g.add(variance, g.scalar(epsilon, dtypeOf(x))))]);
  return { xhat: g.mul(centred, inverse), inverse };
}

/** dx of y = xhat, given d xhat: inverse (d - mean(d) - xhat mean(d xhat)), means over the normalised axes. */
function throughNormalisation(
  g: GraphBuilder,
  { xhat, inverse }: Normalised,
  d: Value,
  axes: readonly number[],
): Value {
  const mean = (v: Value): Value => scaleByCount(g, g.sum(v, axes), xhat, axes);
  return g.mul(inverse, g.sub(g.sub(d, mean(d)), g.mul(xhat, mean(g.mul(d, xhat)))));
}

const softmaxAxis = ({ node, y }: Site): readonly number[] => [axisOf(getInt(node, "axis", -1), rankOf(y()))];

export const norm = {
  // Inference: y = (x - mean) s / sqrt(var + eps) + b, with mean and var fixed
  BatchNormalization: rule(({ g, node, x, dy }) => {
    if (getInt(node, "training_mode", 0) === 1) throw cannotDifferentiate(node, "it is in training mode");
    const epsilon = getFloat(node, "epsilon", 1e-5);
    const variance = g.add(x(4), g.scalar(epsilon, dtypeOf(x(4))));
    const deviation = g.sqrt(variance);
    const total = (v: Value): Value => g.sum(v, allButChannel(x(0)), false);
    const centred = (): Value => g.sub(x(0), perChannel(g, x(3), x(0)));
    return [
      () => g.mul(dy, batchScale(g, x(1), x(4), epsilon, x(0)) ?? perChannel(g, g.div(x(1), deviation), x(0))),
      () => g.div(total(g.mul(dy, centred())), deviation),
      () => total(dy),
      () => g.neg(g.mul(total(dy), g.div(x(1), deviation))),
      () => g.scale(g.mul(total(g.mul(dy, centred())), g.div(x(1), g.mul(variance, deviation))), -0.5),
    ];
  }),

  // The node's own Mean and InvStdDev are asked for, so nothing is normalised twice.
  LayerNormalization: rule(({ g, node, x, y, dy, dyAt }) => {
    const rank = rankOf(x(0));
    const from = axisOf(getInt(node, "axis", -1), rank);
    const axes = Array.from({ length: rank - from }, (_, i) => from + i);
    const inverse = (): Value => g.cast(g.output(y(), 2), dtypeOf(x(0)));
    const xhat = (): Value => g.mul(g.sub(x(0), g.cast(g.output(y(), 1), dtypeOf(x(0)))), inverse());
    return [
      () => {
        const d = throughNormalisation(g, { xhat: xhat(), inverse: inverse() }, g.mul(dy, x(1)), axes);
        // Where the model itself reads them: dmean/dx = 1/n, d inverse/dx = -inverse^2 xhat / n
        const share = (i: number): Value => scaleByCount(g, g.cast(dyAt(i), dtypeOf(x(0))), x(0), axes);
        const withMean = node.outputs[1] ? g.add(d, share(1)) : d;
        if (!node.outputs[2]) return withMean;
        return g.sub(withMean, g.mul(share(2), g.mul(g.mul(inverse(), inverse()), xhat())));
      },
      () => g.mul(dy, xhat()), // the sweep sums over the leading axes
      () => dy,
    ];
  }),

  // y = x / sqrt(mean(x^2) + eps) s
  RMSNormalization: rule(({ g, node, x, dy }) => {
    const rank = rankOf(x(0));
    const from = axisOf(getInt(node, "axis", -1), rank);
    const axes = Array.from({ length: rank - from }, (_, i) => from + i);
    const square = g.mean(g.mul(x(0), x(0)), axes);
    const inverse = g.node("Reciprocal", [
      g.sqrt(g.add(square, g.scalar(getFloat(node, "epsilon", 1e-5), dtypeOf(x(0))))),
    ]);
    const xhat = g.mul(x(0), inverse);
    return [
      () => {
        const d = g.mul(dy, x(1));
        return g.mul(inverse, g.sub(d, g.mul(xhat, g.mean(g.mul(d, xhat), axes))));
      },
      () => g.mul(dy, xhat),
    ];
  }),

  InstanceNormalization: rule(({ g, node, x, dy }) => {
    const axes = Array.from({ length: rankOf(x(0)) - 2 }, (_, i) => i + 2);
    const normalised = normalise(g, x(0), axes, getFloat(node, "epsilon", 1e-5));
    return [
      () => throughNormalisation(g, normalised, g.mul(dy, perChannel(g, x(1), x(0))), axes),
      () => g.sum(g.mul(dy, normalised.xhat), allButChannel(x(0)), false),
      () => g.sum(dy, allButChannel(x(0)), false),
    ];
  }),

  // Channels in groups: [N, C, ..] seen as [N, G, C/G * ..]. Scale and bias are one per channel (opset 21) or group
  // (18).
  GroupNormalization: rule(({ g, node, x, dy }) => {
    const groups = getInt(node, "num_groups", 1);
    const grouped = (v: Value): Value => g.reshape(v, [0, groups, -1]);
    const normalised = normalise(g, grouped(x(0)), [2], getFloat(node, "epsilon", 1e-5));
    const perGroup = shapeOf(x(1))[0] === groups;
    const scaled = perGroup
      ? g.mul(grouped(dy), g.reshape(x(1), [groups, 1]))
      : grouped(g.mul(dy, perChannel(g, x(1), x(0))));
    const total = (v: Value): Value => g.sum(v, perGroup ? [0, 2] : allButChannel(x(0)), false);
    const regroup = (v: Value): Value => (perGroup ? grouped(v) : v);
    return [
      () => g.reshapeLike(throughNormalisation(g, normalised, scaled, [2]), x(0)),
      () => total(regroup(g.mul(dy, g.reshapeLike(normalised.xhat, x(0))))),
      () => total(regroup(dy)),
    ];
  }),

  // y = x s^-b, s = k + a/n sum over a window of n channels of x^2:
  // dx = dy s^-b - 2ab/n x W^T(dy y / s), the window sum W written as a 1x1 convolution with a band matrix
  LRN: rule(({ g, node, x, y, dy }) => [
    () => {
      const size = getInt(node, "size", 1);
      const [alpha, beta] = [getFloat(node, "alpha", 1e-4), getFloat(node, "beta", 0.75)];
      const channels = extent(x(0), 1);
      const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
      const band = (from: number, to: number): Value => {
        const inside = Float64Array.from({ length: channels * channels }, (_, k) => {
          const offset = (k % channels) - Math.floor(k / channels);
          return offset >= -from && offset <= to ? 1 : 0;
        });
        return g.constant(constantOf(dtypeOf(x(0)), [channels, channels, ...spatial(x(0)).map(() => 1)], inside));
      };
      const windowSum = g.node("Conv", [g.mul(x(0), x(0)), band(before, after)]);
      const s = g.add(g.scale(windowSum, alpha / size), g.scalar(getFloat(node, "bias", 1), dtypeOf(x(0))));
      const direct = g.mul(dy, g.node("Pow", [s, g.scalar(-beta, dtypeOf(x(0)))]));
      const shared = g.node("Conv", [g.div(g.mul(dy, y()), s), band(after, before)]);
      return g.sub(direct, g.scale(g.mul(x(0), shared), (2 * alpha * beta) / size));
    },
  ]),

  // y = x / |x|, with 0 where the norm is 0
  LpNormalization: rule((site) => {
    const { g, node, x, y, dy } = site;
    const axes = [axisOf(getInt(node, "axis", -1), rankOf(x(0)))];
    const p = getInt(node, "p", 2);
    return [
      () => {
        const norm = g.node(p === 1 ? "ReduceL1" : "ReduceL2", [x(0), g.int64(axes)]);
        const zero = g.node("Equal", [norm, g.scalar(0, dtypeOf(x(0)))]);
        const safe = g.where(zero, g.scalar(1, dtypeOf(x(0))), norm);
        const towards = p === 1 ? g.sign(x(0)) : y();
        return g.div(g.sub(dy, g.mul(towards, g.sum(g.mul(dy, y()), axes))), safe);
      },
    ];
  }),

  // dx = y (dy - sum(dy y))
  Softmax: rule((site) => {
    const { g, y, dy } = site;
    return [() => g.mul(y(), g.sub(dy, g.sum(g.mul(dy, y()), softmaxAxis(site))))];
  }),
  // dx = dy - softmax sum(dy)
  LogSoftmax: rule((site) => {
    const { g, y, dy } = site;
    return [() => g.sub(dy, g.mul(g.exp(y()), g.sum(dy, softmaxAxis(site))))];
  }),
  Hardmax: flat("the function is constant wherever it is continuous"),
} satisfies RuleTable;

const spatial = (v: Value): readonly unknown[] => shapeOf(v).slice(2);
