/** @file Excitation backprop as a method: where it can be asked for, in onnxruntime-web. */
import { describe, expect, it } from "vitest";
import type { ExplainSpec } from "../../shared/saliency/spec.ts";
import { bitsOf, runOnnx } from "../support/run-onnx.ts";
import { tinyClassifier } from "../support/tiny-models.ts";
import { compiled, image, outputOf, sum, targets } from "./small.ts";

const x = image(3);
const feeds = { image: x, target: targets(2) };
const contrastive = "contrastive-excitation-backprop";

describe("excitation backprop", () => {
  it("returns the model's outputs bit for bit", async () => {
    const original = await runOnnx(tinyClassifier(), { image: x });
    for (const method of ["excitation-backprop", contrastive]) {
      const outputs = await runOnnx(compiled({ method, layers: ["relu1", "relu2"] }, { softmax: true }).bytes, feeds);
      expect(bitsOf(outputs.get("probabilities")), method).toEqual(bitsOf(original.get("probabilities")));
    }
  });

  it("hands a class's probability of 1 on to every layer", async () => {
    for (const layer of ["relu1", "pool1", "relu2"]) {
      const map = await outputOf(compiled({ method: "excitation-backprop", layers: [layer] }).bytes, feeds);
      expect(sum(map)).toBeCloseTo(1, 5);
      expect(Math.min(...map)).toBeGreaterThanOrEqual(0);
    }
  });

  it("in its contrastive form is the positive part of a difference that sums to 0", async () => {
    const signed = compiled({ method: "contrastive-excitation:bias:sum", layers: ["relu1"] });
    const difference = await outputOf(signed.bytes, feeds);
    expect(sum(difference)).toBeCloseTo(0, 5);
    expect(Math.min(...difference)).toBeLessThan(0);
    const map = await outputOf(compiled({ method: contrastive, layers: ["relu1"] }).bytes, feeds);
    expect(map).toEqual(difference.map((v) => Math.max(0, v)));
    expect(signed.manifest.saliency.signed).toBe(true);
  });

  it("is plain where nothing is averaged over a step of 0, contrastive form included", async () => {
    const meta = { step: 0, sign: "descent", variant: "stop-gradient", weights: "all" } as const;
    for (const method of ["excitation-backprop", contrastive]) {
      const [stepped, plain] = [{ meta }, {}].map((more) => compiled({ method, layers: ["relu1"], ...more }).bytes);
      const maps = await Promise.all([stepped, plain].map((bytes) => outputOf(bytes ?? new Uint8Array(), feeds)));
      maps[0]?.forEach((v, i) => {
        expect(v).toBeCloseTo(maps[1]?.[i] ?? Number.NaN, 6);
      });
    }
  });

  const refused: readonly (readonly [string, Omit<Partial<ExplainSpec>, "method"> & { method: string }, RegExp])[] = [
    [
      "at the image, which may be negative",
      { method: "excitation-backprop", layers: "input" },
      /"image" may be \(nothing says.*\).*; layers behind it can be explained: .*"relu2"/,
    ],
    [
      "for an objective that is no probability to start from",
      { method: "excitation-backprop", objective: "nll" },
      /not from the gradient of nll; use the objective logit or pointing or region/,
    ],
    [
      "in its contrastive form above the last weighted layer's input",
      { method: contrastive, layers: ["conv2"], output: "conv2", objective: "pointing" },
      /below the input "pool1" of the last weighted layer, and "conv2" is not below it/,
    ],
    [
      "in its contrastive form at that input, where it is zero",
      { method: contrastive, layers: ["pool1"], output: "relu2", objective: "pointing" },
      /and "pool1" is not below it/,
    ],
  ];
  it.each(refused)("is refused %s", (_what, spec, message) => {
    expect(() => compiled(spec)).toThrowError(message);
  });

  it("in its contrastive form leaves layers out that were chosen by rule and would be zero", () => {
    const spec = { method: contrastive, output: "relu2", objective: "pointing", layers: "auto" } as const;
    const plain = compiled({ ...spec, method: "excitation-backprop" }).manifest.layers.map((l) => l.name);
    expect(plain).toEqual(["relu1", "conv2"]);
    expect(compiled(spec).manifest.layers.map((l) => l.name)).toEqual(["relu1"]);
  });
});
