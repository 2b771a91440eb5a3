/** @file Layers: which tensors of a model can be explained at, which are good ones, and finding them by name. */
import { AppError } from "../errors.ts";
import { isStatic, rankOf, shapeOf } from "../graph/builder.ts";
import { numbers } from "../graph/constant.ts";
import { type Dim, floatTypes, type Graph, type Node, type Value } from "../graph/ir.ts";
import { namedValues, nearest } from "../graph/walk.ts";
import { assumedLayout, axesOf, type Layout, layouts } from "./layout.ts";
import { type Path, pathBetween } from "./path.ts";
import { findScores } from "./scores.ts";
import type { ExplainSpec, LayerRecord, Layers } from "./spec.ts";

/** A layer of a model, as `backlight layers` lists it. */
export interface LayerInfo {
  readonly name: string;
  /** The operator that computes it; "input" for the image. */
  readonly op: string;
  readonly layout: Layout;
  readonly shape: readonly Dim[];
  /** Input positions per location along the height (or 1-D) axis; null for tokens. */
  readonly stride: number | null;
  /** Share of all ways from image to objective that pass here (1: a stage's output rather than a branch). */
  readonly share: number;
  /** Multiply-adds of the backward pass down to here, relative to one forward pass. */
  readonly cost: number;
  readonly recommended: boolean;
}

/** A layer chosen for an explainer. */
export interface ChosenLayer {
  readonly value: Value;
  readonly layout: Layout;
  readonly grid: LayerRecord["grid"];
}

/**
 * Maps with more locations a side than this are left to those who ask for them, unless they are a quarter of the input.
 */
const fineMapMax = 32;
/** How many of a transformer's equally large token layers `auto` combines. */
const tokenLayersMax = 4;
/** A share this close to 1 is 1: it was computed through logarithms. */
const shareTolerance = 1e-6;

export class LayerFinder {
  readonly path: Path;
  readonly #graph: Graph;
  readonly #image: Value;
  readonly #layouts: ReadonlyMap<Value, Layout>;

  constructor(graph: Graph, image: Value, objective: Value) {
    this.#graph = graph;
    this.#image = image;
    this.#layouts = layouts(graph);
    this.path = pathBetween(graph, image, objective);
    if (this.path.tensors.length === 0 || !this.path.share.has(objective)) {
      throw new AppError(
        "spec-invalid",
        `no differentiable path leads from the input "${image.name}" to "${objective.name}"`,
        {
          input: image.name,
          objective: objective.name,
        },
      );
    }
  }

  /** Where the image's channels are; undefined where the input is no image. */
  get imageLayout(): Layout | undefined {
    return this.#layout(this.#image);
  }

  /** Every tensor on the path with a map of locations, shallow to deep. */
  list(): readonly LayerInfo[] {
    const recommended = new Set(this.automatic().map((l) => l.value));
    return this.path.tensors.flatMap((value) => {
      const layout = this.#layout(value);
      if (!layout || !hasLocations(value, layout)) return [];
      return [
        {
          name: value.name,
          op: this.path.producer.get(value)?.op ?? "input",
          layout,
          shape: shapeOf(value),
          stride: this.#stride(value, layout),
          share: this.path.share.get(value) ?? 0,
          cost: this.path.cost.get(value) ?? 0,
          recommended: recommended.has(value),
        },
      ];
    });
  }

