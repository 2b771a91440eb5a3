/** @file The edge runtime in real workerd: the numbers of Node, weights never held twice, errors survived. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ints } from "../../shared/graph/attributes.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import type { Feeds } from "../../shared/runtime/runtime.ts";
import { webRuntime } from "../../shared/runtime/web.ts";
import {
  modelBytes,
  node,
  randomNumbers,
  type TinyModel,
  tensorInfo,
  tinyClassifier,
  weights,
} from "../support/tiny-models.ts";
import { explainerOf, startWorkerd, type Workerd } from "../support/workerd.ts";

const MEBI = 2 ** 20;

let workerd: Workerd;
beforeAll(async () => {
  workerd = await startWorkerd();
});
afterAll(() => workerd.stop());

const feedsOf = (size: number, target: number): Feeds => ({
  image: { dtype: "float32", dims: [1, 3, size, size], data: randomNumbers(5, 3 * size * size) },
  target: { dtype: "int64", dims: [1], data: BigInt64Array.of(BigInt(target)) },
});

/** Opens the explainer in workerd and in Node, and expects the same bits of every output. */
async function expectSameBits(name: string, bytes: Uint8Array, size: number, targets: readonly number[]) {
  const location = `${name}.weights`;
  const model = explainerOf(bytes, location, { layers: "auto" });
  await workerd.open(name, model, { name: location, bytes });
  const session = await webRuntime().create(model, { external: [{ path: location, data: bytes }] });
  for (const target of targets) {
    const feeds = feedsOf(size, target);
    expect(await workerd.run(name, feeds)).toEqual(await session.run(feeds));
  }
  await session.release();
  await workerd.release(name);
}

/** A classifier whose convolution is followed by BatchNormalization, which the engine fuses. */
function withBatchNorm(): TinyModel {
  const channels = 24;
  const norm = ["scale", "shift", "mean", "variance"];
  return {
    nodes: [
      node("Conv", ["image", "w"], ["c"], { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) }),
      node("BatchNormalization", ["c", ...norm], ["n"]),
      node("Relu", ["n"], ["r"]),
      node("GlobalAveragePool", ["r"], ["p"]),
      node("Flatten", ["p"], ["logits"]),
    ],
    inputs: [tensorInfo("image", [1, 3, 8, 8])],
    outputs: [tensorInfo("logits", [1, channels])],
    initializers: [
      weights("w", [channels, 3, 3, 3], randomNumbers(1, channels * 27)),
      ...norm.map((name, i) =>
        weights(
          name,
          [channels],
          randomNumbers(i + 2, channels, 0.2).map((x) => x + 1),
        ),
      ),
    ],
  };
}

/** `layers` matrices of 4 MiB one after another. */
function matrices(layers: number): Uint8Array {
  const names = Array.from({ length: layers }, (_, i) => `w${i}`);
  return modelBytes({
    nodes: names.map((w, i) => node("MatMul", [i === 0 ? "x" : `y${i - 1}`, w], [`y${i}`])),
    inputs: [tensorInfo("x", [1, 1024])],
    outputs: [tensorInfo(`y${layers - 1}`, [1, 1024])],
    initializers: names.map((w, i) => weights(w, [1024, 1024], new Float32Array(MEBI).fill(i + 1))),
  });
}

/** The model itself, its weights as references. */
function withWeightsApart(bytes: Uint8Array): Uint8Array {
  const { graph, declared } = importModel(bytes);
  return exportModel(prepare(graph, { declared }), { externalWeights: [{ location: "wide.weights", bytes }] });
}

