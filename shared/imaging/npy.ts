/** @file The .npy format of NumPy (version 1 to 3): one array with its shape. Pickled objects are refused. */
import { AppError } from "../errors.ts";
import { halfToFloat } from "../float16.ts";

/** An array in C order. 64-bit integers beyond 2^53 lose precision here; a tensor given as input has none. */
export interface NpyArray {
  readonly dims: readonly number[];
  readonly dtype:
    | "float16"
    | "float32"
    | "float64"
    | "int8"
    | "int16"
    | "int32"
    | "int64"
    | "uint8"
    | "uint16"
    | "bool";
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** NumPy itself writes headers of 64 to some hundred bytes; a structured type's is longer, and not read. */
const MAX_HEADER_BYTES = 10_000;
/** NumPy's own limit on dimensions. */
const MAX_RANK = 32;

function malformed(what: string): AppError {
  return new AppError("image-unreadable", `cannot read the .npy array: ${what}`);
}

interface Dtype {
  readonly name: NpyArray["dtype"];
  readonly bytes: number;
  readonly allocate: (length: number) => NpyArray["data"];
  readonly read: (view: DataView, at: number, little: boolean) => number;
}

const float32s = (length: number): Float32Array => new Float32Array(length);
const float64s = (length: number): Float64Array => new Float64Array(length);
const int32s = (length: number): Int32Array => new Int32Array(length);
const bytes8 = (length: number): Uint8Array => new Uint8Array(length);

const dtypes: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ["f2", { name: "float16", bytes: 2, allocate: float32s, read: (v, at, le) => halfToFloat(v.getUint16(at, le)) }],
  ["f4", { name: "float32", bytes: 4, allocate: float32s, read: (v, at, le) => v.getFloat32(at, le) }],
  ["f8", { name: "float64", bytes: 8, allocate: float64s, read: (v, at, le) => v.getFloat64(at, le) }],
  ["i1", { name: "int8", bytes: 1, allocate: int32s, read: (v, at) => v.getInt8(at) }],
  ["i2", { name: "int16", bytes: 2, allocate: int32s, read: (v, at, le) => v.getInt16(at, le) }],
  ["i4", { name: "int32", bytes: 4, allocate: int32s, read: (v, at, le) => v.getInt32(at, le) }],
  ["i8", { name: "int64", bytes: 8, allocate: float64s, read: (v, at, le) => Number(v.getBigInt64(at, le)) }],
  ["u1", { name: "uint8", bytes: 1, allocate: bytes8, read: (v, at) => v.getUint8(at) }],
  ["u2", { name: "uint16", bytes: 2, allocate: int32s, read: (v, at, le) => v.getUint16(at, le) }],
  ["b1", { name: "bool", bytes: 1, allocate: bytes8, read: (v, at) => v.getUint8(at) }],
]);

interface Header {
  readonly dtype: Dtype;
  readonly little: boolean;
  readonly fortran: boolean;
  readonly dims: readonly number[];
  readonly dataStart: number;
}

function readNpyHeader(bytes: Uint8Array): Header {
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte)) throw malformed("it does not begin as one");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) throw malformed(`version ${version} is unknown; 1, 2 and 3 are read`);
  const headerStart = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES) throw malformed(`its header claims ${length} bytes, more than ${MAX_HEADER_BYTES}`);
  if (headerStart + length > bytes.length) throw malformed("it is cut off inside its header");
  const text = String.fromCharCode(...bytes.subarray(headerStart, headerStart + length));
  const descr = /'descr'\s*:\s*'([<>|=]?)(\w+)'/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text);
  if (descr === null || order === null || shape === null)
    throw malformed(`its header "${text.trim()}" is not understood`);
  const dtype = dtypes.get(descr[2] ?? "");
  if (dtype === undefined) {
    const known = [...dtypes.values()].map(({ name }) => name).join(", ");
    throw malformed(`its type "${descr[2]}" is not read; save it as one of ${known}`);
  }
  const dims = (shape[1] ?? "").match(/\d+/g)?.map(Number) ?? [];
  if (dims.length > MAX_RANK) throw malformed(`it has ${dims.length} dimensions, more than ${MAX_RANK}`);
  const dataStart = headerStart + length;
  return { dtype, little: descr[1] !== ">", fortran: order[1] === "True", dims, dataStart };
}

/** The C-order index of each element of an array stored in Fortran order, element by element. */
function* fortranTargets(dims: readonly number[]): Generator<number> {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  const index = dims.map(() => 0);
  const total = dims.reduce((product, dim) => product * dim, 1);
  for (let i = 0; i < total; i++) {
    yield index.reduce((sum, at, axis) => sum + at * (strides[axis] ?? 0), 0);
    for (let axis = 0; axis < dims.length; axis++) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next === dims[axis] ? 0 : next;
      if (index[axis] !== 0) break;
    }
  }
}

/** Reads a .npy file. Throws `image-unreadable` for hostile headers, unknown types and cut-off data. */
export function readNpy(bytes: Uint8Array): NpyArray {
  const { dtype, little, fortran, dims, dataStart } = readNpyHeader(bytes);
  const total = dims.reduce((product, dim) => product * dim, 1);
  const available = bytes.length - dataStart;
  // Compared before anything is allocated: the shape is the file's claim.
  if (total * dtype.bytes > available) {
    const announced = `shape [${dims}] of ${dtype.name} needs ${total * dtype.bytes} bytes`;
    throw malformed(`its ${announced}, ${available} are there`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + dataStart, available);
  const data = dtype.allocate(total);
  if (fortran && dims.length > 1) {
    let i = 0;
    for (const target of fortranTargets(dims)) data[target] = dtype.read(view, i++ * dtype.bytes, little);
  } else {
    for (let i = 0; i < total; i++) data[i] = dtype.read(view, i * dtype.bytes, little);
  }
  return { dims, dtype: dtype.name, data };
}

/** Writes float32 in C order, version 1.0, little endian; the data begins at a multiple of 64 bytes. */
export function writeNpy(dims: readonly number[], data: Float32Array): Uint8Array {
  const total = dims.reduce((product, dim) => product * dim, 1);
  if (total !== data.length) throw new RangeError(`shape [${dims}] has ${total} elements, the data ${data.length}`);
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(", ");
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  const headerEnd = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(headerEnd + 4 * total).fill(0x20, 10, headerEnd);
  bytes.set([...MAGIC, 1, 0]);
  const view = new DataView(bytes.buffer);
  view.setUint16(8, headerEnd - 10, true);
  for (let i = 0; i < text.length; i++) bytes[10 + i] = text.charCodeAt(i);
  bytes[headerEnd - 1] = 0x0a;
  for (let i = 0; i < total; i++) view.setFloat32(headerEnd + 4 * i, data[i]!, true);
  return bytes;
}
