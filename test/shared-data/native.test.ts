/** @file An explainer file runs unchanged in another ONNX Runtime: SqueezeNet's in onnxruntime-node. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { nativeRuntime } from "../../shared/runtime/native.ts";
import type { Runtime } from "../../shared/runtime/runtime.ts";
import { webRuntime } from "../../shared/runtime/web.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { defaultSpec } from "../../shared/saliency/spec.ts";
import { goldenCases, goldenInput } from "../support/golden.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

describe.runIf(hasSharedData)("SqueezeNet's explainer in onnxruntime-node", () => {
  it.each(["norm-grad-selective", "grad-cam", "linear-approximation"])(
    "gives the map of wasm by %s",
    async (method) => {
      const golden = goldenCases().find((c) => c.case === "squeezenet1_1_fp32__zebra__c340__logit");
      if (!golden) throw new RangeError("the case is there");
      const { graph, declared } = importModel(readFileSync(sharedData("data", "models", golden.model.file)));
      const spec = { ...defaultSpec, method: parseMethod(method) };
      const file = exportModel(compileExplainer(prepare(graph, { declared }), spec, { sha256: "" }).graph);
      const map = async (runtime: Runtime): Promise<Float32Array> => {
        const session = await runtime.create(file);
        const { saliency } = await session.run({
          [golden.input.name]: { dtype: "float32", dims: golden.input.shape, data: goldenInput(golden) },
          target: { dtype: "int64", dims: [1], data: BigInt64Array.from([340n]) },
        });
        session.release();
        if (saliency?.dtype !== "float32") throw new TypeError("saliency is float32");
        return saliency.data;
      };
      const [wasm, native] = [await map(webRuntime()), await map(await nativeRuntime())];
      const largest = wasm.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      const deviations = wasm.map((v, i) => Math.abs(v - (native[i] ?? Number.NaN)) / largest).sort();
      expect(native.length).toBe(224 * 224);
      // One ReLU may flip where its input is within rounding of zero; nothing else may move.
      expect(deviations[Math.ceil(0.99 * deviations.length)]).toBeLessThan(5e-3);
      expect(deviations.at(-1)).toBeLessThan(5e-2);
    },
  );
});
