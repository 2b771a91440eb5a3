/** @file Insertion and deletion: the inputs by hand, and the area under curves whose area is known. */
import { describe, expect, it } from "vitest";
import {
  areaUnderCurve,
  blurredInput,
  perturbedBatch,
  saliencyOrder,
  stepCounts,
} from "../../shared/evaluation/deletion.ts";
import { randomNumbers } from "../support/tiny-models.ts";

const order = saliencyOrder({ width: 2, height: 2, data: Float32Array.of(1, 5, 1, 3) });
const image = Float32Array.of(1, 2, 3, 4, 10, 20, 30, 40);
const baseline = new Float32Array(8).fill(-1);

describe("the order", () => {
  it("is from the most salient pixel, of equal ones the first", () => {
    expect([...order]).toEqual([1, 3, 0, 2]);
  });

  it("is taken in equal steps from nothing to everything", () => {
    expect(stepCounts(4, 2)).toEqual([0, 2, 4]);
    expect(stepCounts(10, 4)).toEqual([0, 3, 5, 8, 10]);
  });
});

describe("the inputs of a curve", () => {
  const planes = { channels: 2, pixels: 4, layout: "nchw" } as const;

  it("lose their first pixels in all channels", () => {
    const batch = perturbedBatch("deletion", { image, baseline }, order, [0, 2, 4], planes);
    expect([...batch.subarray(0, 8)]).toEqual([...image]);
    expect([...batch.subarray(8, 16)]).toEqual([1, -1, 3, -1, 10, -1, 30, -1]);
    expect([...batch.subarray(16)]).toEqual([...baseline]);
  });

  it("gain their first pixels on the baseline", () => {
    const batch = perturbedBatch("insertion", { image, baseline }, order, [1], planes);
    expect([...batch]).toEqual([-1, 2, -1, -1, -1, 20, -1, -1]);
  });

  it("are the same picture where channels come last", () => {
    const nhwc = Float32Array.of(1, 10, 2, 20, 3, 30, 4, 40);
    const batch = perturbedBatch("deletion", { image: nhwc, baseline }, order, [1], { ...planes, layout: "nhwc" });
    expect([...batch]).toEqual([1, 10, -1, -1, 3, 30, 4, 40]);
  });
});

describe("the blurred image", () => {
  it("loses detail in each channel, and is the same in both layouts", () => {
    const [width, pixels] = [32, 32 * 16];
    const flat = (v: ArrayLike<number>, from: number) => Float32Array.from({ length: pixels }, (_, i) => v[from + i]!);
    const variance = (v: Float32Array) =>
      v.reduce((s, x) => s + x * x, 0) / pixels - (v.reduce((a, b) => a + b) / pixels) ** 2;
    const nchw = Float32Array.from([...randomNumbers(1, pixels), ...randomNumbers(2, pixels, 3)]);
    const nhwc = Float32Array.from({ length: 2 * pixels }, (_, i) => nchw[(i % 2) * pixels + Math.floor(i / 2)]!);
    const blurred = blurredInput(nchw, { channels: 2, pixels, layout: "nchw" }, width);
    for (const from of [0, pixels]) {
      expect(variance(flat(blurred, from))).toBeLessThan(0.5 * variance(flat(nchw, from)));
    }
    const last = blurredInput(nhwc, { channels: 2, pixels, layout: "nhwc" }, width);
    expect(last[2 * 77 + 1]).toBe(blurred[pixels + 77]);
  });
});

describe("the area under a curve", () => {
  it("is the height of a level one, half of a slope, and a trapezoid's", () => {
    expect(areaUnderCurve([0.3, 0.3, 0.3])).toBeCloseTo(0.3, 12);
    expect(areaUnderCurve([1, 0.75, 0.5, 0.25, 0])).toBe(0.5);
    expect(areaUnderCurve([1, 0, 0])).toBe(0.25);
    expect(() => areaUnderCurve([1])).toThrow("at least two points");
  });
});
