/**
 * @file The gradient checker: what the sweep writes, against central differences, both on the float64 interpreter. A
 * case says how to build a forward graph; everything else (inputs, directions, weights) is drawn from a printed seed.
 */
import { backward } from "../../shared/autodiff/backward.ts";
import { rules } from "../../shared/autodiff/rules.ts";
import type { RuleTable } from "../../shared/autodiff/vjp.ts";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf } from "../../shared/graph/constant.ts";
import type { DType, Shape, Value } from "../../shared/graph/ir.ts";
import { type Draw, spread } from "./draw.ts";
import { evaluate, type Tensor, tensor } from "./evaluate.ts";
import { random } from "./random.ts";

/** What a case builds with: the builder, and makers of the constants it needs. */
export interface Bench {
  readonly g: GraphBuilder;
  /** The floating-point type under test. */
  readonly dtype: DType;
  /** A constant whose gradient is checked too. */
  readonly weight: (dims: readonly number[], draw?: Draw) => Value;
  /** A constant whose gradient nobody asks for: a bound, a running mean. */
  readonly fixed: (dims: readonly number[], values: readonly number[]) => Value;
}

export interface GradientCase {
  /** Inputs, all floating-point and all checked. A symbolic dimension is tried with each extent of `extents`. */
  readonly inputs: readonly Shape[];
  /** The outputs, each given a random cotangent. */
  readonly build: (bench: Bench, ...xs: Value[]) => Value | readonly Value[];
  /** How inputs are drawn: the same for all, or one each. Must stay clear of kinks. */
  readonly draw?: Draw | readonly Draw[];
  readonly extents?: Readonly<Record<string, readonly number[]>>;
  readonly opset?: number;
}

export interface CheckOptions {
  readonly table?: RuleTable;
  /** The sweep under test; a mutant of it, when the checker is put to the test. */
  readonly sweep?: typeof backward;
  readonly seeds?: readonly number[];
  readonly dtypes?: readonly ("float64" | "float32")[];
}

/** Half the distance of the central difference: its own error is then about 1e-11 both from curvature and rounding. */
const step = 1e-5;
/** Constants the rules write are rounded to the graph's type (2^-24 in float32); the evaluation itself is float64. */
const tolerances = { float64: 1e-7, float32: 2e-6 } as const;
/**
 * Slopes below this fraction of the objective's own size are compared absolutely: the objective is rounded to about
 * 1e-15 of its size, so its difference quotient is uncertain by 1e-10 of it.
 */
const slopeMin = 1e-2;
/** Gradients of at most so many elements are compared one by one too, which names the element at fault. */
const elementsMax = 24;
export const seeds: readonly number[] = [0xdeadbeef, 0x5eed];
const extentsTried = [1, 3];

/**
 * Throws unless every gradient of the case agrees with the slope: in float64 and in float32 types (rules may lower the
 * two differently), for every seed, for every extent of a symbolic dimension.
 */
export function checkGradient(check: GradientCase, options: CheckOptions = {}): void {
  for (const dtype of options.dtypes ?? (["float64", "float32"] as const)) {
    for (const seed of options.seeds ?? seeds) {
      for (const extents of assignments(check))
        checkOnce(check, { dtype, seed, extents, table: options.table ?? rules, sweep: options.sweep ?? backward });
    }
  }
}

/** The operators of the case's forward graph. */
export const operatorsOf = (check: GradientCase): ReadonlySet<string> =>
  new Set(assemble(check, "float64", 0).g.nodes.map((node) => node.op));

interface Trial {
  readonly dtype: "float64" | "float32";
  readonly seed: number;
  readonly extents: ReadonlyMap<string, number>;
  readonly table: RuleTable;
  readonly sweep: typeof backward;
}

/** The forward graph of a case. */
export function assemble(check: GradientCase, dtype: DType, seed: number) {
  const next = random(seed ^ 0x9e3779b9);
  const g = new GraphBuilder(emptyGraph(check.opset));
  const weights: Value[] = [];
  const inputs = check.inputs.map((shape, i) => g.input(`x${i}`, { dtype, shape }));
  const constant = (dims: readonly number[], values: readonly number[]): Value =>
    g.constant(constantOf(dtype, dims, values));
  const weight = (dims: readonly number[], draw: Draw = spread): Value => {
    const value = constant(dims, draw(next, volume(dims)));
    weights.push(value);
    return value;
  };
  const built = check.build({ g, dtype, weight, fixed: constant }, ...inputs);
  const outputs: readonly Value[] = isValue(built) ? [built] : built;
  return { g, inputs, weights, outputs };
}

/** Values for the inputs of a case. */
export function drawInputs(
  check: GradientCase,
  inputs: readonly Value[],
  extents: ReadonlyMap<string, number>,
  next: () => number,
): Map<Value, Tensor> {
  const drawn = new Map<Value, Tensor>();
  inputs.forEach((x, i) => {
    const dims = resolve(check.inputs[i] ?? [], extents);
    const draw = (Array.isArray(check.draw) ? check.draw[i] : check.draw) ?? spread;
    drawn.set(x, tensor(dims, draw(next, volume(dims))));
  });
  return drawn;
}

