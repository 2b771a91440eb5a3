/**
 * @file Extract and Aggregate (paper, sections 3.1 and 3.2): from a layer's activations and gradients to one number at
 *   each location, in closed form, never through the K x K tensor of contributions. Everything here is channels first,
 *   [N, K, ...spatial]; what comes out is [N, 1, ...spatial].
 */

import { spatialAxes, spatialExtents, type Window, windowAttributes, windowOf } from "../autodiff/window.ts";
import { AppError } from "../errors.ts";
import { int } from "../graph/attributes.ts";
import { extent, type GraphBuilder, rankOf } from "../graph/builder.ts";
import { constantOf, volume } from "../graph/constant.ts";
import type { Node, Value } from "../graph/ir.ts";
import { type Aggregate, type Aggregation, aggregations, type Factor, type Products } from "./aggregate.ts";
import { channelMax, channelSum } from "./channels.ts";
import type { Extract, Head } from "./spec.ts";

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
  return aggregated(site, extract, aggregations[aggregate], aggregate);
}

/** The map of any aggregation function, also of one that is in no table. `name` is for messages. */
export function aggregated(site: HeadSite, extract: Extract, aggregation: Aggregation, name: string): Value {
  const { g, x, dy } = site;
  const over = (taps: Taps, group: number): Value => {
    if (aggregation.products) return aggregation.products(products(g, dy, x, taps, group));
    throw new AppError(
      "spec-invalid",
      `${name} has no closed form over the products that ${extract} extracts; use it with bias or scaling`,
      { extract, aggregate: name },
    );
  };
  switch (extract) {
    case "bias":
      return aggregation.each(g, dy);
    case "scaling":
      return aggregation.each(g, g.mul(dy, x));
    case "depthwise3x3":
      return over(boxed(g, box3x3(site)), extent(x, 1));
    case "conv1x1":
      return over(point, 1);
    case "conv3x3":
      return over(boxed(g, box3x3(site)), 1);
    case "conv-real": {
      const window = realWindow(site);
      return over(boxed(g, window), window.group);
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

// --- contributions c = a b: every pair, within each group (depthwise: a group a channel) ----------------------------

function products(g: GraphBuilder, dy: Value, x: Value, taps: Taps, group: number): Products {
  const identity = (v: Value): Value => v;
  const factor = (v: Value, seen: Taps): Factor => {
    const max = (of = identity): Value => seen.max(channelMax(g, of(v), group));
    // A single entry a group is its own minimum.
    const alone = seen === point && extent(v, 1) === group;
    return {
      sum: (of = identity) => seen.sum(channelSum(g, of(v), group)),
      max,
      min: () => (alone ? v : g.neg(max(g.neg))),
    };
  };
  return {
    g,
    a: factor(dy, point),
    b: factor(x, taps),
    sumOfGroups: (v) => (group === 1 ? v : channelSum(g, v)),
    maxOfGroups: (v) => (group === 1 ? v : channelMax(g, v)),
  };
}
