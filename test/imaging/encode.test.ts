/** @file Encoding: lossless where promised, the same bytes every time, and the file type asked for. */
import { describe, expect, it } from "vitest";
import { decodeImage } from "../../shared/imaging/decode.ts";
import { encodeImage } from "../../shared/imaging/encode.ts";
import type { Raster } from "../../shared/imaging/image.ts";
import { NODE_LIMITS } from "../../shared/imaging/limits.ts";
import { sniffFormat } from "../../shared/imaging/sniff.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";

const codecs = nodeCodecs();
const gradient: Raster = {
  width: 33,
  height: 17,
  data: Uint8Array.from({ length: 33 * 17 * 3 }, (_, i) => (i * 7 + (i >> 4)) % 256),
};

describe("encodeImage", () => {
  it.each(["png", "jpeg", "webp"] as const)("gives the same %s bytes every time", async (format) => {
    const bytes = await encodeImage(gradient, format, codecs);
    expect(sniffFormat(bytes)).toBe(format);
    expect(Buffer.from(await encodeImage(gradient, format, codecs)).equals(bytes)).toBe(true);
  });

  it("keeps every pixel in PNG", async () => {
    const image = await decodeImage(await encodeImage(gradient, "png", codecs), codecs, NODE_LIMITS);
    expect(Buffer.from(image.data).equals(gradient.data)).toBe(true);
  });

  it.each(["jpeg", "webp"] as const)("makes a smaller %s of lower quality", async (format) => {
    const low = await encodeImage(gradient, format, codecs, 20);
    const high = await encodeImage(gradient, format, codecs, 95);
    expect(low.length).toBeLessThan(high.length);
  });
});
