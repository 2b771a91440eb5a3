/** @file Reductions over channels, [N, K, ...spatial] to [N, group, ...spatial], in the forms measured fastest. */
import { spatialAxes, spatialExtents } from "../autodiff/window.ts";
import { int, ints } from "../graph/attributes.ts";
import { extent, type GraphBuilder } from "../graph/builder.ts";
import { constantOf } from "../graph/constant.ts";
import type { Value } from "../graph/ir.ts";

/**
 * The sum over each group's channels, as a 1x1 convolution with ones, which the runtime does about three times faster
 * than a reduction over the strided channel axis.
 */
export function channelSum(g: GraphBuilder, v: Value, group = 1): Value {
  const channels = extent(v, 1);
  if (channels === group) return v;
  const per = channels / group;
  const ones = new Float32Array(group * per).fill(1);
  const kernel = g.constant(constantOf("float32", [group, per, ...spatialAxes(v).map(() => 1)], ones), "ones");
  return g.node("Conv", [v, kernel], { group: int(group), kernel_shape: ints(spatialAxes(v).map(() => 1)) });
}

/** The maximum over each group's channels. */
export function channelMax(g: GraphBuilder, v: Value, group = 1): Value {
  if (group === 1) return g.max(v, [1]);
  const channels = extent(v, 1);
  if (channels === group) return v;
  return g.max(g.reshape(v, [-1, group, channels / group, ...spatialExtents(v)]), [2], false);
}