const isValue = (built: Value | readonly Value[]): built is Value => "name" in built;
const volume = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);

function checkOnce(check: GradientCase, trial: Trial): void {
  const { g, inputs, weights, outputs } = assemble(check, trial.dtype, trial.seed);
  const forward = [...g.nodes];
  const next = random(trial.seed);
  const feeds = drawInputs(check, inputs, trial.extents, next);
  const at = evaluate({ nodes: forward }, feeds);
  const wanted = [...inputs, ...weights];
  const cotangents = new Map<Value, Value>();
  outputs.forEach((y, i) => {
    if (y.type === undefined) throw new Error(`the type of output ${i} ("${y.name}") was not inferred`);
    const u = g.input(`u${i}`, y.type);
    const { dims } = take(at, y);
    feeds.set(u, tensor(dims, spread(next, volume(dims))));
    cotangents.set(y, u);
  });

  const gradients = trial.sweep(g, cotangents, wanted, trial.table);
  const found = evaluate(g.build([...outputs, ...gradients]), feeds);
  /** <u, f(x)>, with one of the wanted values replaced. */
  const objective = (value: Value, by: Tensor): number => {
    const moved = evaluate({ nodes: forward }, new Map(feeds).set(value, by));
    return sum(outputs.map((y) => dot(take(moved, y), take(feeds, take(cotangents, y)))));
  };

  const objectiveSize = sum(
    outputs.map((y) => dot(magnitude(take(at, y)), magnitude(take(feeds, take(cotangents, y))))),
  );

  wanted.forEach((value, i) => {
    const gradient = gradients[i] ?? value;
    const [x, dx] = [take(at, value), take(found, gradient)];
    const where = `${describe(value, inputs, weights)}, ${trial.dtype}, seed 0x${(trial.seed >>> 0).toString(16)}`;
    if (String(dx.dims) !== String(x.dims)) throw new Error(`gradient [${dx.dims}] of a value [${x.dims}] (${where})`);
    if (String(gradient.type?.shape) !== String(value.type?.shape) || gradient.type?.dtype !== value.type?.dtype) {
      throw new Error(`gradient is said to be ${typeText(gradient)}, the value is ${typeText(value)} (${where})`);
    }
    const compare = (along: Tensor, size: number, what: string): void => {
      const slope = (objective(value, plus(x, step, along)) - objective(value, plus(x, -step, along))) / (2 * step);
      const claimed = dot(dx, along);
      const error = Math.abs(claimed - slope) / Math.max(size, Math.abs(slope), slopeMin * objectiveSize);
      if (!(error <= tolerances[trial.dtype])) {
        throw new Error(`gradient ${claimed}, slope ${slope}, relative error ${error} along ${what} (${where})`);
      }
    };
    const v = tensor(x.dims, spread(next, x.data.length));
    const products = Array.from(dx.data, (d, k) => Math.abs(d * (v.data[k] ?? 0)));
    compare(v, sum(products), "a random direction");
    if (x.data.length > elementsMax) return;
    const largest = Math.max(...dx.data.map(Math.abs));
    for (let k = 0; k < x.data.length; k++) compare(unit(x.dims, k), largest, `element ${k}`);
  });
}

/** Every way to give the symbolic dimensions extents. */
export function assignments({ inputs, extents = {} }: GradientCase): readonly ReadonlyMap<string, number>[] {
  const symbols = [...new Set(inputs.flat().filter((d) => typeof d === "string"))];
  let all: ReadonlyMap<string, number>[] = [new Map()];
  for (const symbol of symbols) {
    all = all.flatMap((one) => (extents[symbol] ?? extentsTried).map((extent) => new Map(one).set(symbol, extent)));
  }
  return all;
}

const resolve = (shape: Shape, extents: ReadonlyMap<string, number>): readonly number[] =>
  shape.map((d) => (typeof d === "number" ? d : take(extents, d)));

function take<K, V>(map: ReadonlyMap<K, V>, key: K): V {
  const found = map.get(key);
  if (found === undefined) throw new Error(`no value for ${JSON.stringify(key)}`);
  return found;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const magnitude = (x: Tensor): Tensor => ({ dims: x.dims, data: x.data.map(Math.abs) });
const dot = (a: Tensor, b: Tensor): number => {
  if (String(a.dims) !== String(b.dims)) throw new Error(`product of [${a.dims}] and [${b.dims}]`);
  return sum(Array.from(a.data, (v, i) => v * (b.data[i] ?? 0)));
};
const plus = (x: Tensor, by: number, along: Tensor): Tensor => ({
  dims: x.dims,
  data: x.data.map((v, i) => v + by * (along.data[i] ?? 0)),
});
const unit = (dims: readonly number[], index: number): Tensor =>
  tensor(
    dims,
    Array.from({ length: volume(dims) }, (_, i) => (i === index ? 1 : 0)),
  );
const typeText = ({ type }: Value): string => (type ? `${type.dtype}[${type.shape.join(",")}]` : "of unknown type");
const describe = (value: Value, inputs: readonly Value[], weights: readonly Value[]): string =>
  inputs.includes(value) ? `input ${inputs.indexOf(value)}` : `weight ${weights.indexOf(value)}`;
