/** @file The codec on real files: every byte survives. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Graph } from "../../shared/graph/ir.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { decode } from "../../shared/onnx/decode.ts";
import { encode } from "../../shared/onnx/encode.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import type { ExternalFiles } from "../../shared/onnx/external.ts";
import { rejectNonFinite } from "../../shared/onnx/finite.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { modelProto } from "../../shared/onnx/schema.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

const folders = ["golden/ops", "data/models", "data/models/light"];
const files = !hasSharedData
  ? []
  : folders.flatMap((folder) =>
      readdirSync(sharedData(folder))
        .filter((f) => f.endsWith(".onnx"))
        .map((f) => `${folder}/${f}`),
    );
const models = files.filter((f) => f.startsWith("data"));

function prepared(bytes: Uint8Array, external: ExternalFiles = () => undefined): Graph {
  const { graph, declared } = importModel(bytes, { external });
  return prepare(graph, { declared });
}

describe.runIf(hasSharedData)("the codec on real files", () => {
  test("there are files of many exporters", () => {
    expect(files.length).toBeGreaterThan(250);
  });

  test.each(files)("%s is written as it was read, byte for byte", (file) => {
    const bytes = readFileSync(sharedData(file));
    expect(Buffer.compare(encode(modelProto, decode(modelProto, bytes)), bytes)).toBe(0);
  });

  test.each(models)("%s is imported without a copy of its weights and exported without loss", (file) => {
    const bytes = new Uint8Array(readFileSync(sharedData(file)));
    const graph = prepared(bytes);
    expect(() => rejectNonFinite(graph)).not.toThrow();
    const weights = graph.nodes.flatMap((n) => n.inputs.flatMap((v) => v?.constant ?? []));
    for (const { bytes: found } of weights.filter((c) => c.bytes.length > 1024))
      expect(found.buffer).toBe(bytes.buffer);

    const whole = exportModel(graph);
    expect(Buffer.compare(exportModel(prepared(whole)), whole)).toBe(0);
    // The heavy weights stay where they are.
    const leaning = exportModel(graph, { externalWeights: [{ location: "model.onnx", bytes }] });
    expect(leaning.length).toBeLessThan(Math.max(300_000, bytes.length / 10));
    const again = prepared(leaning, () => bytes);
    expect(Buffer.compare(exportModel(again), whole)).toBe(0);
  });
});
