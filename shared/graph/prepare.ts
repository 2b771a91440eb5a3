/**
 * @file The pass every model goes through after import: types of all tensors, shape plumbing folded to constants, dead
 * nodes removed. What computes on floating-point numbers stays as it stands in the file.
 */
import { AppError } from "../errors.ts";
import { describe } from "./attributes.ts";
import { conflict } from "./dims.ts";
import { fold } from "./fold.ts";
import { infer } from "./infer.ts";
import type { Dim, Graph, Node, TensorType, Value } from "./ir.ts";
import { printType } from "./print.ts";
import { upstream } from "./walk.ts";

export interface PrepareOptions {
  /** Shapes for inputs, by name, other than the declared ones: what the file declares of the rest is then ignored. */
  readonly inputShapes?: ReadonlyMap<string, readonly Dim[]>;
  /** Types the file declares for inner tensors and outputs: taken where inference cannot tell. */
  readonly declared?: ReadonlyMap<string, TensorType>;
}

/**
 * The same graph with every value typed as far as can be told, and integer arithmetic on shapes folded.
 * @throws AppError `model-malformed` where inputs contradict operators or the file contradicts itself; `spec-invalid`
 *   where an input cannot have the shape asked for, naming the node that is in the way
 */
export function prepare(graph: Graph, options: PrepareOptions = {}): Graph {
  const { inputShapes = new Map(), declared = new Map() } = options;
  if (inputShapes.size === 0) return rebuild(graph, graph.inputs, declared);
  const inputs = graph.inputs.map((input) => reshapeInput(input, inputShapes.get(input.name)));
  for (const name of inputShapes.keys()) {
    if (graph.inputs.some((v) => v.name === name)) continue;
    const names = graph.inputs.map((v) => `"${v.name}"`).join(", ");
    throw new AppError("spec-invalid", `the model has no input "${name}"; it has ${names}`, { name });
  }
  return resized(graph, inputs, declared);
}

function reshapeInput(input: Value, shape: readonly Dim[] | undefined): Value {
  if (shape === undefined || input.type === undefined) return input;
  if (shape.length !== input.type.shape.length) {
    throw new AppError(
      "spec-invalid",
      `the input "${input.name}" has shape [${input.type.shape.join(",")}], so it cannot be [${shape.join(",")}]`,
      { input: input.name },
    );
  }
  return { ...input, type: { dtype: input.type.dtype, shape } };
}

/** With other input shapes: whatever then does not fit was made for the declared ones. */
function resized(graph: Graph, inputs: readonly Value[], declared: ReadonlyMap<string, TensorType>): Graph {
  const original = rebuild(graph, graph.inputs, declared); // a model that is wrong in itself says so here
  const changed = inputs.filter((v, i) => v.type?.shape.join() !== graph.inputs[i]?.type?.shape.join());
  const refuse = (why: string, cause?: unknown): AppError => {
    const wanted = changed.map((v) => `"${v.name}" as ${printType(v.type)}`).join(" and ");
    const instead = changed.map((v) => printType(graph.inputs.find((i) => i.name === v.name)?.type)).join(" and ");
    return new AppError(
      "spec-invalid",
      `the model cannot take ${wanted}: ${why}; it needs the declared ${instead}`,
      { inputs: changed.map((v) => v.name) },
      { cause },
    );
  };
  let result: Graph;
  try {
    result = rebuild(graph, inputs, new Map());
  } catch (error) {
    throw error instanceof AppError && error.code === "model-malformed" ? refuse(error.message, error) : error;
  }
  const spilt = spiltBatch(original, result);
  if (spilt !== undefined) throw refuse(spilt);
  return result;
}

/** Where an output had the batch of the first input and no longer has it: why. */
function spiltBatch(original: Graph, result: Graph): string | undefined {
  const [was, is] = [original, result].map((g) => g.inputs[0]?.type?.shape[0]);
  for (const [i, output] of result.outputs.entries()) {
    const before = original.outputs[i]?.type?.shape[0];
    const after = output.type?.shape[0];
    if (before === undefined || before !== was || after === undefined || after === is) continue;
    const culprit = upstream(result.nodes, [output]).findLast((n) => n.op === "Reshape" && movesIntoBatch(n));
    return `${culprit ? describe(culprit) : `"${output.name}"`} would turn a batch of ${is} into ${after} rows`;
  }
  return undefined;
}

/** A Reshape to [-1, features]: what does not fit the features spills into the batch. */
const movesIntoBatch = ({ inputs: [x], outputs: [y] }: Node): boolean => x?.type?.shape[0] !== y?.type?.shape[0];

/** Infers and folds node by node, then drops what no output needs. */
function rebuild(graph: Graph, inputs: readonly Value[], declared: ReadonlyMap<string, TensorType>): Graph {
  const outputs = new Set(graph.outputs);
  const replaced = new Map<Value, Value>(graph.inputs.map((v, i) => [v, inputs[i] ?? v]));
  const now = (value: Value): Value => replaced.get(value) ?? value;
  const nodes: Node[] = [];
  for (const old of graph.nodes) {
    const node: Node = {
      ...old,
      inputs: old.inputs.map((v) => v && now(v)),
      ...(old.captured && { captured: old.captured.map(now) }),
    };
    const found = infer(node, node.outputs.length);
    const [first] = old.outputs;
    if (first && !outputs.has(first) && old.outputs.length === 1) {
      const constant = fold(node, found);
      if (constant !== undefined) {
        replaced.set(first, { name: first.name, type: { dtype: constant.dtype, shape: constant.dims }, constant });
        continue;
      }
    }
    const made = old.outputs.map((value, i): Value | null => {
      if (value === null) return null;
      const said = declared.get(value.name);
      const { type = said, elements } = found[i] ?? {};
      if (outputs.has(value)) expectAgreement(node, value, type, said);
      const typed: Value = { name: value.name, type, ...(elements && { elements }) };
      replaced.set(value, typed);
      return typed;
    });
    nodes.push({ ...node, outputs: made });
  }
  const results = graph.outputs.map(now);
  return { ...graph, inputs, outputs: results, nodes: upstream(nodes, results) };
}

function expectAgreement(node: Node, value: Value, type: TensorType | undefined, said: TensorType | undefined): void {
  if (type === undefined || said === undefined) return;
  const differs = type.shape.length !== said.shape.length || type.shape.some((d, i) => conflict(d, said.shape[i]));
  if (!differs && type.dtype === said.dtype) return;
  throw new AppError(
    "model-malformed",
    `the output "${value.name}" is declared ${printType(said)}, but ${describe(node)} makes ${printType(type)}`,
    { tensor: value.name },
  );
}
