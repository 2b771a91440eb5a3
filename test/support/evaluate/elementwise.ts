/** @file Operators that work element by element, after broadcasting. */
import { getFloat, getInt, getString } from "../../../shared/graph/attributes.ts";
import { dtypeOfCode } from "../../../shared/graph/constant.ts";
import type { DType, Node } from "../../../shared/graph/ir.ts";
import { erf, roundHalfEven, sigmoid, softplus } from "./special.ts";
import {
  broadcast,
  broadcastDims,
  type Call,
  get,
  input,
  type Operator,
  type Operators,
  type Tensor,
} from "./tensor.ts";

const map = (t: Tensor, f: (x: number) => number): Tensor => ({ dims: t.dims, data: t.data.map(f) });

/** One operand; the function may read attributes first. */
const unary =
  (f: (node: Node) => (x: number) => number): Operator =>
  (call) =>
    map(input(call, 0), f(call.node));
const plain = (f: (x: number) => number): Operator => unary(() => f);

/** Any number of operands, broadcast together. */
function zip(operands: readonly Tensor[], f: (values: readonly number[]) => number): Tensor {
  const dims = broadcastDims(operands.map((t) => t.dims));
  const spread = operands.map((t) => broadcast(t, dims));
  const data = new Float64Array(spread[0]?.data.length ?? 0);
  for (let i = 0; i < data.length; i++) data[i] = f(spread.map((t) => get(t.data, i)));
  return { dims, data };
}

const present = ({ inputs }: Call): Tensor[] => inputs.filter((t) => t !== undefined);
const binary =
  (f: (a: number, b: number) => number): Operator =>
  (call) =>
    zip([input(call, 0), input(call, 1)], (values) => f(get(values, 0), get(values, 1)));
const variadic =
  (f: (values: readonly number[]) => number): Operator =>
  (call) =>
    zip(present(call), f);
const truth = (condition: boolean): number => (condition ? 1 : 0);

const integerTypes: ReadonlySet<DType> = new Set([
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
]);

/** Integers are doubles here, so only the declared type says that 7 / 2 is 3. */
const isInteger = (node: Node): boolean => integerTypes.has(node.inputs[0]?.type?.dtype ?? "float64");

const gelu = (node: Node): ((x: number) => number) =>
  getString(node, "approximate", "none") === "tanh"
    ? (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
    : (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));

const activations: Operators = {
  Relu: plain((x) => Math.max(x, 0)),
  LeakyRelu: unary((node) => {
    const alpha = getFloat(node, "alpha", 0.01);
    return (x) => (x < 0 ? alpha * x : x);
  }),
  ThresholdedRelu: unary((node) => {
    const alpha = getFloat(node, "alpha", 1);
    return (x) => (x > alpha ? x : 0);
  }),
  Elu: unary((node) => {
    const alpha = getFloat(node, "alpha", 1);
    return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
  }),
  Selu: unary((node) => {
    const alpha = getFloat(node, "alpha", 1.6732631921768188);
    const gamma = getFloat(node, "gamma", 1.0507010221481323);
    return (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x));
  }),
  Celu: unary((node) => {
    const alpha = getFloat(node, "alpha", 1);
    return (x) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha));
  }),
  HardSigmoid: unary((node) => {
    const alpha = getFloat(node, "alpha", 0.2);
    const beta = getFloat(node, "beta", 0.5);
    return (x) => Math.max(0, Math.min(1, alpha * x + beta));
  }),
  HardSwish: plain((x) => x * Math.max(0, Math.min(1, x / 6 + 0.5))),
  Sigmoid: plain(sigmoid),
  Softplus: plain(softplus),
  Softsign: plain((x) => x / (1 + Math.abs(x))),
  Mish: plain((x) => x * Math.tanh(softplus(x))),
  Gelu: unary(gelu),
  Swish: unary((node) => {
    const alpha = getFloat(node, "alpha", 1);
    return (x) => x * sigmoid(alpha * x);
  }),
  Shrink: unary((node) => {
    const lambda = getFloat(node, "lambd", 0.5);
    const bias = getFloat(node, "bias", 0);
    return (x) => (x < -lambda ? x + bias : x > lambda ? x - bias : 0);
  }),
  PRelu: binary((x, slope) => (x < 0 ? slope * x : x)),
};

