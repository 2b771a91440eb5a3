/** @file Real models and hostile images in real workerd: what Node gives, bit for bit. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { decodeImage } from "../../shared/imaging/decode.ts";
import { EDGE_LIMITS } from "../../shared/imaging/limits.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import type { Feeds } from "../../shared/runtime/runtime.ts";
import { webRuntime } from "../../shared/runtime/web.ts";
import { goldenCases, goldenInput } from "../support/golden.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";
import { type Decoded, explainerOf, startWorkerd, type Workerd } from "../support/workerd.ts";

const models = ["squeezenet1_1_fp32", "mobilenetv2_1.0_224_fp32", "cifar10_resnet20"];

/** What of a file Node makes, in the words of the rig. */
async function inNode(file: Uint8Array): Promise<Decoded> {
  try {
    const { width, height, data, notes } = await decodeImage(file, nodeCodecs(), EDGE_LIMITS);
    return { width, height, sha256: createHash("sha256").update(data).digest("hex"), notes };
  } catch (error) {
    if (error instanceof AppError) return { code: error.code, message: error.message };
    throw error;
  }
}

describe.runIf(hasSharedData)("workerd", () => {
  let workerd: Workerd;
  beforeAll(async () => {
    workerd = await startWorkerd();
  });
  afterAll(() => workerd.stop());

  it.each(models)("gives every output of the explainer of %s to the bit as Node does", async (model) => {
    const file = `models/${model}.onnx`;
    const found = goldenCases().find((each) => each.model.file.endsWith(`${model}.onnx`));
    if (found === undefined) throw new TypeError(`no golden case of ${model}`);
    const bytes = readFileSync(sharedData("data", file));
    const explainer = explainerOf(bytes, "model.onnx", { layers: "auto" });
    await workerd.open(`${model}.onnx`, explainer, { name: "model.onnx", bytes });
    const session = await webRuntime().create(explainer, { external: [{ path: "model.onnx", data: bytes }] });
    const { name, shape } = found.input;
    for (const target of [-1n, 7n]) {
      const feeds: Feeds = {
        [name]: { dtype: "float32", dims: shape, data: goldenInput(found) },
        target: { dtype: "int64", dims: [1], data: BigInt64Array.of(target) },
      };
      expect(await workerd.run(`${model}.onnx`, feeds)).toEqual(await session.run(feeds));
    }
    await session.release();
    await workerd.release(`${model}.onnx`);
  });

  it("decodes the awkward images to the pixels of Node, or refuses them in the same words", async () => {
    // The manifest's fields are described in the README of the material.
    const manifest = JSON.parse(readFileSync(sharedData("data", "awkward", "manifest.json"), "utf8")) as readonly {
      readonly file: string;
    }[];
    const wrong: string[] = [];
    for (const { file } of manifest) {
      const bytes = readFileSync(sharedData("data", "awkward", file));
      const [here, there] = [await inNode(bytes), await workerd.decode(bytes)];
      if (JSON.stringify(here) !== JSON.stringify(there)) {
        wrong.push(`${file}: ${JSON.stringify(here)} ${JSON.stringify(there)}`);
      }
    }
    expect(manifest.length).toBeGreaterThan(390);
    expect(wrong).toEqual([]);
    // Decoders that held on to what they were given would show here; the corpus has pictures of up to 4 megapixels.
    expect((await workerd.memory()).codecs.peakBytes).toBeLessThan(60e6);
  });
});
