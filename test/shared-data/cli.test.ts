/** @file The command line on real models and photos: each model of ../shared lists its layers and explains a photo. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readNpy } from "../../shared/imaging/npy.ts";
import { runMain } from "../cli/workplace.ts";
import { compareMap, goldenCases } from "../support/golden.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

const out = mkdtempSync(path.join(tmpdir(), "backlight-models-"));
afterAll(() => rmSync(out, { recursive: true }));

const run = (...argv: readonly string[]) => runMain(argv);

const cardOf = (model: string): string => path.join(import.meta.dirname, "cards", `${model}.card.json`);
const models = hasSharedData
  ? readdirSync(sharedData("data", "models"))
      .filter((name) => name.endsWith(".onnx"))
      .map((name) => name.replace(/\.onnx$/, ""))
  : [];
const photo = (): string => sharedData("data", "images", "classic", "cat_dog_srebuffi.png");

describe.runIf(hasSharedData)("the command line on the models of ../shared", () => {
  it("has models to run on", () => expect(models.length).toBeGreaterThan(10));

  it.each(models)("%s: layers lists tensors a person can choose from, some recommended", async (model) => {
    const { code, out: text, err } = await run("layers", sharedData("data", "models", `${model}.onnx`), "--json");
    expect(code, err).toBe(0);
    const { layers } = JSON.parse(text);
    const recommended = layers.filter((l: { recommended: boolean }) => l.recommended);
    expect(recommended.length).toBeGreaterThan(0);
    expect(recommended.length).toBeLessThanOrEqual(6);
    expect(layers.length).toBeGreaterThan(recommended.length);
  });

  it.each(models)("%s: explains a photo with automatic layers, and the map says something", async (model) => {
    const file = sharedData("data", "models", `${model}.onnx`);
    const argv = ["explain", photo(), "--model", file, "--card", cardOf(model), "--out", path.join(out, model)];
    const { code, out: text, err } = await run(...argv, "--write", "overlay,npy,json", "--layers", "auto", "--json");
    expect(code, err).toBe(0);
    const [result] = JSON.parse(text).results;
    expect(result.map.flat).toBe(false);
    expect(result.map.max).toBeGreaterThan(result.map.min);
    expect(result.prediction.top[0].probability).toBeGreaterThan(0);
    expect(result.layers.length).toBeGreaterThan(0);
    expect(readdirSync(path.join(out, model)).length).toBeGreaterThanOrEqual(3);
  });

  /** A golden's tensor file or photo, and one of its maps. The small net agrees to rounding, as the goldens say. */
  const golden: readonly (readonly [name: string, input: string, layer: string, method: string, worst: number])[] = [
    ["cifar10_resnet20__catdog__c3__logit", "cifar10_resnet20_catdog.f32.npy", "layer2.2.add_relu", "norm_grad", 1e-4],
    ["cifar10_resnet20__catdog__c3__logit", "catdog_32x32.u8.npy", "layer2.2.add_relu", "grad_cam", 1e-4],
    ["squeezenet1_1_fp32__catdog__c282__logit", "squeezenet1_1_fp32_catdog.f32.npy", "pool1", "linear_approx", 5e-2],
  ];

  it.each(golden)("%s: explaining %s gives the golden map of %s by %s", async (name, input, layer, method, worst) => {
    const found = goldenCases().find((c) => c.case === name);
    const entry = found?.maps.find((m) => m.layer === layer && m.method === method);
    if (found === undefined || entry === undefined) throw new RangeError(`no golden map ${name} ${layer} ${method}`);
    const model = path.basename(found.model.file, ".onnx");
    const ours = method === "linear_approx" ? "linear-approximation" : method.replaceAll("_", "-");
    const { code, err } = await run(
      ...["explain", sharedData("golden", "inputs", input), "--out", out, "--write", "npy"],
      ...["--model", sharedData("data", "models", found.model.file), "--card", cardOf(model)],
      ...["--target", String(found.objective.class), "--layers", layer, "--method", ours],
    );
    expect(code, err).toBe(0);
    const stem = path.basename(input, ".npy");
    const map = readNpy(readFileSync(path.join(out, `${stem}.${found.objective.class}.${ours}.npy`)));
    expect(map.dims).toEqual(entry.shape);
    const agreement = compareMap(entry, map.data);
    expect(agreement.worst).toBeLessThan(worst);
    expect(agreement.p99).toBeLessThan(Math.min(worst, 5e-3));
    expect(agreement.cosine).toBeGreaterThan(0.9999);
  });
});
