/** @file Average precision, and the picture of a loss. */
import { describe, expect, it } from "vitest";
import { drawCurve, smoothed } from "../../infra/demo/train/curve.ts";
import { averagePrecision, rankingOf } from "../../infra/demo/train/score.ts";

describe("average precision", () => {
  it("is the mean precision at the ranks of the positives", () => {
    // Ranks 1, 3 and 4: (1/1 + 2/3 + 3/4) / 3.
    expect(averagePrecision([0.9, 0.8, 0.7, 0.6, 0.1], [true, false, true, true, false])).toBeCloseTo(29 / 36, 12);
    expect(averagePrecision([0.1, 0.9], [true, false])).toBe(0.5);
    expect(averagePrecision([3, 2, 1], [true, true, false])).toBe(1);
  });

  it("is averaged over the classes that are shown", () => {
    const scores = Float32Array.of(0.9, 0.2, 0.5, 0.1, 0.8, 0.5);
    const labels = Float32Array.of(1, 1, 0, 0, 0, 0);
    expect(rankingOf(scores, labels, 3)).toEqual({ classes: [1, 0.5, null], mean: 0.75 });
  });
});

describe("the loss curve", () => {
  it("averages equal shares of the steps", () => {
    expect(smoothed([1, 3, 5, 7], 2)).toEqual([2, 6]);
    expect(smoothed([4], 10)).toEqual([4]);
  });

  it("falls from upper left to lower right for a loss that falls, and is drawn before the first step too", () => {
    const losses = Array.from({ length: 500 }, (_, i) => Math.exp(-i / 200));
    const { data, width } = drawCurve(losses, "loss");
    const rows = (from: number, to: number): readonly number[] =>
      Array.from({ length: data.length / 3 }, (_, i) => i).flatMap((i) =>
        i % width >= from && i % width < to && data[i * 3] === 33 && data[i * 3 + 2] === 176
          ? [Math.floor(i / width)]
          : [],
      );
    const [left, right] = [rows(80, 120), rows(width - 60, width)];
    expect(left.length).toBeGreaterThan(0);
    expect(Math.max(...left)).toBeLessThan(Math.min(...right));
    expect(drawCurve([], "loss").width).toBe(width);
  });
});
