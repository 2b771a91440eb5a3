/** @file A classifier's graph to its explainer's: the forward part as it is, the backward part and the maps added. */
import { differentiable } from "../autodiff/rules.ts";
import { AppError } from "../errors.ts";
import { GraphBuilder, isStatic, rankOf, shapeOf } from "../graph/builder.ts";
import type { Dim, Graph, Node, Value } from "../graph/ir.ts";
import { combineMaps, normalisedWeights, tokensToMap } from "./combine.ts";
import { type EvaluatedSite, evaluate } from "./evaluated.ts";
import { saliencyHead } from "./heads.ts";
import { type ChosenLayer, imageInput, LayerFinder } from "./layers.ts";
import { axesOf, type Layout } from "./layout.ts";
import { withBatchOfOne } from "./meta/batch.ts";
import { secondOrderMap } from "./meta/second-order.ts";
import { isSigned } from "./method.ts";
import { probabilityKind } from "./probability.ts";
import { meaningful, ruleTable } from "./rule-table.ts";
import { findScores } from "./scores.ts";
import { shadowFusions } from "./shadow.ts";
import type { ExplainSpec, LayerRecord, Manifest } from "./spec.ts";
import { targetInputs } from "./target.ts";

/** Written into every explainer; part of its key, so that a change of meaning is never served from a cache. */
export const compilerVersion = "backlight 0.1.0";
/** Where the manifest stands in the explainer's metadata_props. */
export const manifestKey = "backlight";

export interface Explainer {
  /**
   * Inputs: the model's, and `target` int64 [N]. Outputs: the model's, `saliency`, `map/<layer>` where asked
   * for, and with meta-saliency those of `metaOutputs`.
   */
  readonly graph: Graph;
  readonly manifest: Manifest;
}

/**
 * @param model as `importModel` and `prepare` give it
 * @param source the digest of the model file, for the manifest
 * @throws AppError `spec-invalid` (layer, class axis, method that do not fit), `model-unsupported` (no gradient rule)
 */
export function compileExplainer(model: Graph, spec: ExplainSpec, source: Manifest["source"]): Explainer {
  const graph = spec.meta ? withBatchOfOne(model) : model;
  const image = imageInput(graph);
  const scores = findScores(graph, spec);
  const finder = new LayerFinder(graph, image, scores.value);
  const real = spec.method.head.kind === "grid" && spec.method.head.extract === "conv-real";
  const chosen = finder.choose(spec.layers);
  const byRule = !Array.isArray(spec.layers);
  const sites = (byRule ? meaningful(spec, finder.path, chosen) : chosen).map((layer) =>
    real ? convolutionOf(layer, finder, spec) : { layer, read: layer.value },
  );
  const g = new GraphBuilder(graph);
  const wanted = sites.map(({ layer, read }) => ({ layer: layer.value, read }));
  const table = ruleTable(
    spec,
    finder.path,
    wanted.map((s) => s.layer),
  );
  const target = targetInputs(g, scores, spec);
  const placement = {
    image: { value: image, layout: finder.imageLayout },
    sites: wanted,
    mapsAt: (b: GraphBuilder, evaluated: readonly EvaluatedSite[]) =>
      evaluated.flatMap((e, i) => (sites[i] ? [mapOf(b, sites[i], e, spec)] : [])),
    mapLike: mapLike(g, sites),
  };
  const { maps, outputs } = withRemedy(finder, () => evaluate(g, graph, spec, { scores, target, table }, placement));
  const weights = normalisedWeights(spec.weights, sites.length);
  const layers = sites.map(({ layer }, i) => record(layer, weights[i] ?? 0));
  const combined = combination(g, spec, { image, layout: finder.imageLayout }, maps, layers);
  const saliency = g.named(combined, "saliency");
  const raw = spec.layerMaps ? maps.map((map, i) => g.named(map, `map/${layers[i]?.name}`)) : [];
  const single = layers.length === 1 ? layers[0] : undefined;
  const manifest: Manifest = {
    compiler: compilerVersion,
    source,
    spec,
    objectiveTensor: scores.value.name,
    classes: scores.classes,
    probabilities: probabilityKind(graph, scores.value.name),
    layers,
    saliency: {
      kind: single === undefined ? "combination" : single.layout === "tokens" ? "tokens" : "layer",
      shape: shapeOf(saliency),
      signed: single !== undefined && isSigned(spec.method),
    },
    input: {
      name: image.name,
      layout: finder.imageLayout === "nhwc" ? "nhwc" : "nchw",
      shape: shapeOf(image),
      dtype: image.type?.dtype ?? "float32",
    },
  };
  shadowFusions(g, graph);
  const metadata = new Map([...graph.metadata, [manifestKey, JSON.stringify(manifest)]]);
  return { graph: g.build([...graph.outputs, saliency, ...raw, ...outputs], metadata), manifest };
}

