/**
 * @file Compares a compiled gradient with slopes: directional derivatives of the model itself, by central differences
 * in the same runtime. Float32 throughout, so agreement is limited by rounding at small steps and by kinks at large
 * ones.
 */
import { gradientGraph } from "../../shared/autodiff/gradient.ts";
import { GraphBuilder, staticShape } from "../../shared/graph/builder.ts";
import { volume } from "../../shared/graph/constant.ts";
import type { Graph, Node, Value } from "../../shared/graph/ir.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { type Feeds, type RunTensor, type Runtime, type Session, tensorNamed } from "../../shared/runtime/runtime.ts";
import { openGraph, weightFiles } from "./explainer.ts";
import type { LoadedModel } from "./model.ts";

type FloatTensor = Extract<RunTensor, { readonly dtype: "float32" }>;

/** Central differences are taken at these steps, relative to the tensor's own length. */
export const steps: readonly number[] = [1e-1, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5];

/**
 * Slopes of a float32 network agree to a fraction of a percent where no unit changes side between the two points; a
 * handful that do cost a few percent. A wrong rule is off by tens.
 */
export const errorMax = 0.05;

/** One tensor's comparison, in one kind of direction. */
export interface Row {
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly directions: "along the gradient" | "random";
  /** The step that agrees best, relative to the tensor's length. */
  readonly step: number;
  /** sqrt(sum (slope - <gradient, v>)^2 / sum <gradient, v>^2) over the directions v, at that step. */
  readonly error: number;
}