describe("the edge runtime", () => {
  it("gives the maps and predictions of Node to the bit, weights streamed from the bucket", () =>
    expectSameBits("tiny.onnx", tinyClassifier({ size: 32 }), 32, [-1, 0, 3]));

  it("gives them too where the engine reads weights twice, because it fuses them", () =>
    expectSameBits("norm.onnx", modelBytes(withBatchNorm()), 8, [-1, 5]));

  it("opens several models at once and runs each", async () => {
    const names = ["one.onnx", "two.onnx", "three.onnx"];
    await Promise.all(
      names.map((name, i) => {
        const bytes = tinyClassifier({ seed: i + 1 });
        return workerd.open(name, explainerOf(bytes, `${name}.weights`), { name: `${name}.weights`, bytes });
      }),
    );
    const results = await Promise.all(names.map((name) => workerd.run(name, feedsOf(8, 0))));
    expect(new Set(results.map(({ saliency }) => String(saliency?.data))).size).toBe(3);
    await Promise.all(names.map((name) => workerd.release(name)));
  });

  it("says what is wrong with a model or its weights, and goes on", async () => {
    const bytes = tinyClassifier();
    const model = explainerOf(bytes, "short.weights");
    const short = { name: "short.weights", bytes: bytes.subarray(0, 1500) };
    await expect(workerd.open("bad.onnx", new Uint8Array(50))).rejects.toThrow(
      /runtime-failed.*cannot load bad\.onnx in onnxruntime-web .*the bytes are not an ONNX model/,
    );
    await expect(workerd.open("short.onnx", model, short)).rejects.toThrow(
      /model-missing-data.*it has 1500 bytes where the model refers to \d+; it is truncated/,
    );
    await expectSameBits("again.onnx", bytes, 8, [1]);
  });

  it("lets go of weights while the engine takes them", async () => {
    const before = await workerd.memory();
    const bytes = matrices(4);
    await workerd.open("wide.onnx", withWeightsApart(bytes), { name: "wide.weights", bytes });
    const after = await workerd.memory();
    expect(after.weightBytes).toBe(0);
    // All four in the heap, one more in JavaScript, and what the allocator takes in advance; held twice it were 32 MiB.
    expect(after.heapBytes).toBeGreaterThan(4 * 4 * MEBI);
    expect(after.peakBytes - before.heapBytes).toBeLessThan(24 * MEBI);
    await workerd.release("wide.onnx");
  });

  it("refuses what does not fit under its heap's ceiling, and goes on", async () => {
    const huge = modelBytes({
      nodes: [node("Expand", ["x", "shape"], ["big"]), node("ReduceMax", ["big"], ["y"])],
      inputs: [tensorInfo("x", [1]), tensorInfo("shape", [1], "int64")],
      outputs: [tensorInfo("y", [1])],
    });
    await workerd.open("huge.onnx", huge);
    const feedsFor = (length: number): Feeds => ({
      x: { dtype: "float32", dims: [1], data: Float32Array.of(2) },
      shape: { dtype: "int64", dims: [1], data: BigInt64Array.of(BigInt(length)) },
    });
    await expect(workerd.run("huge.onnx", feedsFor(25 * MEBI))).rejects.toThrow(/runtime-failed.*out of memory/);
    expect((await workerd.memory()).heapBytes).toBeLessThanOrEqual(80 * MEBI);
    expect((await workerd.run("huge.onnx", feedsFor(1000)))["y"]?.data).toEqual(Float32Array.of(2));
    await workerd.release("huge.onnx");
  });
});

describe("the edge runtime's heap", () => {
  it("stays the same when models come and go, and over 2,000 runs", async () => {
    const wide = matrices(4);
    const small = tinyClassifier();
    const round = async (): Promise<number> => {
      await workerd.open("wide.onnx", withWeightsApart(wide), { name: "wide.weights", bytes: wide });
      await workerd.release("wide.onnx");
      await workerd.open("small.onnx", explainerOf(small));
      await workerd.run("small.onnx", feedsOf(8, 0), 10);
      return (await workerd.memory()).heapBytes;
    };
    const first = await round();
    await workerd.release("small.onnx");
    expect(await round()).toBe(first);
    await workerd.run("small.onnx", feedsOf(8, 1), 2000);
    expect((await workerd.memory()).heapBytes).toBe(first);
  });
});