  /** @throws AppError `spec-invalid` naming what would work */
  choose(layers: Layers): readonly ChosenLayer[] {
    if (layers === "input") return [this.#chosen(this.#image)];
    if (layers === "auto" || layers === "last") {
      const found = this.automatic();
      if (found.length === 0) {
        throw new AppError(
          "spec-invalid",
          `no layer of this model is a map of locations between "${this.#image.name}" and the objective, ` +
            "so none can be chosen automatically; name tensors with --layers, or explain at the input",
        );
      }
      return layers === "last" ? found.slice(-1) : found;
    }
    if (layers.length === 0) throw new AppError("spec-invalid", "no layer named");
    const chosen = layers.map((name) => this.#named(name));
    const order = new Map(this.path.tensors.map((v, i) => [v, i]));
    return chosen.sort((a, b) => (order.get(a.value) ?? 0) - (order.get(b.value) ?? 0));
  }

  /**
   * The good layers, shallow to deep: for each size of map the tensor that most ways from image to objective pass,
   * after an activation if one of them is, and of those the last: the end of a stage, before the stride. Maps finer
   * than a quarter of the input and than 32 locations a side are left out while coarser ones exist. Of a transformer's
   * equally large token layers up to four, evenly deep, whose every token still has a gradient.
   */
  automatic(): readonly ChosenLayer[] {
    const active = this.#fullSupport();
    const planar = axesOf[this.#layout(this.#image) ?? "nchw"].spatial.length === 2;
    const byGrid = new Map<string, Value[]>();
    for (const v of this.path.tensors) {
      const layout = this.#layouts.get(v);
      if (v === this.#image || !layout || !hasLocations(v, layout) || !active.has(v)) continue;
      if (pools.has(this.#source(v)?.op ?? "")) continue; // the tensor before the stride says more
      const grid = this.#gridOf(v, layout);
      if (grid === null || (planar && layout === "ncl")) continue;
      byGrid.set(grid, [...(byGrid.get(grid) ?? []), v]);
    }
    const picked = [...byGrid.values()].flatMap((values) => {
      const tokens = values.filter((v) => this.#layouts.get(v) === "tokens");
      return tokens.length > 0 ? this.#tokenStages(tokens) : this.#stageEnd(values);
    });
    const coarse = picked.filter((v) => this.#isCoarse(v));
    const kept = new Set(coarse.length > 0 ? coarse : picked.slice(-1));
    return this.path.tensors.filter((v) => kept.has(v)).map((v) => this.#chosen(v));
  }

  /** The extents of a map of locations as text, so that equal maps meet; null for tokens that are no grid. */
  #gridOf(v: Value, layout: Layout): string | null {
    if (layout !== "tokens") return axesOf[layout].spatial.map((a) => shapeOf(v)[a]).join("x");
    const grid = this.#patchGrid(v);
    return grid && `${grid.rows}x${grid.columns}`;
  }

  #stageEnd(values: readonly Value[]): readonly Value[] {
    const most = Math.max(...values.map((v) => this.path.share.get(v) ?? 0));
    const passed = values.filter((v) => (this.path.share.get(v) ?? 0) >= most - shareTolerance);
    const last = passed.filter((v) => this.#isActivated(v)).at(-1) ?? passed.at(-1);
    return last ? [last] : [];
  }

  #tokenStages(values: readonly Value[]): readonly Value[] {
    const passed = values.filter((v) => (this.path.share.get(v) ?? 0) >= 1 - shareTolerance);
    const residual = passed.filter((v) => this.path.producer.get(v)?.op === "Add");
    const stages = residual.length > 0 ? residual : passed;
    const count = Math.min(tokenLayersMax, stages.length);
    return Array.from({ length: count }, (_, i) => stages[Math.ceil(((i + 1) * stages.length) / count) - 1]).flatMap(
      (v) => v ?? [],
    );
  }

  #isCoarse(v: Value): boolean {
    const layout = this.#layout(v);
    if (!layout || layout === "tokens" || layout === "ncl") return true;
    const sides = axesOf[layout].spatial.map((a) => shapeOf(v)[a]);
    const stride = this.#stride(v, layout);
    return sides.every((d) => typeof d === "number" && d <= fineMapMax) || stride === null || stride >= 3.5;
  }

  /** What computes a value, seen through operators that change nothing. */
  #source(v: Value): Node | undefined {
    const node = this.path.producer.get(v);
    const [x] = node?.inputs ?? [];
    return node && x && unchanged.has(node.op) ? this.#source(x) : node;
  }

  #isActivated(v: Value): boolean {
    const node = this.path.producer.get(v);
    if (!node) return false;
    if (activations.has(node.op)) return true;
    if (node.op === "Mul") return node.inputs.some((x) => x !== null && gates.has(this.path.producer.get(x)?.op ?? ""));
    if (!keepsActivation.has(node.op)) return false;
    return node.inputs.every((x) => x === null || x.constant !== undefined || this.#isActivated(x));
  }

  #stride(v: Value, layout: Layout): number | null {
    const imageAxes = axesOf[this.#layout(this.#image) ?? "nchw"].spatial;
    const { spatial } = axesOf[layout];
    if (layout === "tokens" || imageAxes.length !== spatial.length) return null; // not a map of the image's axes
    const [all, own] = [shapeOf(this.#image)[imageAxes[0] ?? 0], shapeOf(v)[spatial[0] ?? 0]];
    if (typeof own === "string") return symbolicStride(own);
    return typeof all === "number" && own !== undefined ? Math.round((100 * all) / own) / 100 : null;
  }

  #layout(v: Value): Layout | undefined {
    if (v.type === undefined) return undefined;
    const known = this.#layouts.get(v);
    return known ?? (v === this.#image ? imageLayout(v) : undefined);
  }

  #named(name: string): ChosenLayer {
    const value = this.path.tensors.find((v) => v.name === name);
    const layers = (): readonly string[] => this.list().map((l) => l.name); // for messages only: it looks at everything
    if (value === undefined) {
      const all = namedValues(this.#graph);
      const exists = all.has(name);
      const near = nearest(name, exists ? layers() : [...layers(), ...all.keys()]).map((n) => `"${n}"`);
      const why = exists ? `"${name}" is not between the image and the objective` : `no tensor "${name}" in this model`;
      throw new AppError(
        "spec-invalid",
        `${why}; layers near that name: ${near.join(", ")} (backlight layers lists all)`,
        { layer: name },
      );
    }
    const layout = this.#layout(value) ?? (value.type && assumedLayout(value.type.shape));
    if (!layout || !hasLocations(value, layout)) {
      const shape = value.type ? `[${value.type.shape.join(", ")}]` : "unknown";
      throw new AppError(
        "spec-invalid",
        `"${name}" has shape ${shape}: no map of locations; layers before it: ${layers()
          .slice(-3)
          .map((n) => `"${n}"`)
          .join(", ")}`,
        { layer: name },
      );
    }
    return this.#chosen(value);
  }

  #chosen(value: Value): ChosenLayer {
    const layout = this.#layout(value) ?? assumedLayout(shapeOf(value)) ?? "nchw";
    return { value, layout, grid: layout === "tokens" ? this.#patchGrid(value) : null };
  }

  /** A token layer's grid: that of the last map before it, whose locations became the tokens. */
  #patchGrid(value: Value): LayerRecord["grid"] {
    const tokens = shapeOf(value)[1];
    if (typeof tokens !== "number") return null;
    const before = this.path.tensors.slice(0, this.path.tensors.indexOf(value)).reverse();
    for (const v of before) {
      const layout = this.#layouts.get(v);
      if (layout !== "nchw" && layout !== "nhwc") continue;
      const [rows, columns] = axesOf[layout].spatial.map((a) => shapeOf(v)[a]);
      if (typeof rows !== "number" || typeof columns !== "number" || rows * columns > tokens) continue;
      // A handful of class and register tokens may stand before the patches; more is another grid.
      const prefix = tokens - rows * columns;
      if (rows * columns > 1 && prefix <= prefixTokensMax) return { rows, columns, prefix };
    }
    return null;
  }

  /**
   * The tensors at which every location can have a gradient. Where a network reads off its class token alone, the
   * others have none after the last attention: a map there would be one dot.
   */
  #fullSupport(): ReadonlySet<Value> {
    const full = new Set<Value>();
    const onPath = new Set(this.path.tensors);
    const reached = new Set<Value>();
    for (const node of [...this.#graph.nodes].reverse()) {
      const outputs = node.outputs.filter((v): v is Value => v !== null && onPath.has(v));
      if (outputs.length === 0) continue;
      const [x] = node.inputs;
      const isFull = !outputs.some((v) => reached.has(v)) || outputs.some((v) => full.has(v));
      const mixes = node.op === "MatMul" && node.inputs.every((v) => v !== null && onPath.has(v));
      const picks = x ? picksOneLocation(node, x, this.#layouts.get(x)) : false;
      for (const v of node.inputs) {
        if (v === null || !onPath.has(v)) continue;
        reached.add(v);
        if (mixes || (isFull && !picks)) full.add(v);
      }
    }
    return full;
  }
}

/** The stride of an extent that follows from an open input size, such as `floor((H+3)/4)`: what it divides by. */
const symbolicStride = (extent: string): number =>
  Math.max(1, ...[...extent.matchAll(/\/(\d+)\)/g)].map((found) => Number(found[1])));

/** Class and register tokens in front of the patches: 1 in ViT, 2 in DeiT, 5 with DINOv2's registers. */
const prefixTokensMax = 8;

const activations: ReadonlySet<string> = new Set(
  "Relu Clip LeakyRelu PRelu Elu Selu Celu ThresholdedRelu HardSwish Mish Swish Gelu Softplus Tanh".split(" "),
);
const unchanged: ReadonlySet<string> = new Set(["Identity", "Dropout", "Cast"]);
const pools: ReadonlySet<string> = new Set(["MaxPool", "AveragePool", "LpPool"]);
/** x * sigmoid(x) and its relatives, as exporters write them. */
const gates: ReadonlySet<string> = new Set(["Sigmoid", "HardSigmoid", "Erf"]);
const keepsActivation: ReadonlySet<string> = new Set([
  "Concat",
  "Identity",
  "Dropout",
  "MaxPool",
  "AveragePool",
  "Cast",
]);

const hasLocations = (v: Value, layout: Layout): boolean => {
  const shape = shapeOf(v);
  const { channel, spatial } = axesOf[layout];
  return shape.length === spatial.length + 2 && channel < shape.length && spatial.some((a) => shape[a] !== 1);
};

/** An image whose axes no operator labels: channels are where 1, 3 or 4 stands. */
export const imageLayout = (v: Value): Layout | undefined => {
  const shape = v.type?.shape;
  if (shape?.length !== 4) return shape ? assumedLayout(shape) : undefined;
  const channels = (d: Dim | undefined): boolean => d === 1 || d === 3 || d === 4;
  return channels(shape[3]) && !channels(shape[1]) ? "nhwc" : "nchw";
};

/** Whether a node keeps one position of the location axis: the class token read off. */
function picksOneLocation(node: Node, x: Value, layout: Layout | undefined): boolean {
  if (layout !== "tokens") return false;
  const shape = shapeOf(x);
  const out = node.outputs[0]?.type?.shape;
  if (node.op === "Gather") {
    const axis = node.attributes.get("axis");
    return axis?.kind === "int" && (axis.value === 1n || axis.value === BigInt(1 - shape.length));
  }
  if (node.op === "Slice") {
    const axes = node.inputs[3]?.constant;
    const list = axes ? Array.from(numbers(axes)) : [0, 1, 2];
    return (
      list.some((a) => a === 1 || a === 1 - shape.length) &&
      out?.[1] === 1 &&
      isStatic(shape.slice(1)) &&
      shape[1] !== 1
    );
  }
  return false;
}

/** The model's layers, as `backlight layers` lists them. */
export function listLayers(
  graph: Graph,
  spec: Pick<ExplainSpec, "objective" | "output">,
): ReturnType<LayerFinder["list"]> {
  return new LayerFinder(graph, imageInput(graph), findScores(graph, spec).value).list();
}

/** The input explained: the one of rank 4, else the first floating-point one. */
export function imageInput(graph: Graph): Value {
  const floats = graph.inputs.filter((v) => v.type && floatTypes.has(v.type.dtype));
  const image = floats.find((v) => rankOf(v) === 4) ?? floats[0];
  if (image) return image;
  const inputs = graph.inputs.map((v) => `"${v.name}" ${v.type?.dtype ?? "of unknown type"}`).join(", ");
  throw new AppError(
    "model-unsupported",
    `the model has no floating-point input to explain; its inputs are ${inputs || "none"}`,
  );
}
