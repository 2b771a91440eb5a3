/**
 * @file Methods that average over samples: SmoothGrad (Smilkov et al. 2017) over noisy images, integrated gradients
 *   (Sundararajan et al. 2017) over the path from nothing to the tensor itself.
 */
import { AppError } from "../errors.ts";
import { dtypeOf, type GraphBuilder } from "../graph/builder.ts";
import type { Graph, Value } from "../graph/ir.ts";
import type { Differentiated, EvaluatedSite, Placement } from "./evaluated.ts";
import type { Layout } from "./layout.ts";
import { meanOver, type Samples } from "./loop.ts";
import { addNoise, feedNoise } from "./noise.ts";
import { differentiate } from "./objective.ts";
import type { At } from "./recompute.ts";
import { type Average, defaultCounts, defaultNoise, type ExplainSpec } from "./spec.ts";

/** The net that is explained: the model, or the model with other weights. */
export interface Net {
  /** Where a tensor of the model is in it. */
  readonly at: At;
  /** Weights of the model, and what is there in their place. */
  readonly replaced: ReadonlyMap<Value, Value>;
}

/** The maps of these activations and gradients, one a site, in any builder. */
export type MapsAt = (b: GraphBuilder, sites: readonly EvaluatedSite[]) => readonly Value[];

/** The image, and where its channels are. */
export interface ImageInput {
  readonly value: Value;
  readonly layout: Layout | undefined;
}

/** The maps of a method that averages, one a site. */
export function sampledMaps(
  g: GraphBuilder,
  graph: Graph,
  spec: ExplainSpec,
  average: Average,
  at: Placement & { readonly net: Net; readonly objective: Differentiated },
): readonly Value[] {
  const { net, image, objective, sites, mapsAt } = at;
  const { scores } = objective;
  const layers = sites.map((s) => s.layer);
  const needed = [scores.value, ...sites.flatMap(({ layer, read }) => [layer, read])];
  const computed = new Set(net.replaced.values());
  const gradients = (b: GraphBuilder, there: At): readonly Value[] =>
    differentiate(
      b,
      { ...scores, value: there(scores.value) },
      objective.target,
      spec,
      layers.map(there),
      objective.table(there, computed),
      computed,
    );
  const clean = (dys: readonly Value[]): readonly Value[] =>
    mapsAt(
      g,
      sites.map(({ layer, read }, i) => ({ x: net.at(read), dy: dys[i] ?? layer, further: [] })),
    );
  const { count = defaultCounts[average], noise = defaultNoise } = spec.samples ?? {};
  expectCount(count);
  const mean = (
    varied: Samples["varied"],
    compute: (b: GraphBuilder, there: At) => readonly Value[],
    like: readonly Value[],
  ): readonly Value[] => meanOver(g, graph, { count, varied, replaced: net.replaced }, needed, compute, like);
  switch (average) {
    case "smooth":
    case "smooth-gradient": {
      const by =
        noise === "given"
          ? feedNoise(g, image.value, count)
          : addNoise(g, image.value, image.layout, { ...noise, count });
      const varied = new Map([[image.value, by]]);
      if (average === "smooth-gradient") return clean(mean(varied, gradients, layers));
      const maps = (b: GraphBuilder, there: At): readonly Value[] => {
        const dys = gradients(b, there);
        return mapsAt(
          b,
          sites.map(({ layer, read }, i) => ({ x: there(read), dy: dys[i] ?? layer, further: [] })),
        );
      };
      return mean(varied, maps, sites.map(at.mapLike));
    }
    case "integrated":
      // Each layer has a path of its own: from zero at the layer to its activations, the rest of the net as it is.
      return clean(
        sites.flatMap(({ layer }, i) => {
          const own = (b: GraphBuilder, there: At): readonly Value[] => gradients(b, there).slice(i, i + 1);
          return mean(new Map([[layer, alongPath(net.at(layer), count)]]), own, [layer]);
        }),
      );
    default:
      return average satisfies never;
  }
}

/** a x at the middle of each of `count` equal steps of a from 0 to 1. */
const alongPath =
  (x: Value, count: number) =>
  (b: GraphBuilder, i: Value): Value => {
    const middle = b.add(b.cast(i, "float32"), b.scalar(0.5));
    return b.mul(x, b.cast(b.scale(middle, 1 / count), dtypeOf(x)));
  };

/** More samples than this are a mistake: each costs a run of the model forward and back. */
export const countMax = 10_000;

function expectCount(count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= countMax) return;
  throw new AppError("spec-invalid", `the number of samples must be an integer from 1 to ${countMax}, not ${count}`);
}
