/** @file Weights that are no numbers are found and named; infinities that are meant are left alone. */
import { describe, expect, it } from "vitest";
import { findNonFinite, rejectNonFinite } from "../../shared/onnx/finite.ts";
import { importModel } from "../../shared/onnx/import.ts";
import type { TensorProto } from "../../shared/onnx/schema.ts";
import { modelBytes, node, tensorInfo, tinyClassifier, weights } from "../support/tiny-models.ts";

/** `w` is a MatMul's weight, `mask` is added. */
const graphOf = (w: TensorProto, mask: TensorProto = weights("mask", [2], [0, 0])) =>
  importModel(
    modelBytes({
      nodes: [node("MatMul", ["x", "w"], ["h"]), node("Add", ["h", "mask"], ["y"])],
      inputs: [tensorInfo("x", [1, 2])],
      outputs: [tensorInfo("y", [1, 2])],
      initializers: [w, mask],
    }),
  ).graph;

const finite = weights("w", [2, 2], [1, -2, 3e38, 1e-45]);

describe("weights that are no numbers", () => {
  it("are not found in a sound model", () => {
    expect(findNonFinite(graphOf(finite))).toEqual([]);
    expect(() => rejectNonFinite(importModel(tinyClassifier()).graph)).not.toThrow();
  });

  it.each(["float32", "float16", "float64", "bfloat16"] as const)(
    "are found in %s, the first of each tensor",
    (type) => {
      const bad = weights("w", [2, 2], [1, 2, Number.NaN, Number.POSITIVE_INFINITY], type);
      expect(findNonFinite(graphOf(bad))).toEqual([{ tensor: "w", index: 2, element: Number.NaN }]);
    },
  );

  it("include infinities only in weights: a mask may hold them", () => {
    const infinite = Number.NEGATIVE_INFINITY;
    expect(findNonFinite(graphOf(finite, weights("mask", [2], [0, infinite])))).toEqual([]);
    expect(findNonFinite(graphOf(weights("w", [2, 2], [0, infinite, 0, 0])))).toEqual([
      { tensor: "w", index: 1, element: infinite },
    ]);
  });

  it("are refused by name", () => {
    const nan = weights("mask", [2], [Number.NaN, 0]);
    expect(() => rejectNonFinite(graphOf(weights("w", [2, 2], [0, 0, 0, Number.NaN]), nan))).toThrow(
      /the weights "w" hold NaN at element 3 and so do 1 other tensors/,
    );
  });
});
