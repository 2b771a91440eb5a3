/** @file Layer weights as measured quantities, and combinations made outside the explainer. */
import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { classContrast, combinedMap, featureSpread, layerShares } from "../../shared/evaluation/weights.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import type { FloatMap } from "../../shared/imaging/resize.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { normalisedWeights } from "../../shared/saliency/combine.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { combinations, defaultSpec } from "../../shared/saliency/spec.ts";
import { runOnnx, tensorOf } from "../support/run-onnx.ts";
import { randomNumbers, tinyClassifier } from "../support/tiny-models.ts";

describe("feature spread", () => {
  it("is 0 where all images have the same features, 1 where the mean says nothing", () => {
    expect(featureSpread([Float64Array.of(1, 2), Float64Array.of(1, 2)])).toBe(0);
    expect(featureSpread([Float64Array.of(1, -2), Float64Array.of(-1, 2)])).toBe(1);
  });

  it("is the variance's part of the mean square, whatever the scale", () => {
    // One feature of 1 and 3: mean 2, mean square 5, variance 1.
    expect(featureSpread([Float64Array.of(1), Float64Array.of(3)])).toBeCloseTo(1 / 5, 12);
    expect(featureSpread([Float64Array.of(100), Float64Array.of(300)])).toBeCloseTo(1 / 5, 12);
  });

  it("of a layer without any activation is 0", () => {
    expect(featureSpread([Float64Array.of(0, 0), Float64Array.of(0, 0)])).toBe(0);
  });
});

describe("class contrast", () => {
  it("is 1 - rho, an image with a flat map counting 0", () => {
    expect(classContrast(0.25, 10, 0)).toBe(0.75);
    expect(classContrast(0.25, 6, 4)).toBeCloseTo(0.45, 12);
    expect(classContrast(null, 0, 10)).toBe(0);
  });

  it("of a class-blind layer is nothing, not what rounding left", () => {
    expect(classContrast(1 - 1e-6, 10, 0)).toBe(0);
  });
});

describe("shares", () => {
  it("sum to 1, and are alike where nothing was found", () => {
    expect(layerShares([1, 0, 3])).toEqual([0.25, 0, 0.75]);
    expect(layerShares([0, 0])).toEqual([0.5, 0.5]);
  });
});

describe("a combination outside the explainer", () => {
  it.each(
    combinations.flatMap((how) =>
      [
        [3, 1],
        [0, 2],
      ].map((weights) => [how, weights] as const),
    ),
  )("by %s with weights %s is the explainer's own", async (how, weights) => {
    const { graph: imported, declared } = importModel(tinyClassifier());
    const graph = prepare(imported, { declared });
    const layers = ["relu1", "relu2"];
    const spec = { ...defaultSpec, layers, combine: how, weights, layerMaps: true };
    const explainer = exportModel(compileExplainer(graph, spec, { sha256: "" }).graph);
    const dims = [1, 3, 8, 8];
    const outputs = await runOnnx(explainer, {
      image: tensorOf(dims, randomNumbers(5, 192)),
      target: new ort.Tensor("int64", BigInt64Array.of(2n), [1]),
    });
    const maps = layers.map((layer) => planeOf(outputs.get(`map/${layer}`)));
    const own = combinedMap(maps, normalisedWeights(weights, 2), how, { width: 8, height: 8 });
    const theirs = planeOf(outputs.get("saliency"));
    expect(new Set(theirs.data).size, "the map is not flat").toBeGreaterThan(8);
    for (const [i, value] of theirs.data.entries()) expect(own.data[i]).toBeCloseTo(value, 5);
  });

  it("by product is nowhere above the one by sum", () => {
    const map = (seed: number): FloatMap => ({ width: 4, height: 4, data: randomNumbers(seed, 16) });
    const size = { width: 9, height: 9 };
    const [sum, product] = combinations.map((how) => combinedMap([map(1), map(2)], [0.3, 0.7], how, size).data);
    for (const [i, value] of (product ?? []).entries()) expect(value).toBeLessThanOrEqual((sum?.[i] ?? 0) + 1e-6);
  });

  it("by product is vetoed by a flat map, unless the map has no weight", () => {
    const flat: FloatMap = { width: 2, height: 1, data: Float32Array.of(3, 3) };
    const slope: FloatMap = { width: 2, height: 1, data: Float32Array.of(1, 2) };
    expect([...combinedMap([flat, slope], [0.5, 0.5], "product", flat).data]).toEqual([0, 0]);
    expect([...combinedMap([flat, slope], [0, 1], "product", flat).data]).toEqual([0, 1]);
  });
});

function planeOf(tensor: ort.Tensor | undefined): FloatMap {
  if (!(tensor?.data instanceof Float32Array)) throw new RangeError("the explainer returned no such map");
  const [height = 0, width = 0] = tensor.dims.slice(-2);
  return { width, height, data: tensor.data };
}
