/**
 * @file Maps from activations and gradients of the layers: of the net itself or after a training step, once or
 *   averaged.
 */
import type { GraphBuilder } from "../graph/builder.ts";
import type { Graph, Value } from "../graph/ir.ts";
import { expectSecondOrder, secondOrderTerms, type Term } from "./meta/second-order.ts";
import { metaOutputs, takeStep } from "./meta/step.ts";
import { differentiate } from "./objective.ts";
import type { Rules } from "./rule-table.ts";
import { type ImageInput, type MapsAt, sampledMaps } from "./sampled.ts";
import { logitsOf, type Scores } from "./scores.ts";
import type { ExplainSpec } from "./spec.ts";
import { classOf, type Target } from "./target.ts";

/** A layer, and the tensor its activations are read from (not the layer itself for `conv-real`). */
export interface Site {
  readonly layer: Value;
  readonly read: Value;
}

export interface EvaluatedSite {
  readonly x: Value;
  readonly dy: Value;
  /** Products that the derivative through the step adds to the contribution; none otherwise. */
  readonly further: readonly Term[];
}

export interface Evaluated {
  readonly maps: readonly Value[];
  /** Outputs of the explainer beside its maps. */
  readonly outputs: readonly Value[];
}

/** The objective that is differentiated: of which scores, for which classes, by which rules. */
export interface Differentiated {
  readonly scores: Scores;
  readonly target: Target;
  readonly table: Rules;
}

/** Where and how maps are made. */
export interface Placement {
  readonly image: ImageInput;
  readonly sites: readonly Site[];
  /** The maps of these activations and gradients, one a site. */
  readonly mapsAt: MapsAt;
  /** A value of the shape and type of a site's map. */
  readonly mapLike: (site: Site) => Value;
}

/** @throws AppError `spec-invalid`, `model-unsupported` where the spec and the model do not fit each other */
export function evaluate(
  g: GraphBuilder,
  graph: Graph,
  spec: ExplainSpec,
  objective: Differentiated,
  placement: Placement,
): Evaluated {
  const { scores, target, table } = objective;
  const { sites, mapsAt } = placement;
  const layers = sites.map((s) => s.layer);
  const { average } = spec.method;
  if (spec.meta === undefined) {
    const net = { at: (v: Value) => v, replaced: new Map() };
    if (average) return { maps: sampledMaps(g, graph, spec, average, { net, objective, ...placement }), outputs: [] };
    const found = differentiate(g, scores, target, spec, layers, table(net.at, new Set()));
    const own = sites.map(({ layer, read }, i) => ({ x: read, dy: found[i] ?? layer, further: [] }));
    return { maps: mapsAt(g, own), outputs: [] };
  }
  const full = spec.meta.variant === "full";
  if (full) expectSecondOrder(spec);
  const index = classOf(target);
  const needed = [scores.value, ...sites.flatMap(({ layer, read }) => [layer, read])];
  const inner = full ? needed.slice(1) : [];
  // Excitation backprop looks at the weights; the other methods only at what they do.
  const materialised = full || average !== undefined || spec.method.rules.endsWith("excitation");
  const logits = logitsOf(graph, scores, spec);
  const stepped = takeStep(g, graph, spec.meta, { scores: logits, index, inner, needed, materialised });
  const { at, weights, constants, report } = stepped;
  const outputs = (["step", "before", "after", "slope"] as const).map((key) => g.named(report[key], metaOutputs[key]));
  if (average)
    return { maps: sampledMaps(g, graph, spec, average, { net: stepped, objective, ...placement }), outputs };
  const wanted = [...layers.map(at), ...(full ? weights : [])];
  const there = { ...scores, value: at(scores.value) };
  const found = differentiate(g, there, target, spec, wanted, table(at, new Set(weights)), constants);
  const further = full ? secondOrderTerms(g, stepped, found.slice(layers.length), sites) : [];
  const own = sites.map(({ layer, read }, i) => ({ x: at(read), dy: found[i] ?? layer, further: further[i] ?? [] }));
  return { maps: mapsAt(g, own), outputs };
}
