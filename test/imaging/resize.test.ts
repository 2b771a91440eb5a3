/** @file Resizing: against a plain reference in double, against hand-computed numbers, and its invariants. */
import { describe, expect, it } from "vitest";
import type { Raster } from "../../shared/imaging/image.ts";
import { type FloatMap, resizeMap, resizeRaster, sampleGrid } from "../../shared/imaging/resize.ts";

/** A picture of pseudo-random bytes. */
function noise(width: number, height: number, seed: number): Raster {
  let state = seed;
  const data = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return { width, height, data };
}

/** The triangle filter from its definition, one axis, in double. */
function referenceAxis(line: readonly number[], to: number): number[] {
  const scale = line.length / to;
  const support = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const weights = line.map((_, j) => Math.max(0, 1 - Math.abs(j + 0.5 - centre) / support));
    const sum = weights.reduce((a, b) => a + b, 0);
    return line.reduce((value, sample, j) => value + (sample * (weights[j] ?? 0)) / sum, 0);
  });
}

function referenceResize(from: Raster, width: number, height: number, channel: number): number[] {
  const at = (x: number, y: number): number => from.data[(y * from.width + x) * 3 + channel] ?? 0;
  const rows = Array.from({ length: from.height }, (_, y) =>
    referenceAxis(
      Array.from({ length: from.width }, (_, x) => at(x, y)),
      width,
    ),
  );
  const columns = Array.from({ length: width }, (_, x) =>
    referenceAxis(
      rows.map((row) => row[x] ?? 0),
      height,
    ),
  );
  return Array.from({ length: width * height }, (_, i) => columns[i % width]?.[Math.floor(i / width)] ?? 0);
}

describe("resizeRaster", () => {
  it.each([
    [40, 30, 17, 11],
    [7, 9, 20, 31],
    [64, 5, 3, 5],
    [1, 1, 4, 3],
    [33, 50, 33, 7],
  ])("is the triangle filter, %i x %i to %i x %i, to within the two roundings", (w, h, width, height) => {
    const from = noise(w, h, w * h);
    const resized = resizeRaster(from, width, height);
    expect([resized.width, resized.height, resized.data.length]).toEqual([width, height, width * height * 3]);
    for (let channel = 0; channel < 3; channel++) {
      referenceResize(from, width, height, channel).forEach((wanted, i) => {
        expect(Math.abs((resized.data[3 * i + channel] ?? 0) - wanted)).toBeLessThanOrEqual(1.001);
      });
    }
  });

  it("keeps a flat colour exactly, whatever the factor", () => {
    for (const size of [1, 2, 3, 7, 100, 224]) {
      const flat: Raster = { width: 50, height: 41, data: new Uint8Array(50 * 41 * 3).fill(201) };
      expect(new Set(resizeRaster(flat, size, size).data)).toEqual(new Set([201]));
    }
  });

  it("gives the same pixels back at the same size", () => {
    const from = noise(12, 9, 1);
    expect(resizeRaster(from, 12, 9).data).toEqual(from.data);
  });
});

describe("resizeMap", () => {
  const map: FloatMap = { width: 2, height: 2, data: Float32Array.of(0, 1, 2, 3) };

  it("has half-pixel centres and clamps at the edges", () => {
    expect([...resizeMap(map, 4, 1).data]).toEqual([1, 1.25, 1.75, 2]);
    expect([...resizeMap({ width: 2, height: 1, data: Float32Array.of(0, 4) }, 4, 1).data]).toEqual([0, 1, 3, 4]);
    expect([...resizeMap(map, 2, 2).data]).toEqual([0, 1, 2, 3]);
  });

  it("does not antialias: halving reads between the two middle pixels", () => {
    const line: FloatMap = { width: 8, height: 1, data: Float32Array.of(9, 0, 0, 0, 0, 0, 0, 9) };
    expect([...resizeMap(line, 4, 1).data]).toEqual([4.5, 0, 0, 4.5]);
    expect([...resizeMap(line, 2, 1).data]).toEqual([0, 0]);
  });

  it("never leaves the range of its values", () => {
    const from: FloatMap = { width: 5, height: 5, data: Float32Array.from({ length: 25 }, (_, i) => Math.sin(i * i)) };
    const resized = resizeMap(from, 61, 37).data;
    expect(Math.max(...resized)).toBeLessThanOrEqual(Math.max(...from.data));
    expect(Math.min(...resized)).toBeGreaterThanOrEqual(Math.min(...from.data));
  });

  it("reads a pixel's own value at its centre", () => {
    const at = (x: number, y: number): number =>
      sampleGrid(map, Float64Array.of(x), Float64Array.of(y))[0] ?? Number.NaN;
    expect(at(1.5, 0.5)).toBe(1);
    expect(at(0.5, 1.5)).toBe(2);
    expect(at(1, 1)).toBe(1.5);
    expect(at(-5, 99)).toBe(2);
  });
});
