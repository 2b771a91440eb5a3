/**
 * @file What an isolate holds at its worst: the engine's heap, weights on their way into it, a photo of the largest
 * size and its decoder, a picture and its encoder. Local workerd grants any amount, so the sum is asserted here.
 */
import { encode } from "jpeg-js";
import { afterEach, describe, expect, it } from "vitest";
import { nets } from "../../infra/bench/nets.ts";
import { EDGE_LIMITS, EDGE_PICTURE_SIDE } from "../../shared/imaging/limits.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import type { Feeds } from "../../shared/runtime/runtime.ts";
import { randomNumbers } from "../support/tiny-models.ts";
import { explainerOf, startWorkerd, type Workerd } from "../support/workerd.ts";

/** What the platform allows an isolate. */
const ISOLATE_BYTES = 128e6;

const side = Math.sqrt(EDGE_LIMITS.maxPixels);
const pixels = side * side;

/** Noise, as a baseline JPEG, which cameras write: 4 megapixels in 2 MB. */
function squareJpeg(width: number): Uint8Array {
  const data = new Uint8Array(4 * width * width);
  for (let i = 0; i < data.length; i += 1) data[i] = (i * 7919) >> 5;
  return encode({ width, height: width, data }, 75).data;
}

const feeds: Feeds = {
  image: { dtype: "float32", dims: [1, 3, 224, 224], data: randomNumbers(3, 3 * 224 * 224) },
  target: { dtype: "int64", dims: [1], data: BigInt64Array.of(-1n) },
};

describe("an isolate", () => {
  let workerd: Workerd | undefined;
  afterEach(async () => {
    await workerd?.stop();
    workerd = undefined;
  });

  // Each in a workerd of its own, because a heap never shrinks.
  it.each(["squeezenet1.1", "mobilenetv2", "resnet18"])(
    "stays below 128 MB with %s at its automatic layers and a JPEG of 4 megapixels",
    async (name) => {
      workerd = await startWorkerd();
      const make = nets[name];
      if (make === undefined) throw new TypeError(`no network ${name}`);
      const weights = { name: "net.weights", bytes: exportModel(make().graph) };
      await workerd.open("net.onnx", explainerOf(weights.bytes, weights.name, { layers: "auto" }), weights);
      await workerd.run("net.onnx", feeds, 2);
      // Pictures first: PNG's encoder keeps its heap, beside which the next image is decoded.
      const drawn = squareJpeg(EDGE_PICTURE_SIDE);
      for (const format of ["jpeg", "webp", "png"] as const) await workerd.transcode(drawn, format);
      const { codecs: drawing } = await workerd.memory();
      const file = squareJpeg(side);
      expect(await workerd.decode(file)).toMatchObject({ width: side, height: side });
      const { heapBytes, peakBytes, codecs: decoding } = await workerd.memory();
      const stages = {
        // The heap, and the weights that were not in it yet.
        loading: peakBytes + drawing.lastBytes,
        // The file and the RGBA pixels, beside the decoder's heap; then, without it, also the RGB ones.
        decoding: heapBytes + decoding.lastBytes + file.length + 4 * pixels,
        decoded: heapBytes + drawing.lastBytes + file.length + 7 * pixels,
        // The photo, and of the picture: what lies under the map, the blend, and RGBA for the encoder.
        drawing: heapBytes + drawing.peakBytes + file.length + 3 * pixels + (3 + 3 + 4) * EDGE_PICTURE_SIDE ** 2,
      };
      console.info(`${name}: ${JSON.stringify(stages)}`);
      expect(Math.max(...Object.values(stages))).toBeLessThan(ISOLATE_BYTES);
    },
  );
});
