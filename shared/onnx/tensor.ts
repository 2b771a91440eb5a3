/** @file TensorProto to constant and back. Raw data stays a view on the file; typed fields are converted once. */
import { AppError } from "../errors.ts";
import { dataTypeCode, dtypeOfCode, elementBytes, volume } from "../graph/constant.ts";
import type { Constant } from "../graph/ir.ts";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { type ExternalFiles, isExternal, readExternal } from "./external.ts";
import { type TensorProto, tensorProto } from "./schema.ts";
import { Reader } from "./wire.ts";

/** No operator takes tensors of a higher rank; a file that claims one is damaged. */
const rankMax = 64;

/**
 * The constant a TensorProto holds. `what` names it in messages, as `initializer "w"`. Strings and types without a
 * fixed element size (`other`) are carried through: their `bytes` are the whole TensorProto.
 */
export function constantOfTensor(tensor: TensorProto, what: string, files: ExternalFiles): Constant {
  const dtype = dtypeOfCode(Number(tensor.data_type ?? 0n));
  const dims = (tensor.dims ?? []).slice(0, rankMax + 1).map(Number);
  const fail = (why: string): never => {
    throw new AppError("model-malformed", `${what} of type ${dtype} [${dims.join(", ")}]: ${why}`);
  };
  if ((tensor.data_type ?? 0n) === 0n) fail("it has no element type");
  if (dims.length > rankMax) fail(`it has ${tensor.dims?.length ?? 0} dimensions`);
  if (dims.some((d) => d < 0)) fail("an extent is negative");
  if (!Number.isSafeInteger(volume(dims))) fail("it has more elements than any memory holds");
  if (tensor.segment !== undefined) fail("it is stored in segments, which nothing writes: save the model anew");

  const size = elementBytes[dtype];
  const name = tensor.name ?? "";
  if (size === 0) return { dtype, dims, bytes: carried(tensor, name, files) };
  const expected = volume(dims) * size;
  const bytes = isExternal(tensor)
    ? readExternal(tensor, name, files)
    : (tensor.raw_data ?? typedData(tensor, size, volume(dims)));
  if (typeof bytes === "number") return fail(`it has ${bytes} elements where its shape takes ${volume(dims)}`);
  if (bytes.length !== expected) return fail(`it has ${bytes.length} bytes of data where its shape takes ${expected}`);
  return { dtype, dims, bytes };
}

/** The TensorProto of a constant; `name` only for initializers. */
export function tensorOfConstant(constant: Constant, name: string | undefined): TensorProto {
  if (elementBytes[constant.dtype] === 0) {
    return { ...decode(tensorProto, constant.bytes), name }; // what constantOfTensor carried
  }
  return { ...headOf(constant), name, raw_data: constant.bytes };
}

/** The same with its bytes in a file: `offset` and `length` in bytes. */
export function externalTensor(constant: Constant, name: string, location: string, offset: number): TensorProto {
  return {
    ...headOf(constant),
    name,
    external_data: [
      { key: "location", value: location },
      { key: "offset", value: String(offset) },
      { key: "length", value: String(constant.bytes.length) },
    ],
    data_location: 1n,
  };
}

const headOf = ({ dtype, dims }: Constant): TensorProto => ({
  dims: dims.map(BigInt),
  data_type: BigInt(dataTypeCode(dtype)),
});

function carried(tensor: TensorProto, name: string, files: ExternalFiles): Uint8Array {
  if (!isExternal(tensor)) return encode(tensorProto, tensor);
  const { data_location: _, external_data: __, ...rest } = tensor;
  return encode(tensorProto, { ...rest, raw_data: readExternal(tensor, name, files) });
}

/**
 * The little-endian bytes of float_data, int32_data and so on: a view where the run of bytes already is that. Where the
 * number of elements is not `count`, that number: nothing is allocated for what the shape only claims.
 */
function typedData(tensor: TensorProto, size: number, count: number): Uint8Array | number {
  const fixed = [...(tensor.float_data ?? []), ...(tensor.double_data ?? [])];
  const varints = [...(tensor.int32_data ?? []), ...(tensor.int64_data ?? []), ...(tensor.uint64_data ?? [])];
  const fixedBytes = fixed.reduce((n, run) => n + run.length, 0);
  const found = fixedBytes / size + varints.reduce((n, run) => n + countVarints(run), 0);
  if (found !== count) return found;
  const [run] = fixed;
  if (run !== undefined && fixed.length === 1 && varints.length === 0) return run;

  const bytes = new Uint8Array(count * size);
  let at = 0;
  for (const part of fixed) {
    bytes.set(part, at);
    at += part.length;
  }
  const view = new DataView(bytes.buffer);
  for (const part of varints) {
    const reader = new Reader(part);
    // Narrow types (and float16's bit patterns) are stored one an int32: the low bytes are the element.
    for (; reader.at < part.length; at += size) writeInteger(view, at, size, reader.int64(part.length));
  }
  return bytes;
}

/** The last byte of a varint is the one without the continuation bit. */
const countVarints = (run: Uint8Array): number => run.reduce((n, byte) => n + (byte < 0x80 ? 1 : 0), 0);

function writeInteger(view: DataView, at: number, size: number, value: bigint): void {
  if (size === 8) view.setBigInt64(at, value, true);
  else if (size === 4) view.setInt32(at, Number(BigInt.asIntN(32, value)), true);
  else if (size === 2) view.setInt16(at, Number(BigInt.asIntN(16, value)), true);
  else view.setInt8(at, Number(BigInt.asIntN(8, value)));
}
