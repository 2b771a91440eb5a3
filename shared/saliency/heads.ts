/**
 * @file Extract and Aggregate (paper, sections 3.1 and 3.2): from a layer's activations and gradients to one number at
 *   each location, in closed form, never through the K x K tensor of contributions. Everything here is channels first,
 *   [N, K, ...spatial]; what comes out is [N, 1, ...spatial].
 */

import { spatialAxes, spatialExtents, type Window, windowAttributes, windowOf } from "../autodiff/window.ts";
import { AppError } from "../errors.ts";
import { int, ints } from "../graph/attributes.ts";
import { extent, type GraphBuilder, rankOf } from "../graph/builder.ts";
import { constantOf, volume } from "../graph/constant.ts";
import type { Node, Value } from "../graph/ir.ts";
import type { Aggregate, Extract, Head } from "./spec.ts";

/** A layer, its gradient, and for `conv-real` the convolution whose output it is. */
export interface HeadSite {
  readonly g: GraphBuilder;
  /** Activations: of the layer, or for `conv-real` the convolution's input. */
  readonly x: Value;
  /** Gradient at the layer. */
  readonly dy: Value;
  readonly conv?: Node;
}

export function saliencyHead(site: HeadSite, head: Head): Value {
  switch (head.kind) {
    case "grid":
      return gridHead(site, head.extract, head.aggregate);
    case "grad-cam":
      return gradCam(site);
    case "grad-cam++":
      return gradCamPlusPlus(site);
    case "layer-cam":
      return layerCam(site);
    default:
      return head satisfies never;
  }
}

/** relu(sum_k mean_u(g_k) x_k). Selvaraju et al. 2017, eq. 1 and 2. */
function gradCam({ g, x, dy }: HeadSite): Value {
  return g.relu(channelSum(g, g.mul(x, g.mean(dy, spatialAxes(dy)))));
}

/** relu(sum_k relu(g_k) x_k). Jiang et al. 2021 (LayerCAM). */
function layerCam({ g, x, dy }: HeadSite): Value {
  return g.relu(channelSum(g, g.mul(x, g.relu(dy))));
}

/**
 * relu(sum_k w_k x_k), w_k = sum_u relu(g) / (2 + S_k relu(g)), S_k = sum_u x. Chattopadhay et al. 2018, exp-score
 * form.
 */
function gradCamPlusPlus({ g, x, dy }: HeadSite): Value {
  const axes = spatialAxes(dy);
  const positive = g.relu(dy);
  const share = g.div(positive, g.add(g.scalar(2), g.mul(g.sum(x, axes), positive)));
  return g.relu(channelSum(g, g.mul(x, g.sum(share, axes))));
}

function gridHead(site: HeadSite, extract: Extract, aggregate: Aggregate): Value {
  const { g, x, dy } = site;
  switch (extract) {
    case "bias":
      return each(g, dy, aggregate);
    case "scaling":
      return each(g, g.mul(dy, x), aggregate);
    case "depthwise3x3":
      return outer(g, dy, x, boxed(g, box3x3(site)), extent(x, 1), aggregate);
    case "conv1x1":
      return outer(g, dy, x, point, 1, aggregate);
    case "conv3x3":
      return outer(g, dy, x, boxed(g, box3x3(site)), 1, aggregate);
    case "conv-real": {
      const window = realWindow(site);
      return outer(g, dy, x, boxed(g, window), window.group, aggregate);
    }
    default:
      return extract satisfies never;
  }
}

// --- patches: what a location sees of the input ------------------------------------------------------------------

/** Reductions over the positions a location's patch covers, per channel; zero padding counts as entries. */
interface Taps {
  readonly sum: (v: Value) => Value;
  readonly max: (v: Value) => Value;
}

/** A 1x1 patch: the location itself. */
const point: Taps = { sum: (v) => v, max: (v) => v };

function boxed(g: GraphBuilder, w: Window): Taps {
  const pads = [...w.begin, ...w.end];
  const attributes = windowAttributes(w, pads);
  return {
    sum: (v) => {
      const channels = extent(v, 1);
      const ones = new Float32Array(channels * volume(w.kernel)).fill(1);
      const kernel = g.constant(constantOf("float32", [channels, 1, ...w.kernel], ones), "ones");
      return g.node("Conv", [v, kernel], { ...attributes, group: int(channels) });
    },
    max: (v) => {
      const padded = g.pad(v, [0, 0, ...w.begin, 0, 0, ...w.end]);
      return g.node(
        "MaxPool",
        [padded],
        windowAttributes(
          w,
          pads.map(() => 0),
        ),
      );
    },
  };
}

