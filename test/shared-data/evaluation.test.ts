/**
 * @file The paper's comparison on real models and photos: the orderings it reports over depth, and rank correlations
 * against an independent implementation. Orderings are asserted, not figures: 96 trials leave intervals of +-10 points.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as ort from "onnxruntime-web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { classSensitivity } from "../../shared/evaluation/sensitivity.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import type { FloatMap } from "../../shared/imaging/resize.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { defaultSpec } from "../../shared/saliency/spec.ts";
import { runMain } from "../cli/workplace.ts";
import { goldenCases, goldenInput } from "../support/golden.ts";
import { runOnnx, tensorOf } from "../support/run-onnx.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

const out = mkdtempSync(path.join(tmpdir(), "backlight-evaluation-"));
afterAll(() => rmSync(out, { recursive: true }));

type Row = Readonly<Record<string, string | number | null>>;

async function evaluate(kind: string, dataset: string, ...argv: readonly string[]): Promise<readonly Row[]> {
  const { code, out: text, err } = await runMain(["evaluate", kind, dataset, "--json", "--quiet", ...argv]);
  expect(code, err).toBe(0);
  return (JSON.parse(text) as { readonly rows: readonly Row[] }).rows; // the command's own document
}

const methods = ["gradient", "guided-backprop", "linear-approximation", "grad-cam", "norm-grad", "norm-grad-selective"];

/** Two minutes on an idle core; a busy machine takes several times as long. */
const studyMilliseconds = 1_200_000;

/** Early, in between, and the input of the global average. */
const studies = [
  {
    model: "squeezenet1_1_fp32",
    layers: ["fire_concat4", "fire_concat10", "relu25"],
    preprocessing: { family: "imagenet-squash" },
    background: false,
  },
  {
    model: "mobilenetv2_1.0_224_fp32",
    layers: ["conv_2d_22_relu6", "conv_2d_48_relu6", "conv_2d_62_relu6"],
    preprocessing: { family: "inception", fit: { kind: "squash" } },
    background: true,
  },
] as const;

describe.runIf(hasSharedData).each(studies)("the paper's comparison on COCO with $model", (study) => {
  const { model, layers } = study;
  const last = layers[2];
  let pointing: readonly Row[] = [];
  let rho: readonly Row[] = [];
  let rhoAfterStep: readonly Row[] = [];
  const figure = (method: string, layer: string): { value: number; low: number; high: number } => {
    const row = pointing.find((r) => r["method"] === method && r["layer"] === layer && r["subset"] === "all");
    return {
      value: Number(row?.["accuracy"]),
      low: Number(row?.["accuracy low"]),
      high: Number(row?.["accuracy high"]),
    };
  };
  const range = (method: string): number => {
    const values = layers.map((layer) => figure(method, layer).value);
    return Math.max(...values) - Math.min(...values);
  };

  beforeAll(async () => {
    const card = path.join(out, `${model}.card.json`);
    const { preprocessing, background } = study;
    writeFileSync(card, JSON.stringify({ name: model, preprocessing, ...(background && { background: 0 }) }));
    const common = [
      "--model",
      sharedData("data", "models", `${model}.onnx`),
      "--card",
      card,
      "--out",
      path.join(out, model),
    ];
    const at = (names: readonly string[]): readonly string[] => ["--layers", names.join(",")];
    const pairs = sharedData("data", "coco", "pairs_imagenet_coco.json");
    pointing = await evaluate(
      "pointing",
      pairs,
      "--rank-below",
      "5",
      ...common,
      ...at(layers),
      "--methods",
      methods.join(","),
    );
    const photos = sharedData("data", "coco", "images");
    const compared = "norm-grad,norm-grad-selective,gradient";
    const few = ["--limit", "12", ...common, ...at([last])];
    rho = await evaluate("sensitivity", photos, ...few, "--methods", compared);
    rhoAfterStep = await evaluate("sensitivity", photos, ...few, "--methods", "norm-grad", "--meta", "auto");
  }, studyMilliseconds);

  it("plays all pairs with an ImageNet class among the first five", () => {
    for (const row of pointing.filter((r) => r["subset"] === "all")) expect(row["trials"]).toBe(96);
  });

  it("Grad-CAM collapses at the layer before, and comes back nowhere before it", () => {
    expect(figure("grad-cam", layers[1]).high).toBeLessThan(figure("grad-cam", last).low);
    for (const layer of layers.slice(0, 2)) {
      // At single early layers its fixed mixture of channels happens to point to the middle, which is no bad guess.
      expect(figure("grad-cam", layer).value).toBeLessThan(figure("grad-cam", last).value);
      expect(figure("grad-cam", layer).value).toBeLessThan(figure("centre", "").value);
      expect(figure("grad-cam", layer).value).toBeLessThan(figure("norm-grad-selective", layer).value);
    }
  });

  it.each(["gradient", "guided-backprop"])("%s collapses at the last layer", (method) => {
    for (const layer of layers.slice(0, 2)) {
      expect(figure(method, last).high).toBeLessThan(figure(method, layer).low);
    }
  });

  it.each(["norm-grad", "norm-grad-selective", "linear-approximation"])("%s is flat over depth", (method) => {
    expect(range(method)).toBeLessThan(range("grad-cam") / 2);
    expect(range(method)).toBeLessThan(range("gradient") / 2);
  });

  it("at the last layer the selective map points better than the plain one", () => {
    expect(figure("norm-grad-selective", last).value).toBeGreaterThan(figure("norm-grad", last).value);
  });

  it("at the last layer plain NormGrad is class-blind, selective is not, and the gradient's map is flat", () => {
    const of = (method: string) => rho.find((r) => r["method"] === method);
    expect(of("norm-grad")?.["rho"]).toBeGreaterThan(1 - 1e-6);
    expect(of("norm-grad-selective")?.["rho high"]).toBeLessThan(0.95);
    expect(of("gradient")).toMatchObject({ images: 0, flat: 12 });
  });

  it("a step of meta-saliency lowers rho of plain NormGrad at the last layer", () => {
    const plain = Number(rho.find((r) => r["method"] === "norm-grad")?.["rho"]);
    const [stepped] = rhoAfterStep;
    expect(stepped).toMatchObject({ method: "norm-grad", layer: last, images: 12 });
    // Little, as the paper says: the two steps differ through the features alone.
    expect(stepped?.["rho high"]).toBeLessThan(plain - 1e-4);
  });
});

