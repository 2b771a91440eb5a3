/** @file Grounds and colours: every ground paints every pixel within range, the same picture at every size. */
import { describe, expect, it } from "vitest";
import { grounds } from "../../infra/demo/background.ts";
import { edge, hsl } from "../../infra/demo/canvas.ts";
import { noiseFrom, randomFrom } from "../../infra/demo/random.ts";

/** The mean colours of an 8 x 8 division of the picture; fails where a colour is out of range. */
function means(name: string, seed: number, size: number): readonly number[] {
  const random = randomFrom(seed);
  const paint = grounds[name]!(random, noiseFrom(random));
  const sums = new Array<number>(8 * 8 * 3).fill(0);
  let [low, high] = [0, 255];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const colour = paint((x + 0.5) / size, (y + 0.5) / size, 1 / size);
      for (let c = 0; c < 3; c++) {
        low = Math.min(low, colour[c]!);
        high = Math.max(high, colour[c]!);
        sums[(Math.floor((y * 8) / size) * 8 + Math.floor((x * 8) / size)) * 3 + c]! += colour[c]!;
      }
    }
  }
  expect([low, high]).toEqual([0, 255]);
  return sums.map((sum) => (sum * 64) / size ** 2);
}

describe("a ground", () => {
  it.each(Object.keys(grounds))("%s paints colours in range, and the same at 32 and 96 pixels", (name) => {
    for (let seed = 0; seed < 5; seed++) {
      const [small, large] = [means(name, seed, 32), means(name, seed, 96)];
      const apart = small.map((mean, i) => Math.abs(mean - large[i]!));
      expect(apart.reduce((sum, each) => sum + each, 0) / apart.length).toBeLessThan(6);
    }
  });

  it.each(Object.keys(grounds))("%s looks different from seed to seed", (name) => {
    expect(means(name, 1, 32)).not.toEqual(means(name, 2, 32));
  });
});

describe("colours", () => {
  it.each([
    [0, [255, 0, 0]],
    [1 / 6, [255, 255, 0]],
    [1 / 3, [0, 255, 0]],
    [2 / 3, [0, 0, 255]],
    [1 + 5 / 6, [255, 0, 255]],
  ])("of hue %f is %j", (hue, colour) => {
    const found = hsl(hue, 1, 0.5);
    colour.forEach((value, c) => {
      expect(found[c]).toBeCloseTo(value, 6);
    });
  });

  it("without saturation are grey", () => {
    for (const value of hsl(0.3, 0, 0.2)) expect(value).toBeCloseTo(51, 6);
  });
});

describe("an edge", () => {
  it("covers half of a pixel it goes through the middle of, all within, nothing beyond", () => {
    expect([-1, -0.5, -0.25, 0, 0.5, 2].map((distance) => edge(distance, 1))).toEqual([1, 1, 0.75, 0.5, 0, 0]);
  });
});
