/**
 * @file Computes at compile time what exporters leave to compute about shapes: integers, booleans, and the mere moving
 * of constants. No floating-point arithmetic: the runtime does that, bit for bit as in the original model.
 */
import { getInt, getInts, getTensor } from "./attributes.ts";
import { bigints, elementBytes, numbers, volume } from "./constant.ts";
import { elementsOf } from "./infer/values.ts";
import type { Inferred } from "./infer.ts";
import type { Constant, DType, Node } from "./ir.ts";

/** Larger results stay nodes: the file would grow by what the runtime computes once when it loads. */
export const foldedElementsMax = 65_536;

/** The first output of a node as a constant, or undefined where it is not ours to compute. */
export function fold(node: Node, [output]: readonly Inferred[]): Constant | undefined {
  if (node.domain !== "" || output?.type === undefined || (node.captured?.length ?? 0) > 0) return undefined;
  const { dtype, shape } = output.type;
  if (!shape.every((d) => typeof d === "number") || volume(shape) > foldedElementsMax) return undefined;
  const dims: readonly number[] = shape;
  const target: Target = { dtype, dims };
  if (isExact(dtype) && output.elements?.every(isSmallInteger)) {
    return integers(target, output.elements.map(BigInt));
  }
  const inputs = node.inputs.map((v) => (v === null ? null : v.constant));
  if (elementBytes[dtype] === 0 || inputs.includes(undefined)) return undefined;
  const constants = inputs.map((c) => c ?? null);
  if (dims.includes(0)) return moves.has(node.op) ? { dtype, dims, bytes: new Uint8Array() } : undefined;
  return (
    moves.get(node.op)?.(node, constants, target) ?? (isExact(dtype) ? compute(node, constants, target) : undefined)
  );
}

interface Target {
  readonly dtype: DType;
  readonly dims: readonly number[];
}
type Constants = readonly (Constant | null)[];
type Move = (node: Node, inputs: Constants, target: Target) => Constant | undefined;

const isExact = (dtype: DType): boolean => dtype === "bool" || /^u?int/.test(dtype);

/** Tracked elements saturate at the safe range: at its end the true value is not known. */
const isSmallInteger = (e: unknown): e is number =>
  Number.isInteger(e) && Math.abs(Number(e)) < Number.MAX_SAFE_INTEGER;

// --- moving ----------------------------------------------------------------------------------------------------------

const reshaped: Move = (_node, [x], { dims }) => (x ? { ...x, dims } : undefined);

const moves: ReadonlyMap<string, Move> = new Map<string, Move>([
  ["Reshape", reshaped],
  ["Flatten", reshaped],
  ["Squeeze", reshaped],
  ["Unsqueeze", reshaped],
  ["Transpose", transpose],
  ["Expand", expand],
  ["Slice", slice],
  ["Concat", concat],
  ["Gather", gather],
]);

/** Steps between neighbours along each axis, in elements. */
const stridesOf = (dims: readonly number[]): readonly number[] => dims.map((_, i) => volume(dims.slice(i + 1)));

/** The elements at `offset + coordinates . strides`, for all coordinates of `dims`. */
function strided(x: Constant, dims: readonly number[], strides: readonly number[], offset = 0): Constant {
  let places = [offset];
  dims.forEach((extent, axis) => {
    const step = strides[axis] ?? 0;
    places = places.flatMap((place) => Array.from({ length: extent }, (_, i) => place + i * step));
  });
  const size = elementBytes[x.dtype];
  const bytes = new Uint8Array(places.length * size);
  places.forEach((place, i) => {
    bytes.set(x.bytes.subarray(place * size, (place + 1) * size), i * size);
  });
  return { dtype: x.dtype, dims, bytes };
}

function transpose(node: Node, [x]: Constants, { dims }: Target): Constant | undefined {
  if (!x) return undefined;
  const strides = stridesOf(x.dims);
  const perm = getInts(node, "perm") ?? [...x.dims.keys()].reverse();
  return strided(
    x,
    dims,
    perm.map((p) => strides.at(p) ?? 0),
  );
}

/** Stretched axes are walked with step 0. */
const stretchedStrides = (from: readonly number[], to: readonly number[]): readonly number[] => {
  const strides = stridesOf(from);
  return to.map((_, i) => {
    const axis = i - to.length + from.length;
    return (from[axis] ?? 1) === 1 ? 0 : (strides[axis] ?? 0);
  });
};

function expand(_node: Node, [x]: Constants, { dims }: Target): Constant | undefined {
  return x ? strided(x, dims, stretchedStrides(x.dims, dims)) : undefined;
}

function slice(node: Node, [x]: Constants, { dims }: Target): Constant | undefined {
  const [starts, axes, steps] = [1, 3, 4].map((i) => {
    const value = node.inputs[i];
    return value ? elementsOf(value)?.map(Number) : undefined;
  });
  if (!x || !starts) return undefined;
  const strides = [...stridesOf(x.dims)];
  let offset = 0;
  starts.forEach((start, i) => {
    const given = axes?.[i] ?? i;
    const axis = given < 0 ? given + x.dims.length : given;
    const [extent, step] = [x.dims[axis] ?? 1, steps?.[i] ?? 1];
    const counted = start < 0 ? start + extent : start;
    offset += Math.max(0, Math.min(counted, step > 0 ? extent : extent - 1)) * (strides[axis] ?? 0);
    strides[axis] = (strides[axis] ?? 0) * step;
  });
  return strided(x, dims, strides, offset);
}

