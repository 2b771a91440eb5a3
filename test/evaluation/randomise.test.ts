/** @file Random weights: which layers, what is drawn, and that the model with them still runs. */
import { describe, expect, it } from "vitest";
import {
  cascadeStages,
  randomiseWeights,
  type WeightedLayer,
  weightedLayers,
} from "../../shared/evaluation/randomise.ts";
import { numbers } from "../../shared/graph/constant.ts";
import type { Graph } from "../../shared/graph/ir.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { randomFeeds, runOnnx } from "../support/run-onnx.ts";
import { tinyClassifier } from "../support/tiny-models.ts";

const bytes = tinyClassifier();
const { graph: imported, declared } = importModel(bytes);
const graph = prepare(imported, { declared });
const weightsOf = (g: Graph): ReadonlyMap<string, readonly number[]> =>
  new Map(
    weightedLayers(g).map((l) => [l.name, l.parameters.flatMap((v) => (v.constant ? [...numbers(v.constant)] : []))]),
  );
const original = weightsOf(graph);
const changed = (g: Graph): readonly string[] =>
  [...weightsOf(g)].filter(([name, values]) => original.get(name)?.join() !== values.join()).map(([name]) => name);
const moments = (values: readonly number[]) => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((s, v) => s + (v - mean) ** 2, 0) / values.length) };
};

describe("layers with weights", () => {
  it("are those of convolutions and matrix products, from the input on, bias included", () => {
    const found = weightedLayers(graph).map(({ name, op, parameters }) => [name, op, parameters.length]);
    expect(found).toEqual([
      ["conv1", "Conv", 2],
      ["conv2", "Conv", 2],
      ["logits", "Gemm", 2],
    ]);
  });

  it("are spread from the output to the input as stages of a cascade", () => {
    const layers = "abcdefg".split("").map((name): WeightedLayer => ({ name, op: "Conv", parameters: [] }));
    expect(cascadeStages(layers, 3).map((l) => l.name)).toEqual(["g", "d", "a"]);
    expect(cascadeStages(layers, 20).map((l) => l.name)).toEqual([..."gfedcba"]);
    expect(cascadeStages(layers, 1).map((l) => l.name)).toEqual(["g"]);
    expect(cascadeStages([], 3)).toEqual([]);
  });
});

describe("random weights", () => {
  it("cascade from the output down to and including the layer", () => {
    expect(changed(randomiseWeights(graph, "cascading", "logits", 1).graph)).toEqual(["logits"]);
    expect(changed(randomiseWeights(graph, "cascading", "conv2", 1).graph)).toEqual(["conv2", "logits"]);
    expect(changed(randomiseWeights(graph, "cascading", "conv1", 1).graph)).toEqual(["conv1", "conv2", "logits"]);
  });

  it("or are those of one layer alone", () => {
    expect(changed(randomiseWeights(graph, "independent", "conv2", 1).graph)).toEqual(["conv2"]);
  });

  it("are the same for a layer at every stage and for the same seed, others for another", () => {
    const at = (kind: "cascading" | "independent", layer: string, seed: number) =>
      weightsOf(randomiseWeights(graph, kind, layer, seed).graph).get("logits");
    expect(at("cascading", "conv1", 1)).toEqual(at("independent", "logits", 1));
    expect(at("cascading", "conv1", 2)).not.toEqual(at("cascading", "conv1", 1));
  });

  it("are no two tensors' alike, and have about the mean and deviation of those they replace", () => {
    const drawn = weightsOf(randomiseWeights(graph, "cascading", "conv1", 5).graph);
    const [conv1, conv2] = [drawn.get("conv1") ?? [], drawn.get("conv2") ?? []];
    expect(conv1.slice(0, 50).some((v, i) => v === conv2[i])).toBe(false);
    const [before, after] = [moments(original.get("conv2") ?? []), moments(conv2)];
    // Four standard errors of a mean and of a deviation.
    const n = conv2.length;
    expect(Math.abs(after.mean - before.mean)).toBeLessThan((4 * before.deviation) / Math.sqrt(n));
    expect(Math.abs(after.deviation / before.deviation - 1)).toBeLessThan(4 / Math.sqrt(2 * n));
  });

  it("leave the model runnable, its answer another", async () => {
    const feeds = randomFeeds(graph, 1);
    const random = exportModel(randomiseWeights(graph, "cascading", "conv2", 1).graph);
    const [before, after] = [await runOnnx(bytes, feeds), await runOnnx(random, feeds)];
    expect(after.get("probabilities")?.dims).toEqual(before.get("probabilities")?.dims);
    expect(after.get("probabilities")?.data).not.toEqual(before.get("probabilities")?.data);
  });

  it("are refused for what has none", () => {
    expect(() => randomiseWeights(graph, "cascading", "pool1", 1)).toThrow(
      'cannot randomise "pool1": it is not the output of a layer with weights; such are "conv1", "conv2", "logits"',
    );
  });
});
