/** @file Pictures that store numbers: palette indices and grey samples come out as they stand. */
import { crc32, deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decodePng, decodePngNumbers } from "../../shared/imaging/png.ts";

/** A PNG of 4 x 1 pixels with 2 bits each: 0, 1, 2, 3. */
function png(colourType: 0 | 3): Uint8Array {
  const chunk = (type: string, data: readonly number[]): Buffer => {
    const body = Buffer.from([...Buffer.from(type, "latin1"), ...data]);
    const frame = Buffer.alloc(body.length + 8);
    frame.writeUInt32BE(data.length, 0);
    body.copy(frame, 4);
    frame.writeUInt32BE(crc32(body), body.length + 4);
    return frame;
  };
  const palette = [10, 20, 30, 200, 0, 0, 0, 200, 0, 0, 0, 200];
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", [0, 0, 0, 4, 0, 0, 0, 1, 2, colourType, 0, 0, 0]),
    ...(colourType === 3 ? [chunk("PLTE", palette)] : []),
    chunk("IDAT", [...deflateSync(Buffer.from([0, 0b00011011]))]),
    chunk("IEND", []),
  ]);
}

describe("a picture of numbers", () => {
  it("gives the indices of a palette, whatever its colours", () => {
    expect([...decodePngNumbers(png(3)).data]).toEqual([0, 1, 2, 3]);
    expect([...decodePng(png(3)).data.subarray(0, 6)]).toEqual([10, 20, 30, 200, 0, 0]);
  });

  it("gives grey samples unscaled, where as a photo they span black to white", () => {
    expect(decodePngNumbers(png(0))).toEqual({ width: 4, height: 1, data: Uint8Array.of(0, 1, 2, 3) });
    expect([...decodePng(png(0)).data.filter((_, i) => i % 3 === 0)]).toEqual([0, 85, 170, 255]);
  });
});
