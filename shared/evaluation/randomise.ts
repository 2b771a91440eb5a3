/**
 * @file Random weights for the sanity checks of Adebayo et al. 2018: a map that does not change when the weights are
 * replaced cannot explain what the model has learned. Graph in, graph out; the maps are made and compared elsewhere.
 */
import { AppError } from "../errors.ts";
import { constantOf, numbers } from "../graph/constant.ts";
import { type Constant, floatTypes, type Graph, type Node, type Value } from "../graph/ir.ts";
import { normalFrom } from "./random.ts";

/** Operators whose constants are what a model learned; normalisation statistics and bounds are left alone. */
const weighted = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);

/** Weights of one operator that are replaced together. */
export interface WeightedLayer {
  /** The name of the operator's output, by which layers are chosen everywhere else. */
  readonly name: string;
  readonly op: string;
  /** Weight, then bias where there is one. */
  readonly parameters: readonly Value[];
}

/** All operators with weights of their own, from the input to the output. */
export function weightedLayers(graph: Graph): readonly WeightedLayer[] {
  return graph.nodes.flatMap((node) => {
    const parameters = parametersOf(node);
    const name = node.outputs[0]?.name ?? node.name;
    return parameters.length === 0 ? [] : [{ name, op: node.op, parameters }];
  });
}

function parametersOf(node: Node): readonly Value[] {
  if (!weighted.has(node.op) || node.domain !== "") return [];
  return node.inputs.filter((v): v is Value => v?.constant !== undefined && floatTypes.has(v.constant.dtype));
}

/** One network of a randomisation test. */
export interface RandomStage {
  /** The layer that was reached (cascading) or that alone is random (independent). */
  readonly layer: string;
  readonly graph: Graph;
}

export const randomisations = ["cascading", "independent"] as const;
export type Randomisation = (typeof randomisations)[number];

/**
 * The network with random weights: cascading from the output down to and including `layer`, or in `layer` alone. Every
 * tensor is drawn from a normal distribution of its own mean and standard deviation, so that activations keep their
 * scale; a seed draws the same for a layer, whichever others are random. Throws `spec-invalid` where there is none.
 */
export function randomiseWeights(graph: Graph, kind: Randomisation, layer: string, seed: number): RandomStage {
  const layers = weightedLayers(graph);
  const index = layers.findIndex((l) => l.name === layer);
  if (index < 0) {
    const names = layers.map((l) => `"${l.name}"`);
    throw new AppError(
      "spec-invalid",
      `cannot randomise "${layer}": it is not the output of a layer with weights; such are ${names.join(", ")}`,
      { layer },
    );
  }
  const chosen = kind === "cascading" ? layers.slice(index) : layers.slice(index, index + 1);
  const first = layers.flatMap((l) => l.parameters);
  const drawn = new Map(
    chosen.flatMap((l) => l.parameters.map((v) => [v, redrawn(v, seed * first.length + first.indexOf(v))] as const)),
  );
  return { layer, graph: withValues(graph, drawn) };
}

/** The same value with other numbers. */
function redrawn(value: Value, seed: number): Value {
  const { constant } = value;
  return constant === undefined ? value : { ...value, constant: redraw(constant, seed) };
}

function redraw(constant: Constant, seed: number): Constant {
  const values = numbers(constant);
  const count = values.length;
  let [sum, squares] = [0, 0];
  for (const v of values) sum += v;
  const mean = sum / count;
  for (const v of values) squares += (v - mean) ** 2;
  const deviation = Math.sqrt(squares / count);
  const normal = normalFrom(seed);
  return constantOf(
    constant.dtype,
    constant.dims,
    Float64Array.from({ length: count }, () => mean + deviation * normal()),
  );
}

/** The graph with values put in the place of others, wherever they are read. */
function withValues(graph: Graph, replaced: ReadonlyMap<Value, Value>): Graph {
  const of = (value: Value): Value => replaced.get(value) ?? value;
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((v) => (v === null ? null : of(v))),
    ...(node.captured && { captured: node.captured.map(of) }),
  }));
  return { ...graph, nodes };
}

/** About `count` layers evenly spread from the output to the input, both ends among them: the stages of a cascade. */
export function cascadeStages(layers: readonly WeightedLayer[], count: number): readonly WeightedLayer[] {
  const last = layers.length - 1;
  const wanted = Math.min(count, layers.length);
  const indices = Array.from({ length: wanted }, (_, i) =>
    wanted === 1 ? last : Math.round(last - (i * last) / (wanted - 1)),
  );
  return indices.flatMap((i) => layers[i] ?? []);
}
