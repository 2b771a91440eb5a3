/** @file Spearman's correlation against values of another implementation (SciPy) and by hand. */
import { describe, expect, it } from "vitest";
import { averageRanks, mapAgreement, pearson, spearman } from "../../shared/evaluation/rank.ts";
import type { FloatMap } from "../../shared/imaging/resize.ts";
import { random } from "../support/random.ts";

const map = (width: number, ...values: readonly number[]): FloatMap => ({
  width,
  height: values.length / width,
  data: Float32Array.from(values),
});

describe("ranks", () => {
  it("are shared equally among equal values", () => {
    expect([...averageRanks([1, 2, 2, 3, 5, 5, 5, 0])]).toEqual([2, 3.5, 3.5, 5, 7, 7, 7, 1]);
    expect([...averageRanks([0, -0, -1])]).toEqual([2.5, 2.5, 1]);
  });
});

describe("spearman", () => {
  it("is the textbook's value without ties", () => {
    const iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110];
    const hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17];
    expect(spearman(iq, hours)).toBeCloseTo(-29 / 165, 12);
  });

  it("agrees with SciPy's spearmanr where there are ties", () => {
    expect(spearman([1, 2, 2, 3, 5, 5, 5, 0], [2, 1, 4, 4, 3, 8, 7, 1])).toBeCloseTo(0.7578955605924, 12);
  });

  it("does not change when values are put through an increasing function, or 1e-6 is added", () => {
    const next = random(4);
    const a = Float64Array.from({ length: 50 }, () => Math.floor(next() * 20));
    const b = Float64Array.from({ length: 50 }, () => Math.floor(next() * 20));
    const rho = spearman(a, b);
    expect(spearman(a.map(Math.exp), b)).toBe(rho);
    expect(
      spearman(
        a.map((v) => v + 1e-6),
        b.map((v) => v ** 3),
      ),
    ).toBe(rho);
    expect(
      spearman(
        a.map((v) => -v),
        b,
      ),
    ).toBeCloseTo(-(rho ?? 0), 12);
  });

  it("is undefined for a flat map, also where rounding tells its values apart", () => {
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNull();
    expect(spearman([1, 1 + 5e-7, 1], [1, 2, 3])).toBeNull();
    expect(spearman([1, 1 + 2e-6, 1], [1, 2, 3])).not.toBeNull();
    expect(pearson([2, 2], [1, 3])).toBeNull();
  });

  it("refuses lists of different lengths", () => {
    expect(() => spearman([1, 2], [1, 2, 3])).toThrow("cannot correlate 2 with 3 values");
  });
});

describe("the agreement of two maps", () => {
  it("is 1 for a map and itself at any size, and takes maps of different sizes", () => {
    const small = map(2, 1, 2, 3, 5);
    expect(mapAgreement(small, small, { width: 6, height: 6 })).toBe(1);
    const large = map(4, 1, 1.25, 1.75, 2, 1.5, 1.8125, 2.4375, 2.75, 2.5, 2.9375, 3.8125, 4.25, 3, 3.5, 4.5, 5);
    expect(mapAgreement(small, large, { width: 4, height: 4 })).toBe(1);
  });

  it("compares magnitudes where asked to", () => {
    const [a, b] = [map(2, 1, -2, 3, -4), map(2, 1, 2, 3, 4)];
    expect(mapAgreement(a, b, { width: 2, height: 2 }, { absolute: true })).toBe(1);
    expect(mapAgreement(a, b, { width: 2, height: 2 })).toBeLessThan(0);
  });

  it("is undefined for a map that is flat before it is resized", () => {
    expect(mapAgreement(map(2, 3, 3, 3, 3), map(2, 1, 2, 3, 4), { width: 8, height: 8 })).toBeNull();
  });
});
