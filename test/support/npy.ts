/** @file Reads NumPy's .npy files of little-endian numbers in C order, as the golden files are. */
import { readFileSync } from "node:fs";
import { type Tensor, tensor } from "./evaluate/tensor.ts";

/** How each element type is stored. */
const readers: Readonly<Record<string, (buffer: ArrayBuffer) => ArrayLike<number>>> = {
  "<f4": (buffer) => new Float32Array(buffer),
  "<f8": (buffer) => new Float64Array(buffer),
  "|u1": (buffer) => new Uint8Array(buffer),
  "<i4": (buffer) => new Int32Array(buffer),
  "<i8": (buffer) => Float64Array.from(new BigInt64Array(buffer), Number),
};

/** Parses the bytes of an .npy file: magic, version, header length, a Python dict, data. */
export function parseNpy(bytes: Uint8Array): Tensor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes[6] !== 1; // version 1 has a 16-bit header length
  const start = (long ? 12 : 10) + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(10, start));
  const kind = /'descr': '([^']+)'/.exec(header)?.[1] ?? "";
  const dims =
    /'shape': \(([^)]*)\)/
      .exec(header)?.[1]
      ?.split(",")
      .filter((d) => d.trim() !== "")
      .map(Number) ?? [];
  const read = readers[kind];
  if (read === undefined || /'fortran_order': True/.test(header)) throw new RangeError(`cannot read .npy ${header}`);
  return tensor(dims, read(Uint8Array.from(bytes.subarray(start)).buffer)); // a copy, so aligned
}

export const readNpy = (path: string): Tensor => parseNpy(readFileSync(path));
