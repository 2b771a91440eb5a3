/** @file The display scale: ranges, symmetry, flatness, and values no scale has. */
import { describe, expect, it } from "vitest";
import { mapScale, toUnit } from "../../shared/imaging/heatmap.ts";

describe("mapScale", () => {
  it("spans the range of an unsigned map", () => {
    const scale = mapScale(Float32Array.of(2, 6, 4), false);
    expect(scale).toMatchObject({ min: 2, max: 6, low: 2, high: 6, flat: false });
    expect([2, 4, 6].map((value) => toUnit(scale, value))).toEqual([0, 0.5, 1]);
  });

  it("is symmetric about zero for a signed map, so that zero is the middle", () => {
    const scale = mapScale(Float32Array.of(-1, 4), true);
    expect(scale).toMatchObject({ min: -1, max: 4, low: -4, high: 4 });
    expect([-4, 0, 2, 4].map((value) => toUnit(scale, value))).toEqual([0, 0.5, 0.75, 1]);
  });

  it.each([
    [[0, 0, 0], "all zero"],
    [[0.2, 0.2, 0.2], "all equal"],
    [[1000, 1000.0005, 1000], "equal but for rounding"],
    [[-5, -5.000001, -5], "equal but for rounding, negative"],
  ])("calls %j flat (%s) and stretches nothing", (values) => {
    for (const signed of [false, true]) {
      const scale = mapScale(Float32Array.from(values), signed);
      expect(scale.flat).toBe(true);
      expect(new Set(values.map((value) => toUnit(scale, value)))).toEqual(new Set([signed ? 0.5 : 0]));
    }
  });

  it("does not call a map of tiny values flat", () => {
    expect(mapScale(Float32Array.of(1e-30, 2e-30), false).flat).toBe(false);
    expect(mapScale(Float32Array.of(1, 1.00001), false).flat).toBe(false);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("refuses a map with %f", (value) => {
    expect(() => mapScale(Float32Array.of(1, value, 2), false)).toThrow(/cannot draw the map: it holds/);
  });

  it("refuses an empty map", () => {
    expect(() => mapScale(new Float32Array(0), false)).toThrow(/empty/);
  });
});
