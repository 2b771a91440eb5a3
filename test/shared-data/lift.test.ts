/** @file Every real model and every operator file computes the same bits before and after lifting. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { opsetMin } from "../../shared/graph/builder.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { bitsOf, randomFeeds, runOnnx } from "../support/run-onnx.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

/** What onnxruntime itself refuses to run: the import must refuse it too, and say why. */
const refused = new Map([
  ["lrn_size4_even", /size 4 is even/],
  ["bin_add6_legacy_broadcast", /broadcast/],
]);

const onnxFiles = (folder: string): readonly string[] =>
  hasSharedData ? readdirSync(sharedData(folder)).filter((f) => f.endsWith(".onnx")) : [];

const folders = ["golden/ops", "data/models", "data/models/light"];

describe.runIf(hasSharedData).each(folders)("lifting the files of %s", (folder) => {
  test.each(onnxFiles(folder))("%s computes the same bits in opset 18 or newer", async (file) => {
    const bytes = new Uint8Array(readFileSync(sharedData(folder, file)));
    const refusal = refused.get(file.replace(".onnx", ""));
    if (refusal !== undefined) {
      expect(() => importModel(bytes)).toThrow(refusal);
      return;
    }
    const { graph } = importModel(bytes);
    expect(graph.opset).toBeGreaterThanOrEqual(opsetMin);
    const feeds = randomFeeds(graph, 7);
    const original = await runOnnx(bytes, feeds);
    const lifted = await runOnnx(exportModel(graph), feeds);
    expect([...lifted.keys()]).toEqual([...original.keys()]);
    for (const [name, tensor] of original) {
      expect(lifted.get(name)?.dims).toEqual(tensor.dims);
      expect(bitsOf(lifted.get(name)) === bitsOf(tensor), `the bits of "${name}" are the same`).toBe(true);
    }
  });
});