const box3x3 = ({ x }: HeadSite): Window => {
  if (rankOf(x) !== 4) {
    throw new AppError(
      "spec-invalid",
      `"${x.name}" has no 2-D map of locations, so 3x3 patches do not exist there; use conv1x1, scaling or bias`,
      { layer: x.name },
    );
  }
  const ones = [1, 1];
  return { kernel: [3, 3], strides: ones, dilations: ones, begin: ones, end: ones, group: 1 };
};

const realWindow = ({ x, conv }: HeadSite): Window => {
  const weights = conv?.inputs[1];
  if (!conv || !weights) throw new TypeError("conv-real needs its convolution");
  return windowOf(conv, x, spatialExtents(weights));
};

// --- contributions c_k: one per channel ----------------------------------------------------------------------------

function each(g: GraphBuilder, c: Value, aggregate: Aggregate): Value {
  switch (aggregate) {
    case "sum":
      return channelSum(g, c);
    case "norm":
      return g.sqrt(channelSum(g, square(g, c)));
    case "filter-norm":
      return g.sqrt(channelSum(g, square(g, g.relu(c))));
    case "max":
      return g.max(c, [1]);
    case "max-abs":
      return g.max(g.abs(c), [1]);
    default:
      return aggregate satisfies never;
  }
}

// --- contributions c_a,b = g_a p_b: every pair, within each group (depthwise: a group a channel) --------------------

/**
 * With S sum, Q sum of squares (Q+ and Q- of the positive and negative part), over the group's channels of g and its
 * patch: sum S(g)S(p); norm sqrt(Q(g)Q(p)); filter-norm sqrt(Q+(g)Q+(p) + Q-(g)Q-(p)); max the largest of the four
 * products of extremes; max-abs max|g| max|p|. Groups add up (sums) or compete (maxima).
 */
function outer(g: GraphBuilder, dy: Value, x: Value, taps: Taps, group: number, aggregate: Aggregate): Value {
  const total = (v: Value): Value => channelSum(g, v, group);
  const most = (v: Value): Value => channelMax(g, v, group);
  const least = (v: Value): Value => (extent(v, 1) === group ? v : g.neg(most(g.neg(v))));
  const overGroups = (v: Value): Value => (group === 1 ? v : channelSum(g, v));
  const squares = (v: Value): Value => total(square(g, v));
  const negative = (v: Value): Value => g.relu(g.neg(v));
  switch (aggregate) {
    case "sum":
      return overGroups(g.mul(total(dy), taps.sum(total(x))));
    case "norm":
      return g.sqrt(overGroups(g.mul(squares(dy), taps.sum(squares(x)))));
    case "filter-norm": {
      const positives = g.mul(squares(g.relu(dy)), taps.sum(squares(g.relu(x))));
      const negatives = g.mul(squares(negative(dy)), taps.sum(squares(negative(x))));
      return g.sqrt(overGroups(g.add(positives, negatives)));
    }
    case "max": {
      const extremes = [taps.max(most(x)), g.neg(taps.max(g.neg(least(x))))];
      const corners = [most(dy), least(dy)].flatMap((a) => extremes.map((b) => g.mul(a, b)));
      const best = corners.reduce((a, b) => larger(g, a, b));
      return group === 1 ? best : g.max(best, [1]);
    }
    case "max-abs": {
      const products = g.mul(most(g.abs(dy)), taps.max(most(g.abs(x))));
      return group === 1 ? products : g.max(products, [1]);
    }
    default:
      return aggregate satisfies never;
  }
}

// --- reductions over channels --------------------------------------------------------------------------------------

const square = (g: GraphBuilder, v: Value): Value => g.mul(v, v);
const larger = (g: GraphBuilder, a: Value, b: Value): Value => (a === b ? a : g.node("Max", [a, b]));

/**
 * [N, K, ..] to [N, group, ..]: the sum over each group's channels, as a 1x1 convolution with ones, which the runtime
 * does about three times faster than a reduction over the strided channel axis.
 */
function channelSum(g: GraphBuilder, v: Value, group = 1): Value {
  const channels = extent(v, 1);
  if (channels === group) return v;
  const per = channels / group;
  const ones = new Float32Array(group * per).fill(1);
  const kernel = g.constant(constantOf("float32", [group, per, ...spatialAxes(v).map(() => 1)], ones), "ones");
  return g.node("Conv", [v, kernel], { group: int(group), kernel_shape: ints(spatialAxes(v).map(() => 1)) });
}

/** [N, K, ..] to [N, group, ..]: the maximum over each group's channels. */
function channelMax(g: GraphBuilder, v: Value, group: number): Value {
  if (group === 1) return g.max(v, [1]);
  const channels = extent(v, 1);
  if (channels === group) return v;
  return g.max(g.reshape(v, [-1, group, channels / group, ...spatialExtents(v)]), [2], false);
}