const functions: Operators = {
  Identity: plain((x) => x),
  Abs: plain(Math.abs),
  Neg: plain((x) => -x),
  Sign: plain(Math.sign),
  Exp: plain(Math.exp),
  Log: plain(Math.log),
  Sqrt: plain(Math.sqrt),
  Reciprocal: plain((x) => 1 / x),
  Erf: plain(erf),
  Sin: plain(Math.sin),
  Cos: plain(Math.cos),
  Tan: plain(Math.tan),
  Asin: plain(Math.asin),
  Acos: plain(Math.acos),
  Atan: plain(Math.atan),
  Sinh: plain(Math.sinh),
  Cosh: plain(Math.cosh),
  Tanh: plain(Math.tanh),
  Asinh: plain(Math.asinh),
  Acosh: plain(Math.acosh),
  Atanh: plain(Math.atanh),
  Floor: plain(Math.floor),
  Ceil: plain(Math.ceil),
  Round: plain(roundHalfEven),
  Not: plain((x) => truth(x === 0)),
  IsNaN: plain((x) => truth(Number.isNaN(x))),
  IsInf: plain((x) => truth(Math.abs(x) === Number.POSITIVE_INFINITY)),
  // To a floating type nothing is rounded: the interpreter computes what exact arithmetic would.
  Cast: unary((node) => castTo(dtypeOfCode(getInt(node, "to", 1)))),
  CastLike: (call) => map(input(call, 0), castTo(call.node.inputs[1]?.type?.dtype ?? "float64")),
};

function castTo(dtype: DType): (x: number) => number {
  if (dtype === "bool") return (x) => truth(x !== 0);
  return integerTypes.has(dtype) ? Math.trunc : (x) => x;
}

const arithmetic: Operators = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: (call) => binary(isInteger(call.node) ? (a, b) => Math.trunc(a / b) : (a, b) => a / b)(call),
  Pow: binary((a, b) => a ** b),
  // fmod = 1 takes the sign of the dividend, as C does; otherwise that of the divisor, as Python does.
  Mod: (call) =>
    binary(getInt(call.node, "fmod", 0) === 1 ? (a, b) => a % b : (a, b) => a - b * Math.floor(a / b))(call),
  Sum: variadic((values) => values.reduce((a, b) => a + b)),
  Mean: variadic((values) => values.reduce((a, b) => a + b) / values.length),
  Max: variadic((values) => Math.max(...values)),
  Min: variadic((values) => Math.min(...values)),
  Where: (call) =>
    zip([input(call, 0), input(call, 1), input(call, 2)], (v) => (get(v, 0) !== 0 ? get(v, 1) : get(v, 2))),
  Clip: (call) => {
    const low = call.inputs[1]?.data[0] ?? Number.NEGATIVE_INFINITY;
    const high = call.inputs[2]?.data[0] ?? Number.POSITIVE_INFINITY;
    return map(input(call, 0), (x) => Math.min(Math.max(x, low), high));
  },
};

const comparisons: Operators = {
  Equal: binary((a, b) => truth(a === b)),
  Greater: binary((a, b) => truth(a > b)),
  GreaterOrEqual: binary((a, b) => truth(a >= b)),
  Less: binary((a, b) => truth(a < b)),
  LessOrEqual: binary((a, b) => truth(a <= b)),
  And: binary((a, b) => truth(a !== 0 && b !== 0)),
  Or: binary((a, b) => truth(a !== 0 || b !== 0)),
  Xor: binary((a, b) => truth((a !== 0) !== (b !== 0))),
};

export const elementwise: Operators = { ...activations, ...functions, ...arithmetic, ...comparisons };