interface GoldenRho {
  readonly model: string;
  readonly image: string;
  /** The tensor of the scores. */
  readonly logits: string;
  readonly argmax: number;
  readonly argmin: number;
  /** By layer and method at the maps' own size; null for a constant map. */
  readonly rho_native: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
  /** The same at the input's size, in double and in single precision. */
  readonly rho: Readonly<Record<string, Readonly<Record<string, Readonly<Record<"f64" | "f32", number | null>>>>>>;
}

const goldens: readonly GoldenRho[] = hasSharedData
  ? JSON.parse(readFileSync(sharedData("golden", "class_sensitivity.json"), "utf8"))
  : [];
const ourName = (name: string): string =>
  name === "linear_approx" ? "linear-approximation" : name.replaceAll("_", "-");
/** float32 changes the order of values that nearly tie. */
const rhoDigits = 4;

describe.runIf(hasSharedData).each(goldens)("class sensitivity of $model on $image", (golden) => {
  it("agrees with the independent implementation for every method and layer", async () => {
    const { model, image, argmax, argmin, logits } = golden;
    const input = goldenCases().find((c) => c.case.startsWith(`${model}__${image}__`));
    if (input === undefined) throw new RangeError(`there is no golden case of ${model} on ${image}`);
    const { graph: imported, declared } = importModel(readFileSync(sharedData("data", "models", `${model}.onnx`)));
    const graph = prepare(imported, { declared, inputShapes: new Map([[input.input.name, input.input.shape]]) });
    const layers = Object.keys(golden.rho);
    const [height = 0, width = 0] = input.input.shape.slice(2);
    const photo = tensorOf(input.input.shape, goldenInput(input));
    const compared: string[] = [];
    for (const name of Object.keys(Object.values(golden.rho)[0] ?? {})) {
      const spec = { ...defaultSpec, method: parseMethod(ourName(name)), layers, output: logits, layerMaps: true };
      const explainer = exportModel(compileExplainer(graph, spec, { sha256: "" }).graph);
      const mapsFor = async (target: number): Promise<ReadonlyMap<string, FloatMap>> => {
        const asked = new ort.Tensor("int64", BigInt64Array.of(BigInt(target)), [1]);
        const outputs = await runOnnx(explainer, { [input.input.name]: photo, target: asked });
        return new Map(layers.map((layer) => [layer, planeOf(outputs.get(`map/${layer}`))]));
      };
      const [a, b] = [await mapsFor(argmax), await mapsFor(argmin)];
      for (const layer of layers) {
        const [first, second] = [a.get(layer), b.get(layer)];
        if (first === undefined || second === undefined) throw new RangeError(`no map of ${layer}`);
        const where = `${name} at ${layer}`;
        const own = golden.rho_native[layer]?.[name] ?? null;
        if (own === null) {
          expect(classSensitivity(first, second, first), where).toBeNull();
          continue;
        }
        compared.push(where);
        expect(classSensitivity(first, second, first), where).toBeCloseTo(own, rhoDigits);
        // Between equal values the rounding of the interpolation decides, another way in every implementation.
        if (new Set(first.data).size <= 2) continue;
        expect(classSensitivity(first, second, { width, height }), where).toBeCloseTo(
          golden.rho[layer]?.[name]?.f64 ?? Number.NaN,
          rhoDigits,
        );
      }
    }
    // All but the gradient's at the input of the global average.
    expect(compared.length).toBe(layers.length * 6 - 1);
  });
});

function planeOf(tensor: ort.Tensor | undefined): FloatMap {
  if (!(tensor?.data instanceof Float32Array)) throw new RangeError("the explainer returned no such map");
  const [height = 0, width = 0] = tensor.dims.slice(-2);
  return { width, height, data: tensor.data };
}
