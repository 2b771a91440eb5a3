/** @file Gaussian smoothing against SciPy's `gaussian_filter(mode="nearest", truncate=4)`. */
import { describe, expect, it } from "vitest";
import { mapOnPhoto } from "../../shared/evaluation/on-photo.ts";
import { gaussianKernel, gaussianSmooth, smoothMap } from "../../shared/evaluation/smooth.ts";
import { fitGeometry } from "../../shared/imaging/geometry.ts";

const spots = () => {
  const data = new Float32Array(35);
  data[2 * 7 + 3] = 1;
  data[0] = 2;
  return { width: 7, height: 5, data };
};

describe("the kernel", () => {
  it("reaches four standard deviations, rounded up, and sums to one", () => {
    expect(gaussianKernel(1).length).toBe(9);
    expect(gaussianKernel(0.7).length).toBe(7);
    expect(gaussianKernel(4.5).length).toBe(37);
    expect(gaussianKernel(4.5).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });
});

describe("smoothing", () => {
  it("gives SciPy's numbers, the edge's values going on beyond it", () => {
    const { data } = gaussianSmooth(spots(), 1);
    const expected = [0.9787606964324758, 0.4233370959692189, 0.09498199161172226, 0.02792655303640027];
    for (const [i, value] of expected.entries()) expect(data[i]).toBeCloseTo(value, 6);
    expect(data[2 * 7 + 3]).toBeCloseTo(0.1596905965767142, 6);
    expect(data[4 * 7 + 6]).toBeCloseTo(0.00023928120543803753, 9);
  });

  it("takes sigma as a part of the longer side", () => {
    expect([...smoothMap(spots(), 1 / 7).data]).toEqual([...gaussianSmooth(spots(), 1).data]);
    expect(smoothMap(spots(), 0).data).toEqual(spots().data);
  });

  it("keeps a constant map constant up to its borders", () => {
    const map = { width: 9, height: 4, data: new Float32Array(36).fill(3) };
    for (const value of gaussianSmooth(map, 2).data) expect(value).toBeCloseTo(3, 5);
  });

  it("is done within what the model saw of the photo", () => {
    const geometry = fitGeometry({ width: 12, height: 6 }, { width: 6, height: 6 }, { kind: "resize-crop", resize: 6 });
    const map = { width: 6, height: 6, data: new Float32Array(36).fill(2) };
    const found = mapOnPhoto(map, geometry, 0.1);
    expect(Number.isNaN(found.data[0])).toBe(true);
    for (let x = 3; x < 9; x += 1) expect(found.data[x]).toBeCloseTo(2, 5);
    expect(Number.isNaN(found.data[9])).toBe(true);
  });
});
