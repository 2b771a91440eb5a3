/**
 * @file Constants: reading their elements and making them. Views where the bytes are aligned, copies only where not.
 */
import { AppError } from "../errors.ts";
import { floatToHalf, halfToFloat } from "../float16.ts";
import type { Constant, DType } from "./ir.ts";

/** Bytes an element takes; 0 where elements have no fixed size (string) or are not ours to compute with. */
export const elementBytes: { readonly [K in DType]: number } = {
  float32: 4,
  float16: 2,
  float64: 8,
  bfloat16: 2,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  bool: 1,
  string: 0,
  other: 0,
};

/** TensorProto.DataType codes of the types we compute with. */
const codes: { readonly [K in Exclude<DType, "other">]: number } = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};
export const dataTypeCode = (dtype: DType): number => (dtype === "other" ? 0 : codes[dtype]);
export const dtypeOfCode = (code: number): DType =>
  (Object.keys(codes) as (keyof typeof codes)[]).find((k) => codes[k] === code) ?? "other";

/** Number of elements of a static shape. */
export const volume = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);

const aligned = ({ bytes }: Constant, size: number): readonly [ArrayBufferLike, number, number] => {
  const exact = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return [exact.buffer, exact.byteOffset, exact.byteLength / size];
};

/** A float32 constant's elements: a view when aligned. */
export function float32s(constant: Constant): Float32Array {
  expectType(constant, "float32");
  return new Float32Array(...aligned(constant, 4));
}

/** An integer or bool constant's elements, exactly. */
export function bigints(constant: Constant): readonly bigint[] {
  switch (constant.dtype) {
    case "int64":
      return Array.from(new BigInt64Array(...aligned(constant, 8)));
    case "uint64":
      return Array.from(new BigUint64Array(...aligned(constant, 8)));
    default:
      return Array.from(numbers(constant), BigInt);
  }
}

/** Any numeric constant's elements as doubles (64-bit integers beyond 2^53 are rounded). */
export function numbers(constant: Constant): ArrayLike<number> & Iterable<number> {
  switch (constant.dtype) {
    case "float32":
      return new Float32Array(...aligned(constant, 4));
    case "float64":
      return new Float64Array(...aligned(constant, 8));
    case "float16":
      return Float32Array.from(new Uint16Array(...aligned(constant, 2)), halfToFloat);
    case "bfloat16": {
      const wide = Uint32Array.from(new Uint16Array(...aligned(constant, 2)), (h) => h << 16);
      return new Float32Array(wide.buffer);
    }
    case "int64":
      return Float64Array.from(new BigInt64Array(...aligned(constant, 8)), Number);
    case "uint64":
      return Float64Array.from(new BigUint64Array(...aligned(constant, 8)), Number);
    case "int32":
      return new Int32Array(...aligned(constant, 4));
    case "uint32":
      return new Uint32Array(...aligned(constant, 4));
    case "int16":
      return new Int16Array(...aligned(constant, 2));
    case "uint16":
      return new Uint16Array(...aligned(constant, 2));
    case "int8":
      return new Int8Array(...aligned(constant, 1));
    case "uint8":
    case "bool":
      return constant.bytes;
    case "string":
    case "other":
      throw new AppError("model-unsupported", `cannot read a ${constant.dtype} tensor as numbers`);
    default:
      return constant.dtype satisfies never;
  }
}

/**
 * Makes a constant of any numeric type from doubles (rounded to the type) or, for 64-bit integers, from bigints too.
 */
export function constantOf(dtype: DType, dims: readonly number[], values: ArrayLike<number>): Constant {
  return { dtype, dims, bytes: encode(dtype, values) };
}

export const int64s = (dims: readonly number[], values: readonly (number | bigint)[]): Constant => {
  const data = BigInt64Array.from(values, BigInt);
  return { dtype: "int64", dims, bytes: new Uint8Array(data.buffer) };
};

function encode(dtype: DType, values: ArrayLike<number>): Uint8Array {
  const bytes = (data: { readonly buffer: ArrayBuffer }): Uint8Array => new Uint8Array(data.buffer);
  switch (dtype) {
    case "float32":
      return bytes(Float32Array.from(values));
    case "float64":
      return bytes(Float64Array.from(values));
    case "float16":
      return bytes(Uint16Array.from(values, floatToHalf));
    case "int64":
      return bytes(BigInt64Array.from(Array.from(values), BigInt));
    case "int32":
      return bytes(Int32Array.from(values));
    case "uint8":
      return bytes(Uint8Array.from(values));
    case "bool":
      return bytes(Uint8Array.from(values, (v) => (v === 0 ? 0 : 1)));
    case "int8":
      return bytes(Int8Array.from(values));
    case "int16":
      return bytes(Int16Array.from(values));
    case "uint16":
      return bytes(Uint16Array.from(values));
    case "uint32":
      return bytes(Uint32Array.from(values));
    case "uint64":
      return bytes(BigUint64Array.from(Array.from(values), BigInt));
    case "bfloat16": {
      // Round to nearest even on the upper half of the float32 pattern.
      const wide = new Uint32Array(Float32Array.from(values).buffer);
      return bytes(Uint16Array.from(wide, (w) => (w + 0x7fff + ((w >>> 16) & 1)) >>> 16));
    }
    case "string":
    case "other":
      throw new AppError("model-unsupported", `cannot make a ${dtype} tensor from numbers`);
    default:
      return dtype satisfies never;
  }
}

function expectType(constant: Constant, dtype: DType): void {
  if (constant.dtype !== dtype) throw new TypeError(`expected ${dtype}, got ${constant.dtype}`);
}
