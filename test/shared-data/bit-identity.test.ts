/** @file Real models' outputs are the same to the bit in their explainers, whatever layers are read, in wasm. */
import { readdirSync, readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import type { Graph } from "../../shared/graph/ir.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { listLayers } from "../../shared/saliency/layers.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { defaultSpec, type Layers } from "../../shared/saliency/spec.ts";
import { bitsOf, randomFeeds, runOnnx } from "../support/run-onnx.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

const models = (folder: readonly string[]): readonly string[] =>
  readdirSync(sharedData(...folder)).flatMap((f) => (f.endsWith(".onnx") ? [sharedData(...folder, f)] : []));
const files = hasSharedData ? [...models(["data", "models"]), ...models(["data", "models", "light"])] : [];

/** The automatic layers, the image, and every inner map at once. */
function choices(graph: Graph): readonly Layers[] {
  const maps = listLayers(graph, defaultSpec).filter((l) => l.layout === "nchw" || l.layout === "nhwc");
  return ["auto", "input", maps.map((l) => l.name)];
}

describe.runIf(hasSharedData)("outputs stay the same to the bit", () => {
  it.each(files.map((file) => [file.split("/").slice(-2).join("/"), file]))("%s", async (_name, file) => {
    const bytes = readFileSync(file);
    const { graph: imported, declared } = importModel(bytes);
    const graph = prepare(imported, { declared });
    const feeds = randomFeeds(graph, 3);
    const original = await runOnnx(bytes, feeds);
    for (const layers of choices(graph)) {
      const spec = { ...defaultSpec, method: parseMethod("linear-approximation"), layers };
      const explainer = exportModel(compileExplainer(graph, spec, { sha256: "" }).graph);
      const target = new ort.Tensor("int64", BigInt64Array.from([-1n]), [1]);
      const outputs = await runOnnx(explainer, { ...feeds, target });
      const changed = [...original].filter(([name, tensor]) => bitsOf(outputs.get(name)) !== bitsOf(tensor));
      expect(
        changed.map(([name]) => name),
        `reading ${typeof layers === "string" ? layers : "every map"}`,
      ).toEqual([]);
    }
  });
});
