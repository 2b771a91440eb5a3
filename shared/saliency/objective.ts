/**
 * @file The objective: which scalar is differentiated, found in the graph; its target class; its gradient to start
 * from.
 */
import { backward } from "../autodiff/backward.ts";
import { oneHot, startFromClass } from "../autodiff/one-hot.ts";
import type { RuleTable } from "../autodiff/vjp.ts";
import { AppError } from "../errors.ts";
import { int } from "../graph/attributes.ts";
import { type GraphBuilder, rankOf, shapeOf } from "../graph/builder.ts";
import { numbers } from "../graph/constant.ts";
import { type Dim, floatTypes, type Graph, type Node, type Value } from "../graph/ir.ts";
import { namedValues, nearest, producers } from "../graph/walk.ts";
import { axesOf, layouts } from "./layout.ts";
import type { ExplainSpec } from "./spec.ts";

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
  const axis =
    spec.objective === "pointing" ? denseClassAxis(graph, value) : classAxis(value, spec.output !== undefined);
  return { value, axis, classes: shapeOf(value)[axis] ?? 1 };
}

function defaultTensor(graph: Graph, producer: ReadonlyMap<Value, Node>, objective: ExplainSpec["objective"]): Value {
  if (objective === "pointing") return denseOutput(graph);
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
    "the pointing objective needs scores at each location, and the model has neither a 4-D output nor " +
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
    `"${value.name}" has shape [${shape.join(", ")}], not one score a class; use the pointing objective` +
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
    `the pointing objective needs scores at each location; "${value.name}" has shape [${shapeOf(value).join(", ")}]`,
    { tensor: value.name },
  );
}

/**
 * Adds the run-time input `target` (int64 [N]) and the gradient of the objective with respect to each wanted tensor. A
 * target is a class index, or a negative rank: -1 the class with the highest score, -C the one with the lowest. An
 * index out of range fails the run.
 */
export function differentiate(
  g: GraphBuilder,
  { value, axis, classes }: Scores,
  spec: Pick<ExplainSpec, "objective">,
  wanted: readonly Value[],
  table: RuleTable,
): readonly Value[] {
  if (typeof classes !== "number") {
    throw new AppError(
      "spec-invalid",
      `the number of classes of "${value.name}" is not fixed: [${shapeOf(value).join(", ")}]`,
      { tensor: value.name },
    );
  }
  const batch = axis === 0 ? 1 : (shapeOf(value)[0] ?? 1);
  const target = g.input("target", { dtype: "int64", shape: [batch] });
  const locations = shapeOf(value).flatMap((_, i) => (i > 0 && i !== axis ? [i] : []));
  const evidence =
    spec.objective === "pointing"
      ? g.node("ReduceLogSumExp", [value, g.int64(locations)], { keepdims: int(1) })
      : value;
  const index = resolveTarget(g, g.reshape(evidence, [-1, classes]), target, classes);
  const sweep = (seeds: ReadonlyMap<Value, Value>): readonly Value[] => backward(g, seeds, wanted, table);
  if (spec.objective === "logit" || (spec.objective === "probability" && isFinal(g, value))) {
    const { seeds, passed } = startFromClass(g, value, axis, index, new Set(wanted), table);
    const found = sweep(seeds);
    return wanted.map((w, i) => {
      const own = passed.get(w) ?? found[i] ?? w;
      return g.expandLike(own, w);
    });
  }
  return sweep(new Map([[value, seedOf(g, spec.objective, { value, axis, evidence, index })]]));
}

/** Whether a tensor is a final Softmax's or Sigmoid's output, up to its shape. */
function isFinal(g: GraphBuilder, value: Value): boolean {
  const producer = producers(g);
  const scores = beforeFinal(value, producer);
  return scores !== value && producer.get(value)?.op !== "LogSoftmax";
}

/** order[n, -target-1] for a negative target; the order is only looked at there. */
function resolveTarget(g: GraphBuilder, scores: Value, target: Value, classes: number): Value {
  const [, order] = g.multi("TopK", [scores, g.int64([classes])], { axis: int(1) }, 2);
  const zero = g.constant({ dtype: "int64", dims: [], bytes: new Uint8Array(8) });
  // -target-1 is a rank from 0 for a negative target, and for a class c the index -(c+1), which is in range as c is.
  const rank = g.sub(g.neg(target), g.int64([1]));
  const column = g.node("Unsqueeze", [rank, g.int64([1])]);
  const ranked = g.node("Squeeze", [
    g.node("GatherElements", [order ?? scores, column], { axis: int(1) }),
    g.int64([1]),
  ]);
  return g.where(g.node("Less", [target, zero]), ranked, target);
}

interface SeedSite {
  readonly value: Value;
  readonly axis: number;
  /** What the classes are ranked by: the scores, or log sum exp of them over locations. */
  readonly evidence: Value;
  readonly index: Value;
}

/** d objective / d scores, of the scores' shape. */
function seedOf(g: GraphBuilder, objective: ExplainSpec["objective"], site: SeedSite): Value {
  const { value, axis, evidence, index } = site;
  const hot = oneHot(g, value, axis, index);
  const softmax = (): Value => g.node("Softmax", [value], { axis: int(axis) });
  switch (objective) {
    case "log-softmax": // onehot - softmax
      return g.sub(hot, softmax());
    case "nll":
      return g.sub(softmax(), hot);
    case "probability": {
      // p_c (onehot - p), where the model itself ends in logits
      const p = softmax();
      const own = g.sum(g.mul(p, hot), [axis]);
      return g.mul(own, g.sub(hot, p));
    }
    case "pointing": // softmax over locations of the target's scores
      return g.mul(g.exp(g.sub(value, evidence)), hot);
    case "logit":
      return hot;
    default:
      return objective satisfies never;
  }
}
