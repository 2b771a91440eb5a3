/** @file Both engines behind the one interface: the same contract, the same numbers, readable errors. */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { openRuntime } from "../../shared/runtime/choose.ts";
import { type RunTensor, type Runtime, tensorNamed } from "../../shared/runtime/runtime.ts";
import { modelBytes, node, randomNumbers, tensorInfo, tinyClassifier } from "../support/tiny-models.ts";

const image = (batch = 1): RunTensor => ({
  dtype: "float32",
  dims: [batch, 3, 8, 8],
  data: randomNumbers(7, batch * 192),
});

/** What any runtime has to do; run on each of them. */
function contract(name: "wasm" | "native"): void {
  describe(`the ${name} runtime`, () => {
    const opened: Promise<Runtime> = openRuntime(name);

    it("says which engine and version it is", async () => {
      expect((await opened).name).toMatch(/^onnxruntime-(web|node) \d+\.\d+\.\d+/);
    });

    it("names inputs and outputs and returns every output by name", async () => {
      const session = await (await opened).create(tinyClassifier());
      expect([session.inputs, session.outputs]).toEqual([["image"], ["probabilities"]]);
      const { data, dims } = tensorNamed(await session.run({ image: image() }), "probabilities", "float32");
      expect(dims).toEqual([1, 5]);
      expect(data.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      await session.release();
    });

    it("gives the same bits on every run", async () => {
      const session = await (await opened).create(tinyClassifier());
      const [a, b] = [await session.run({ image: image() }), await session.run({ image: image() })];
      expect(a).toEqual(b);
      await session.release();
    });

    it("reads weights from the bytes of another file", async () => {
      const bytes = tinyClassifier();
      const { graph, declared } = importModel(bytes);
      // Only the second convolution's weights are large enough to be written as a reference.
      const small = exportModel(prepare(graph, { declared }), { externalWeights: [{ location: "model.onnx", bytes }] });
      const external = [{ path: "model.onnx", data: bytes }];
      const runtime = await opened;
      const [inline, outside] = await Promise.all([runtime.create(bytes), runtime.create(small, { external })]);
      expect(small.length).toBeLessThan(bytes.length);
      expect(await outside.run({ image: image() })).toEqual(await inline.run({ image: image() }));
      await Promise.all([inline.release(), outside.release()]);
    });

    it("carries every element type there and back", async () => {
      const tensors: readonly RunTensor[] = [
        { dtype: "float32", dims: [2], data: Float32Array.of(1.5, -2) },
        { dtype: "float64", dims: [2], data: Float64Array.of(0.1, -2) },
        { dtype: "float16", dims: [2], data: Uint16Array.of(0x3c00, 0xc000) },
        { dtype: "int8", dims: [2], data: Int8Array.of(-3, 4) },
        { dtype: "int32", dims: [2], data: Int32Array.of(-3, 4) },
        { dtype: "int64", dims: [2], data: BigInt64Array.of(-(2n ** 62n), 2n ** 53n + 1n) },
        { dtype: "uint8", dims: [2], data: Uint8Array.of(0, 255) },
        { dtype: "bool", dims: [2], data: Uint8Array.of(0, 1) },
      ];
      for (const tensor of tensors) {
        const { dtype } = tensor;
        const bytes = modelBytes({
          nodes: [node("Identity", ["x"], ["y"])],
          inputs: [tensorInfo("x", [2], dtype)],
          outputs: [tensorInfo("y", [2], dtype)],
        });
        const session = await (await opened).create(bytes);
        expect((await session.run({ x: tensor }))["y"], dtype).toEqual(tensor);
        await session.release();
      }
    });

    it("refuses bytes that are no model, and says so", async () => {
      const refused = (await opened).create(new Uint8Array(50), { label: "cat.onnx" });
      await expect(refused).rejects.toMatchObject({
        code: "runtime-failed",
        message: expect.stringMatching(
          /^cannot load cat\.onnx in onnxruntime-\w+ .*: .*; the bytes are not an ONNX model$/,
        ),
      });
    });

    it("names the operator it does not have", async () => {
      const bytes = modelBytes({
        nodes: [node("Levitate", ["x"], ["y"])],
        inputs: [tensorInfo("x", [1])],
        outputs: [tensorInfo("y", [1])],
      });
      await expect((await opened).create(bytes)).rejects.toThrow(/Levitate.*this engine does not have that operator/);
    });

    it("names the dimension that does not fit", async () => {
      const session = await (await opened).create(tinyClassifier());
      const wrong: RunTensor = { dtype: "float32", dims: [1, 3, 8, 4], data: new Float32Array(96) };
      await expect(session.run({ image: wrong })).rejects.toThrow(/Got: 4 Expected: 8.*the shape the model declares$/);
      await session.release();
    });

    it("names inputs that are missing or unknown before it runs", async () => {
      const session = await (await opened).create(tinyClassifier());
      await expect(session.run({ photo: image() })).rejects.toThrow(
        'cannot run the model: "image" not given, "photo" not an input; its inputs are "image"',
      );
      await session.release();
    });

    it("goes on after an error", async () => {
      const session = await (await opened).create(tinyClassifier());
      const wrong: RunTensor = { dtype: "float32", dims: [1], data: new Float32Array(1) };
      await expect(session.run({ image: wrong })).rejects.toBeInstanceOf(AppError);
      expect(Object.keys(await session.run({ image: image() }))).toEqual(["probabilities"]);
      await session.release();
    });

    it("neither loads nor runs when cancelled before", async () => {
      const signal = AbortSignal.abort();
      await expect((await opened).create(tinyClassifier(), { signal })).rejects.toMatchObject({ code: "cancelled" });
      const session = await (await opened).create(tinyClassifier());
      await expect(session.run({ image: image() }, signal)).rejects.toMatchObject({ code: "cancelled" });
      await session.release();
    });

    it("releases a session twice without harm", async () => {
      const session = await (await opened).create(tinyClassifier());
      await session.release();
      await session.release();
      await expect(session.run({ image: image() })).rejects.toThrow("released");
    });
  });
}

contract("wasm");
contract("native");

describe("the wasm runtime's heap", () => {
  it("is seen from the first session on and grows with what it holds", async () => {
    const runtime = await openRuntime("wasm");
    const session = await runtime.create(tinyClassifier());
    const before = session.heapBytes?.() ?? 0;
    expect(before).toBeGreaterThanOrEqual(16 * 2 ** 20);
    expect(before % 65536).toBe(0);
    const floats = 16 * 2 ** 20;
    const large = modelBytes({
      nodes: [node("Add", ["x", "x"], ["y"])],
      inputs: [tensorInfo("x", [floats])],
      outputs: [tensorInfo("y", [floats])],
    });
    const big = await runtime.create(large);
    await big.run({ x: { dtype: "float32", dims: [floats], data: new Float32Array(floats) } });
    // Input and output of 64 MiB each.
    expect(session.heapBytes?.()).toBeGreaterThanOrEqual(before + 2 * 4 * floats - 32 * 2 ** 20);
    await Promise.all([session.release(), big.release()]);
  });
});

describe("both engines", () => {
  it("agree to float32 rounding", async () => {
    const results: Float32Array[] = [];
    for (const name of ["wasm", "native"] as const) {
      const session = await (await openRuntime(name)).create(tinyClassifier({ batch: "N" }));
      results.push(tensorNamed(await session.run({ image: image(3) }), "probabilities", "float32").data);
      await session.release();
    }
    const [wasm, native] = results;
    const differences = Array.from(wasm ?? [], (x, i) => Math.abs(x - (native?.[i] ?? Number.NaN)));
    expect(Math.max(...differences)).toBeLessThan(1e-6);
    expect(wasm?.length).toBe(15);
  });
});
