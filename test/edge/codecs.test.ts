/** @file The image codecs in real workerd: the pixels and the files of Node, and no heap left behind. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { encode } from "jpeg-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../shared/imaging/decode.ts";
import { encodeImage } from "../../shared/imaging/encode.ts";
import { EDGE_LIMITS } from "../../shared/imaging/limits.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

const formats = ["jpeg", "png", "webp"] as const;

let workerd: Workerd;
beforeAll(async () => {
  workerd = await startWorkerd();
});
afterAll(() => workerd.stop());

const photo = (): Uint8Array => readFileSync(new URL("../../infra/pictures/two-classes.jpg", import.meta.url));

/** Noise: nothing a codec could make short work of. A baseline JPEG, as cameras write. */
function largeJpeg(width: number, height: number): Uint8Array {
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < data.length; i += 1) data[i] = (i * 7919) >> 5;
  return encode({ width, height, data }, 75).data;
}

describe("the codecs in workerd", () => {
  it.each(formats)("decode %s to the pixels of Node", async (format) => {
    const picture = await decodeImage(photo(), nodeCodecs(), EDGE_LIMITS);
    const file = await encodeImage(picture, format, nodeCodecs());
    const { width, height, data } = await decodeImage(file, nodeCodecs(), EDGE_LIMITS);
    const sha256 = createHash("sha256").update(data).digest("hex");
    expect(await workerd.decode(file)).toMatchObject({ width, height, sha256 });
  });

  it.each(formats)("encode %s to the bytes of Node", async (format) => {
    const picture = await decodeImage(photo(), nodeCodecs(), EDGE_LIMITS);
    expect(await workerd.transcode(photo(), format)).toEqual(await encodeImage(picture, format, nodeCodecs()));
  });

  it("refuse damaged and oversized files, and go on", async () => {
    const cut = photo().subarray(0, 5000);
    expect(await workerd.decode(cut)).toMatchObject({ code: "image-unreadable" });
    const broken = photo();
    broken.fill(0xff, 3000, 9000);
    expect(await workerd.decode(broken)).toMatchObject({ code: "image-unreadable" });
    const large = largeJpeg(2001, 2000);
    expect(await workerd.decode(large)).toMatchObject({ code: "image-too-large" });
    expect(await workerd.decode(photo())).toMatchObject({ notes: [] });
  });

  it("hold at most one heap at a time, of 40 MB for a JPEG of the largest size", async () => {
    const large = largeJpeg(2000, 2000);
    expect(await workerd.decode(large)).toMatchObject({ width: 2000, height: 2000 });
    await workerd.transcode(photo(), "webp");
    await workerd.transcode(photo(), "jpeg");
    expect((await workerd.memory()).codecs.peakBytes).toBeLessThan(40e6);
  });
});
