/** @file Intervals against published values and against samples whose spread is known. */
import { describe, expect, it } from "vitest";
import { bootstrap, mean, quantile, standardDeviation, wilson } from "../../shared/evaluation/intervals.ts";
import { normalFrom, uniformFrom } from "../../shared/evaluation/random.ts";

describe("Wilson's interval", () => {
  it.each([
    [81, 263, 0.2553, 0.3662], // Newcombe 1998, table I
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])("of %i in %i is the published one", (hits, trials, low, high) => {
    const found = wilson(hits, trials);
    expect(found.low).toBeCloseTo(low, 4);
    expect(found.high).toBeCloseTo(high, 4);
  });

  it("of nothing is everything, of hits alone ends at 1", () => {
    expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
    expect(wilson(10, 10).high).toBeCloseTo(1, 12);
    expect(wilson(10, 10).low).toBeCloseTo(0.72246720013, 9);
  });
});

describe("the bootstrap", () => {
  it("of a mean is as wide as the normal approximation says", () => {
    const next = normalFrom(3);
    const values = Array.from({ length: 400 }, () => 5 + 2 * next());
    const found = bootstrap(values, mean, { seed: 2 });
    const half = (1.96 * standardDeviation(values)) / Math.sqrt(400);
    expect(found?.low).toBeCloseTo(mean(values) - half, 1);
    expect(found?.high).toBeCloseTo(mean(values) + half, 1);
  });

  it("covers the true mean in about 95 of 100 samples", () => {
    const next = normalFrom(8);
    const covered = Array.from({ length: 200 }, (_, seed) => {
      const values = Array.from({ length: 60 }, () => next());
      const found = bootstrap(values, mean, { seed, resamples: 300 });
      return found !== null && found.low <= 0 && found.high >= 0;
    }).filter(Boolean).length;
    // 190 of 200 are expected, with a standard deviation of 3; the percentile bootstrap falls a little short.
    expect(covered).toBeGreaterThan(179);
    expect(covered).toBeLessThan(199);
  });

  it("says nothing of fewer than two units, and leaves statistics that are no number out", () => {
    expect(bootstrap([1], mean)).toBeNull();
    expect(bootstrap([1, 2, 3], () => Number.NaN)).toBeNull();
    const found = bootstrap([0, 1], (s) => (s.includes(1) ? mean(s) : Number.NaN));
    expect(found?.low).toBe(0.5);
  });
});

describe("order statistics", () => {
  it("are interpolated linearly", () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3, 4], 1)).toBe(4);
    expect(quantile([10], 0.3)).toBe(10);
  });
});

describe("random numbers", () => {
  it("are uniform, and others for another seed", () => {
    const next = uniformFrom(1);
    const bins = new Uint32Array(10);
    for (let i = 0; i < 100_000; i += 1) bins[Math.floor(next() * 10)]! += 1;
    // 9 degrees of freedom: 27.9 is exceeded once in a thousand.
    expect(bins.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0)).toBeLessThan(27.9);
    expect(uniformFrom(1)()).toBe(uniformFrom(1)());
    expect(uniformFrom(1)()).not.toBe(uniformFrom(2)());
  });

  it("are normal of mean 0 and variance 1", () => {
    const next = normalFrom(5);
    const values = Array.from({ length: 50_000 }, () => next());
    expect(mean(values)).toBeCloseTo(0, 1);
    expect(standardDeviation(values)).toBeCloseTo(1, 1);
    const beyond = values.filter((v) => Math.abs(v) > 1.959964).length / values.length;
    expect(beyond).toBeCloseTo(0.05, 2);
  });
});
