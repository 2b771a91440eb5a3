/** @file Where the objective is taken: the tensor of class scores, found in the graph, and its class axis. */
import { AppError } from "../errors.ts";
import { rankOf, shapeOf } from "../graph/builder.ts";
import { numbers } from "../graph/constant.ts";
import { type Dim, floatTypes, type Graph, type Node, type Value } from "../graph/ir.ts";
import { namedValues, nearest, producers } from "../graph/walk.ts";
import { axesOf, layouts } from "./layout.ts";
import { type ExplainSpec, isDense } from "./spec.ts";

/** The tensor the objective is taken at: class scores [N, C] (further axes 1), or a dense output for `pointing`. */
export interface Scores {
  readonly value: Value;
  /** Which axis the classes are on; 0 for a bare [C]. */
  readonly axis: number;
  readonly classes: Dim;
}

const finals: ReadonlySet<string> = new Set(["Softmax", "Sigmoid", "LogSoftmax"]);
const transparent: ReadonlySet<string> = new Set([
  "Identity",
  "Dropout",
  "Reshape",
  "Flatten",
  "Squeeze",
  "Unsqueeze",
  "Cast",
]);

/** @throws AppError `spec-invalid` where there is no such tensor, or it has no class axis */
export function findScores(graph: Graph, spec: Pick<ExplainSpec, "objective" | "output">): Scores {
  const producer = producers(graph);
  const value =
    spec.output === undefined ? defaultTensor(graph, producer, spec.objective) : namedTensor(graph, spec.output);
  if (value.type === undefined || !floatTypes.has(value.type.dtype)) {
    throw new AppError(
      "spec-invalid",
      `"${value.name}" is not a floating-point tensor, so nothing can be differentiated there; ` +
        "name another with --output",
      { tensor: value.name },
    );
  }
  const axis = isDense(spec.objective) ? denseClassAxis(graph, value) : classAxis(value, spec.output !== undefined);
  return { value, axis, classes: shapeOf(value)[axis] ?? 1 };
}

/**
 * Where a cross-entropy on classes is taken: the scores, or what the model's own final Softmax or Sigmoid reads where
 * the objective is taken behind it.
 */
export function logitsOf(graph: Graph, scores: Scores, { objective }: Pick<ExplainSpec, "objective">): Scores {
  const value = objective === "probability" ? beforeFinal(scores.value, producers(graph)) : scores.value;
  return value === scores.value ? scores : { ...scores, value, axis: classAxis(value, true) };
}

function defaultTensor(graph: Graph, producer: ReadonlyMap<Value, Node>, objective: ExplainSpec["objective"]): Value {
  if (isDense(objective)) return denseOutput(graph);
  const first = graph.outputs.find((v) => v.type && floatTypes.has(v.type.dtype)) ?? graph.outputs[0];
  if (!first) throw new AppError("model-malformed", "the model has no output");
  return objective === "probability" ? first : beforeFinal(first, producer);
}

/** The input of the final Softmax, LogSoftmax or Sigmoid, if the tensor is one up to its shape; else the tensor. */
function beforeFinal(output: Value, producer: ReadonlyMap<Value, Node>): Value {
  for (let v = output; ; ) {
    const node = producer.get(v);
    const [x] = node?.inputs ?? [];
    if (!node || !x || node.domain !== "") return output;
    if (finals.has(node.op)) return x;
    if (!transparent.has(node.op)) return output;
    v = x;
  }
}

/** The last output with a map of scores, else what the last global pooling averages. */
function denseOutput(graph: Graph): Value {
  const isMap = (v: Value): boolean =>
    shapeOf(v).length === 4 &&
    shapeOf(v)
      .slice(2)
      .some((d) => d !== 1);
  const output = [...graph.outputs].reverse().find((v) => v.type !== undefined && isMap(v));
  if (output) return output;
  const pool = [...graph.nodes].reverse().find((n) => n.domain === "" && isGlobalAverage(n));
  const pooled = pool?.inputs[0];
  if (pooled) return pooled;
  throw new AppError(
    "spec-invalid",
    "this objective needs scores at each location, and the model has neither a 4-D output nor " +
      "a global average pool; name one with --output",
  );
}

function isGlobalAverage(node: Node): boolean {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (!x?.type || rankOf(x) !== 4 || !y?.type) return false;
  if (node.op === "GlobalAveragePool") return true;
  if (node.op === "AveragePool")
    return shapeOf(y)
      .slice(2)
      .every((d) => d === 1);
  const axes = node.inputs[1]?.constant;
  return (
    node.op === "ReduceMean" &&
    axes !== undefined &&
    Array.from(numbers(axes), (a) => (a + 4) % 4)
      .sort()
      .join() === "2,3"
  );
}

function namedTensor(graph: Graph, name: string): Value {
  const values = namedValues(graph);
  const value = values.get(name);
  if (value && !value.constant) return value;
  const near = nearest(name, [...graph.outputs.map((v) => v.name), ...values.keys()]).map((n) => `"${n}"`);
  throw new AppError(
    "spec-invalid",
    `no tensor "${name}" to take the objective at; the nearest are ${near.join(", ")}`,
    { output: name },
  );
}

/** The one axis beside the batch that is not 1. */
function classAxis(value: Value, named: boolean): number {
  const shape = shapeOf(value);
  if (shape.length === 1) return 0;
  const wide = shape.flatMap((d, i) => (i > 0 && d !== 1 ? [i] : []));
  if (wide.length <= 1 && shape.length > 0) return wide[0] ?? 1;
  throw new AppError(
    "spec-invalid",
    `"${value.name}" has shape [${shape.join(", ")}], not one score a class; use the pointing or region objective` +
      (named ? "" : ", or name a tensor of scores with --output"),
    { tensor: value.name, shape },
  );
}

function denseClassAxis(graph: Graph, value: Value): number {
  const layout = layouts(graph).get(value);
  if (layout) return axesOf[layout].channel;
  if (rankOf(value) >= 3) return 1;
  throw new AppError(
    "spec-invalid",
    `this objective needs scores at each location, and "${value.name}" has shape [${shapeOf(value).join(", ")}]`,
    { tensor: value.name },
  );
}

/** Whether a tensor is a final Softmax's or Sigmoid's output, up to its shape. */
export function isFinal(graph: Pick<Graph, "nodes">, value: Value): boolean {
  const producer = producers(graph);
  return beforeFinal(value, producer) !== value && producer.get(value)?.op !== "LogSoftmax";
}