/** What `build` returns; an operator without a gradient is reported with the layers that can be explained anyway. */
function withRemedy<T>(finder: LayerFinder, build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "model-unsupported") throw error;
    const { tensors } = finder.path;
    const at = tensors.findIndex((v) => v.name === error.context["tensor"]);
    const behind = tensors.slice(at + 1).map((v) => v.name);
    const layers = finder.list().flatMap((l) => (at >= 0 && behind.includes(l.name) ? [`"${l.name}"`] : []));
    const remedy =
      layers.length > 0
        ? `layers behind it can be explained: ${layers.slice(-4).join(", ")}`
        : "no layer lies behind it";
    const message = `${error.message}; ${remedy}; the README lists the operators a gradient passes`;
    throw new AppError(error.code, message, { ...error.context, supported: differentiable }, { cause: error });
  }
}

/** A layer's map, of its activations and gradients in this builder. */
function mapOf(g: GraphBuilder, { layer, conv }: Site, { x, dy, further }: EvaluatedSite, spec: ExplainSpec): Value {
  const [first, ...others] = [{ x, dy }, ...further].map((t) => ({
    x: channelsFirst(g, t.x, layer.layout),
    dy: channelsFirst(g, t.dy, layer.layout),
  }));
  const site = { g, x, dy, ...first, ...(conv && { conv }) };
  const map = others.length > 0 ? secondOrderMap(site, others, spec) : saliencyHead(site, spec.method.head);
  return layer.layout === "tokens" ? g.node("Squeeze", [map, g.int64([1])]) : map;
}

/** Something of the shape and type of a site's map: one channel of the layer. */
const mapLike =
  (g: GraphBuilder, sites: readonly Site[]) =>
  ({ layer: value }: { readonly layer: Value }): Value => {
    const layout = sites.find((s) => s.layer.value === value)?.layer.layout ?? "nchw";
    const channel = g.slice(channelsFirst(g, value, layout), [0], [1], [1]);
    return layout === "tokens" ? g.node("Squeeze", [channel, g.int64([1])]) : channel;
  };

/** Channels to axis 1; float32, in which heads compute whatever the model's own type. */
function channelsFirst(g: GraphBuilder, v: Value, layout: Layout): Value {
  const { channel, spatial } = axesOf[layout];
  // Where the runtime computes a 16-bit model in float32, a Cast as reader makes it round once more; a sum does not.
  const read = v.type?.dtype === "float16" ? g.node("Sum", [v]) : v;
  const moved = channel === 1 ? read : g.transpose(read, [0, channel, ...spatial]);
  return g.cast(moved, "float32");
}

interface Site {
  readonly layer: ChosenLayer;
  /** What the head reads as activations. */
  readonly read: Value;
  readonly conv?: Node;
}

/** The convolution whose output the layer is; for layers chosen by rule, the last one before it. */
function convolutionOf(layer: ChosenLayer, finder: LayerFinder, spec: ExplainSpec): Site {
  const byRule = !Array.isArray(spec.layers);
  for (let v: Value | null | undefined = layer.value; v; ) {
    const node = finder.path.producer.get(v);
    const [x] = node?.inputs ?? [];
    if (node?.op === "Conv" && x) {
      return { layer: { ...layer, value: v, layout: rankOf(v) === 4 ? "nchw" : "ncl" }, read: x, conv: node };
    }
    if (!byRule) break;
    v = x;
  }
  const convs = finder
    .list()
    .filter((l) => l.op === "Conv")
    .map((l) => `"${l.name}"`);
  throw new AppError(
    "spec-invalid",
    `conv-real reads an existing convolution, and "${layer.value.name}" is not the output of one; ` +
      `outputs of convolutions are ${convs.slice(-5).join(", ") || "none"}`,
    { layer: layer.value.name },
  );
}

const record = (layer: ChosenLayer, weight: number): LayerRecord => ({
  name: layer.value.name,
  layout: layer.layout,
  shape: shapeOf(layer.value),
  grid: layer.grid,
  weight,
});

function combination(
  g: GraphBuilder,
  spec: ExplainSpec,
  { image, layout }: { readonly image: Value; readonly layout: Layout | undefined },
  maps: readonly Value[],
  layers: readonly LayerRecord[],
): Value {
  const [first] = maps;
  if (first === undefined) throw new TypeError("an explainer has a layer");
  if (maps.length === 1) return first;
  if (layout !== "nchw" && layout !== "nhwc") {
    throw new AppError(
      "spec-invalid",
      `layers are combined at the resolution of an image, and the input "${image.name}" is none; choose one layer`,
    );
  }
  const { spatial } = axesOf[layout];
  const shape = shapeOf(image);
  const [h = 1, w = 1] = spatial.map((a): Dim => shape[a] ?? 1);
  const sizes = isStatic([h, w]) ? g.int64([Number(h), Number(w)]) : g.gather(g.shapeOf(image), g.int64(spatial), 0);
  const planar = maps.map((map, i) => {
    const layer = layers[i];
    if (layer?.layout === "nchw" || layer?.layout === "nhwc") return map;
    if (layer?.layout === "tokens" && layer.grid) return tokensToMap(g, map, layer.grid);
    throw new AppError(
      "spec-invalid",
      `"${layer?.name}" has no grid of patches to put on the image, so it cannot be combined; choose it alone`,
      { layer: layer?.name },
    );
  });
  return combineMaps(
    g,
    planar,
    layers.map((l) => l.weight),
    spec.combine,
    { shape: [h, w], sizes },
  );
}
