/** @file The numbers scenes are made of: uniform, unrelated between seeds, rotations that are rotations. */
import { describe, expect, it } from "vitest";
import { noiseFrom, randomFrom, randomTurn } from "../../infra/demo/random.ts";

describe("seeded numbers", () => {
  it("are the same for the same seed", () => {
    const [a, b] = [randomFrom(41), randomFrom(41)];
    expect(Array.from({ length: 20 }, () => a.unit())).toEqual(Array.from({ length: 20 }, () => b.unit()));
  });

  it("fill ten boxes evenly, within one seed and as the first numbers of many", () => {
    const one = randomFrom(3);
    const draws = [
      Array.from({ length: 20_000 }, () => one.unit()),
      Array.from({ length: 20_000 }, (_, seed) => randomFrom(seed).unit()),
      Array.from({ length: 20_000 }, (_, seed) => randomFrom(1_000_000 + seed).unit()),
    ];
    for (const numbers of draws) {
      const boxes = new Array<number>(10).fill(0);
      for (const number of numbers) boxes[Math.floor(number * 10)]! += 1;
      // A box's standard deviation is 42.
      for (const count of boxes) expect(Math.abs(count - 2000)).toBeLessThan(200);
    }
  });

  it("of neighbouring seeds are not related", () => {
    let sum = 0;
    for (let seed = 0; seed < 10_000; seed++) {
      sum += (randomFrom(seed).unit() - 0.5) * (randomFrom(seed + 1).unit() - 0.5);
    }
    // The correlation's standard deviation is 0.01.
    expect(Math.abs((12 * sum) / 10_000)).toBeLessThan(0.05);
  });

  it("pick every element of a list, and no other", () => {
    const random = randomFrom(0);
    const picked = new Set(Array.from({ length: 200 }, () => random.pick(["a", "b", "c"])));
    expect([...picked].sort()).toEqual(["a", "b", "c"]);
  });
});

describe("a random turn", () => {
  it("is a rotation within its limit, to both sides", () => {
    const random = randomFrom(5);
    const angles = Array.from({ length: 500 }, () => {
      const { cos, sin } = randomTurn(random, 0.3);
      expect(cos * cos + sin * sin).toBeCloseTo(1, 12);
      return (Math.atan2(sin, cos) * 180) / Math.PI;
    });
    expect(Math.max(...angles)).toBeGreaterThan(30);
    expect(Math.min(...angles)).toBeLessThan(-30);
    expect(Math.max(...angles.map(Math.abs))).toBeLessThan(33.4);
  });
});

describe("noise", () => {
  it("has its lattice's values at whole numbers, no steps between them, and repeats after 64", () => {
    const noise = noiseFrom(randomFrom(1));
    for (const [x, y] of [
      [3, 5],
      [-2, 7],
      [12.3, 40.9],
    ] as const) {
      expect(noise(x + 64, y)).toBeCloseTo(noise(x, y), 9);
      expect(noise(x, y - 64)).toBeCloseTo(noise(x, y), 9);
      expect(Math.abs(noise(x + 1e-4, y) - noise(x - 1e-4, y))).toBeLessThan(1e-3);
    }
    const values = Array.from({ length: 4096 }, (_, i) => noise((i % 64) * 0.7, Math.floor(i / 64) * 0.7));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThanOrEqual(1);
    expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(0.8);
  });
});
