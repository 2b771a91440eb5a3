/** @file Class sensitivity: pairs of classes, undefined correlations, and figures over images. */
import { describe, expect, it } from "vitest";
import { classSensitivity, pairTargets, summariseRho } from "../../shared/evaluation/sensitivity.ts";

const map = (...values: readonly number[]) => ({ width: 2, height: 2, data: Float32Array.from(values) });
const size = { width: 6, height: 6 };

describe("class sensitivity", () => {
  it("compares the most with the least probable class, or with the next", () => {
    expect(pairTargets("max-min", 1000)).toEqual([-1, -1000]);
    expect(pairTargets("top1-top2", 1000)).toEqual([-1, -2]);
  });

  it("is 1 for maps that do not look at the class, -1 for opposite ones", () => {
    expect(classSensitivity(map(1, 2, 3, 4), map(2, 4, 6, 8), size)).toBe(1);
    expect(classSensitivity(map(1, 2, 3, 4), map(-1, -2, -3, -4), size)).toBe(-1);
  });

  it("is undefined where a map is flat", () => {
    expect(classSensitivity(map(1, 2, 3, 4), map(0, 0, 0, 0), size)).toBeNull();
  });
});

describe("the summary", () => {
  it("leaves undefined images out and counts them", () => {
    const found = summariseRho([0.5, null, 0.7, 0.9, null]);
    expect(found.mean).toBeCloseTo(0.7, 12);
    expect(found.deviation).toBeCloseTo(0.2, 12);
    expect([found.defined, found.undefined]).toEqual([3, 2]);
    expect(found.interval?.low).toBeGreaterThanOrEqual(0.5);
    expect(found.interval?.high).toBeLessThanOrEqual(0.9);
  });

  it("of undefined images alone is no number", () => {
    const found = summariseRho([null, null]);
    expect([found.mean, found.interval, found.undefined]).toEqual([Number.NaN, null, 2]);
  });
});
