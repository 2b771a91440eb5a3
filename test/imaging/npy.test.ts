/** @file .npy: round trip, every type and order, and headers that lie. */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { readNpy, writeNpy } from "../../shared/imaging/npy.ts";

/** A version-1 file with this header text and data. */
function npy(header: string, data: readonly number[] | Uint8Array, version = 1): Uint8Array {
  const text = [...header].map((letter) => letter.charCodeAt(0));
  const length = version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return new Uint8Array([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, ...length, ...text, ...data]);
}

const header = (descr: string, shape: string, fortran = "False"): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;

const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

describe("readNpy", () => {
  it.each([
    ["<f4", bytesOf(Float32Array.of(1.5, -2)), "float32"],
    ["<f8", bytesOf(Float64Array.of(1.5, -2)), "float64"],
    [">f4", [0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0], "float32"],
    ["<f2", [0x00, 0x3e, 0x00, 0xc0], "float16"],
  ])("reads %s", (descr, data, dtype) => {
    const array = readNpy(npy(header(descr, "(2,)"), data));
    expect(array).toMatchObject({ dims: [2], dtype });
    expect([...array.data]).toEqual([1.5, -2]);
  });

  it.each([
    ["|u1", [0, 255], [0, 255]],
    ["|i1", [1, 255], [1, -1]],
    ["<i2", [0xfe, 0xff, 1, 0], [-2, 1]],
    ["<u2", [0xfe, 0xff, 1, 0], [65534, 1]],
    ["<i4", bytesOf(Int32Array.of(-5, 7)), [-5, 7]],
    ["<i8", bytesOf(BigInt64Array.of(-5n, 2n ** 40n)), [-5, 2 ** 40]],
    ["|b1", [0, 1], [0, 1]],
  ])("reads %s", (descr, data, wanted) => {
    expect([...readNpy(npy(header(descr, "(2,)"), data)).data]).toEqual(wanted);
  });

  it("turns Fortran order into C order", () => {
    // [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]] with the first index running fastest.
    const stored = [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11];
    const array = readNpy(npy(header("|u1", "(2, 3, 2)", "True"), stored));
    expect([...array.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it("reads scalars, empty arrays and version 2", () => {
    expect(readNpy(npy(header("|u1", "()"), [9]))).toMatchObject({ dims: [], data: Uint8Array.of(9) });
    expect(readNpy(npy(header("|u1", "(0, 4)"), [])).dims).toEqual([0, 4]);
    expect([...readNpy(npy(header("|u1", "(2,)"), [1, 2], 2)).data]).toEqual([1, 2]);
  });

  it("undoes writeNpy exactly", () => {
    const data = Float32Array.from({ length: 24 }, (_, i) => Math.fround(Math.sin(i) * 10 ** (i - 12)));
    const bytes = writeNpy([2, 3, 4], data);
    const array = readNpy(bytes);
    expect(array.dims).toEqual([2, 3, 4]);
    expect(array.data).toEqual(data);
    expect((bytes.length - 4 * 24) % 64).toBe(0);
  });

  it.each([
    ["no magic", new Uint8Array(80), /does not begin as one/],
    ["a future version", npy(header("|u1", "(1,)"), [1], 9), /version 9/],
    [
      "a shape beyond the data",
      npy(header("<f4", "(1000000, 1000000)"), [1]),
      /needs 4000000000000 bytes, 1 are there/,
    ],
    ["an overflowing shape", npy(header("<f4", `(${"9".repeat(300)},)`), [1]), /needs/],
    ["pickled objects", npy(header("|O", "(1,)"), [1]), /type "O" is not read/],
    [
      "a structured type",
      npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", [1]),
      /not understood/,
    ],
    ["too many dimensions", npy(header("|u1", `(${"1, ".repeat(40)})`), [1]), /40 dimensions/],
    ["a header longer than the file", npy(header("|u1", "(1,)"), []).subarray(0, 30), /cut off inside its header/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => readNpy(bytes)).toThrow(AppError);
    expect(() => readNpy(bytes)).toThrow(message);
  });
});