function concat(node: Node, inputs: Constants, { dtype, dims }: Target): Constant | undefined {
  const parts = inputs.filter((c) => c !== null);
  const given = getInt(node, "axis", 0);
  const axis = given < 0 ? given + dims.length : given;
  const size = elementBytes[dtype];
  const bytes = new Uint8Array(volume(dims) * size);
  let at = 0;
  for (let outer = 0; outer < volume(dims.slice(0, axis)); outer += 1) {
    for (const part of parts) {
      const run = volume(part.dims.slice(axis)) * size;
      bytes.set(part.bytes.subarray(outer * run, (outer + 1) * run), at);
      at += run;
    }
  }
  return { dtype, dims, bytes };
}

function gather(node: Node, [x, indices]: Constants, { dtype, dims }: Target): Constant | undefined {
  if (!x || !indices) return undefined;
  const given = getInt(node, "axis", 0);
  const axis = given < 0 ? given + x.dims.length : given;
  const extent = x.dims[axis] ?? 1;
  const run = volume(x.dims.slice(axis + 1)) * elementBytes[dtype];
  const picked = Array.from(numbers(indices), (i) => (i < 0 ? i + extent : i));
  if (picked.some((i) => i < 0 || i >= extent)) return undefined; // the runtime will say so
  const bytes = new Uint8Array(volume(dims) * elementBytes[dtype]);
  for (let outer = 0; outer < volume(x.dims.slice(0, axis)); outer += 1) {
    picked.forEach((index, i) => {
      const from = (outer * extent + index) * run;
      bytes.set(x.bytes.subarray(from, from + run), (outer * picked.length + i) * run);
    });
  }
  return { dtype, dims, bytes };
}

// --- integers --------------------------------------------------------------------------------------------------------

const truth = (value: boolean): bigint => (value ? 1n : 0n);

type Operation = (a: bigint, b: bigint, c: bigint) => bigint | undefined;

/** On the elements of the inputs, broadcast, by operator and number of them; undefined where it has no value. */
const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["Neg/1", (a) => -a],
  ["Abs/1", (a) => (a < 0n ? -a : a)],
  ["Not/1", (a) => 1n - a],
  ["Cast/1", (a) => a],
  ["Identity/1", (a) => a],
  ["Add/2", (a, b) => a + b],
  ["Sub/2", (a, b) => a - b],
  ["Mul/2", (a, b) => a * b],
  ["Div/2", (a, b) => (b === 0n ? undefined : a / b)],
  ["Min/2", (a, b) => (a - b < 0n ? a : b)],
  ["Max/2", (a, b) => (a - b > 0n ? a : b)],
  ["Equal/2", (a, b) => truth(a === b)],
  ["Greater/2", (a, b) => truth(a > b)],
  ["GreaterOrEqual/2", (a, b) => truth(a >= b)],
  ["Less/2", (a, b) => truth(a < b)],
  ["LessOrEqual/2", (a, b) => truth(a <= b)],
  ["And/2", (a, b) => a & b],
  ["Or/2", (a, b) => a | b],
  ["Xor/2", (a, b) => a ^ b],
  ["Where/3", (when, a, b) => (when === 0n ? b : a)],
]);

function compute(node: Node, inputs: Constants, target: Target): Constant | undefined {
  if (node.op === "ConstantOfShape") {
    const value = getTensor(node, "value");
    const fill = value && isExact(value.dtype) ? bigints(value)[0] : undefined;
    return fill === undefined ? undefined : integers(target, new Array<bigint>(volume(target.dims)).fill(fill));
  }
  const operands = inputs.filter((c) => c !== null);
  const operation = operations.get(`${node.op}/${operands.length}`);
  if (operation === undefined || !operands.every((c) => isExact(c.dtype))) return undefined;
  const [a, b, c] = operands.map((x) => bigints(strided(x, target.dims, stretchedStrides(x.dims, target.dims))));
  const results = Array.from({ length: volume(target.dims) }, (_, i) =>
    operation(a?.[i] ?? 0n, b?.[i] ?? 0n, c?.[i] ?? 0n),
  );
  return results.every((r) => r !== undefined) ? integers(target, results) : undefined;
}

/** Integers in the target's type, wrapped around as the machine does; bool is 0 or 1. */
function integers({ dtype, dims }: Target, values: readonly bigint[]): Constant {
  const size = elementBytes[dtype];
  const bytes = new Uint8Array(values.length * size);
  values.forEach((value, i) => {
    let rest = BigInt.asUintN(8 * size, dtype === "bool" ? truth(value !== 0n) : value);
    for (let b = 0; b < size; b += 1, rest >>= 8n) bytes[i * size + b] = Number(rest & 0xffn);
  });
  return { dtype, dims, bytes };
}