/** What is compared, and where. */
export interface Comparison {
  readonly runtime: Runtime;
  readonly model: LoadedModel;
  readonly feeds: Feeds;
  /** The objective's tensor; its top class is differentiated. */
  readonly objective: Value;
  /** float32 tensors of fixed extents. */
  readonly tensors: readonly Value[];
  /** Random directions a tensor. */
  readonly directions: number;
  /** Uniform in [0, 1). */
  readonly uniform: () => number;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/** Compares at every tensor, in order: along the gradient where it is not zero, and along random directions. */
export async function compareSlopes(c: Comparison): Promise<readonly Row[]> {
  const inner = c.tensors.filter((v) => !c.model.graph.inputs.includes(v));
  const observed = await run(c, { ...c.model.graph, outputs: [...new Set([c.objective, ...inner])] }, c.feeds);
  const seed = topClass(tensorNamed(observed, c.objective.name, "float32"));
  const vjp = gradientGraph(c.model.graph, { of: [c.objective.name], wrt: c.tensors.map((v) => v.name) });
  const gradients = await run(c, vjp, { ...c.feeds, [`cotangent/${c.objective.name}`]: seed });
  const rows: Row[] = [];
  for (const [i, tensor] of c.tensors.entries()) {
    c.progress(`slopes at ${tensor.name} (${i + 1} of ${c.tensors.length})`);
    const gradient = tensorNamed(gradients, `gradient/${tensor.name}`, "float32").data;
    const at = tensorNamed({ ...c.feeds, ...observed }, tensor.name, "float32").data;
    rows.push(...(await compareAt(c, tensor, at, gradient, seed)));
  }
  return rows;
}

async function compareAt(
  c: Comparison,
  tensor: Value,
  at: Float32Array,
  gradient: Float32Array,
  seed: FloatTensor,
): Promise<readonly Row[]> {
  const shape = staticShape(tensor);
  const length = norm(at) || Math.sqrt(at.length);
  const session = await open(c, probeGraph(c.model.graph, tensor, c.objective));
  try {
    /** f(x + v), f being the objective's tensor weighted by the seed. */
    const moved = async (data: Float32Array): Promise<number> => {
      const move: RunTensor = { dtype: "float32", dims: shape, data };
      const result = await session.run({ ...c.feeds, [moveInput]: move }, c.signal);
      return dot(tensorNamed(result, session.outputs[0] ?? "", "float32").data, seed.data);
    };
    const slope = async (v: Float32Array, step: number): Promise<number> => {
      const h = (step * length) / norm(v);
      return ((await moved(v.map((x) => h * x))) - (await moved(v.map((x) => -h * x)))) / (2 * h);
    };
    const compare = async (vs: readonly Float32Array[], directions: Row["directions"]): Promise<Row> => {
      const expected = vs.map((v) => dot(gradient, v));
      const tried: { readonly step: number; readonly error: number }[] = [];
      for (const step of steps) {
        const measured: number[] = [];
        for (const v of vs) measured.push(await slope(v, step));
        tried.push({ step, error: relativeError(expected, measured) });
      }
      return { tensor: tensor.name, shape, directions, ...best(tried) };
    };
    // An inner tensor moves in proportion to what it is. Zeros stay: where a ReLU made them, a step would leave the
    // values the layer can have, and where a MaxPool reads several of them the gradient is a convention, no slope.
    const weight = c.model.graph.inputs.includes(tensor) ? () => 1 : (i: number) => Math.abs(at[i] ?? 0);
    const weighted = (v: Float32Array): Float32Array => v.map((x, i) => x * weight(i));
    const random = Array.from({ length: c.directions }, () => weighted(normals(volume(shape), c.uniform)));
    const along = weighted(gradient);
    return [
      ...(norm(along) > 0 ? [await compare([along], "along the gradient")] : []),
      await compare(random, "random"),
    ];
  } finally {
    await session.release();
  }
}

/** The input by which `probeGraph` moves a tensor. */
const moveInput = "backlight/move";

/**
 * The model with the tensor `at` replaced, for everyone who reads it, by `at + move`, where `move` is a new input of
 * its shape. Its only output is the tensor `of`.
 */
export function probeGraph(graph: Graph, at: Value, of: Value): Graph {
  const g = new GraphBuilder({ ...graph, nodes: [] }, "backlight/probe/");
  const type = { dtype: "float32", shape: staticShape(at) } as const;
  const moved: Value = { name: "backlight/moved", type };
  const add: Node = {
    op: "Add",
    domain: "",
    name: "backlight/add-move",
    inputs: [at, g.input(moveInput, type)],
    outputs: [moved],
    attributes: new Map(),
  };
  const redirect = (value: Value | null): Value | null => (value === at ? moved : value);
  const nodes = graph.nodes.flatMap((node) => {
    const redirected = { ...node, inputs: node.inputs.map(redirect) };
    return node.outputs.includes(at) ? [redirected, add] : [redirected];
  });
  g.nodes.push(...(graph.inputs.includes(at) ? [add, ...nodes] : nodes));
  return g.build([of === at ? moved : of]);
}

const open = (c: Comparison, graph: Graph): Promise<Session> =>
  openGraph(c.runtime, c.model, exportModel(graph, { externalWeights: weightFiles(c.model) }), c.model.name, c.signal);

async function run(c: Comparison, graph: Graph, feeds: Feeds): Promise<Record<string, RunTensor>> {
  const session = await open(c, graph);
  try {
    return await session.run(feeds, c.signal);
  } finally {
    await session.release();
  }
}

/** One where the top class is (of a dense tensor: at each location of the top value's channel), zero elsewhere. */
function topClass({ dims, data }: FloatTensor): FloatTensor {
  const top = data.reduce((best, x, i) => (x > (data[best] ?? 0) ? i : best), 0);
  const inner = dims.slice(2).reduce((n, d) => n * d, 1); // channels are the second axis
  const channel = Math.floor(top / inner);
  return {
    dtype: "float32",
    dims,
    data: Float32Array.from(data, (_, i) => (Math.floor(i / inner) === channel ? 1 : 0)),
  };
}

/** Relative to the gradient's own numbers, so a gradient that is zero agrees only with slopes that are. */
export function relativeError(expected: readonly number[], measured: readonly number[]): number {
  const difference = norm(measured.map((m, i) => m - (expected[i] ?? 0)));
  return difference === 0 ? 0 : difference / norm(expected);
}

const best = <T extends { readonly error: number }>(tried: readonly T[]): T =>
  tried.reduce((a, b) => (b.error < a.error || Number.isNaN(a.error) ? b : a));

/** Standard normal numbers by Box and Muller, from uniform ones in [0, 1). */
export function normals(length: number, uniform: () => number): Float32Array {
  const one = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return Float32Array.from({ length }, one);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

const norm = (a: ArrayLike<number>): number => Math.sqrt(dot(a, a));
