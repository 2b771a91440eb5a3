/** @file The pointing game's rules, one by one, on maps and masks that can be checked by eye. */
import { describe, expect, it } from "vitest";
import { boxMask, emptyMask } from "../../shared/evaluation/mask.ts";
import {
  centreOf,
  isDifficult,
  isHit,
  type PointingTrial,
  peakOf,
  playPointing,
  pointOf,
  summarisePointing,
} from "../../shared/evaluation/pointing.ts";
import { fitGeometry } from "../../shared/imaging/geometry.ts";

const size = { width: 60, height: 40 };
const pixel = (x: number, y: number) => boxMask([{ left: x, top: y, right: x + 1, bottom: y + 1 }], size);
const squash = fitGeometry(size, { width: 8, height: 8 }, { kind: "squash" });
const flat = (width: number, height: number, value = 0) => ({
  width,
  height,
  data: new Float32Array(width * height).fill(value),
});

describe("the point", () => {
  it("is the first of equal maxima in reading order", () => {
    const map = flat(4, 3);
    map.data[6] = 2;
    map.data[9] = 2;
    expect(peakOf(map)).toEqual({ x: 2, y: 1 });
    expect(peakOf(flat(4, 3))).toEqual({ x: 0, y: 0 });
  });

  it("is never where the model did not see the photo", () => {
    const map = flat(3, 1, Number.NaN);
    expect(peakOf(map)).toBeNull();
    map.data[1] = -5;
    expect(peakOf(map)).toEqual({ x: 1, y: 0 });
  });

  it("is found at the photo's size, half a pixel being the border of a map's pixel", () => {
    // A 2 x 2 map on 60 x 40: the right lower quarter's centre is at (45, 30), from which on the edge is held.
    const map = { width: 2, height: 2, data: Float32Array.of(0, 0, 0, 1) };
    expect(pointOf(map, squash)).toEqual({ x: 45, y: 30 });
  });

  it("lies on the part of the photo that a crop leaves", () => {
    const crop = fitGeometry(size, { width: 40, height: 40 }, { kind: "resize-crop", resize: 40 });
    const map = flat(4, 4);
    map.data[0] = 1; // the crop's left upper corner, the photo's column 10
    expect(pointOf(map, crop)).toEqual({ x: 10, y: 0 });
  });

  it("moves to where most lies when the map is smoothed", () => {
    const map = flat(60, 40);
    map.data[3 * 60 + 3] = 1.2;
    for (const [x, y] of [
      [40, 20],
      [41, 20],
      [40, 21],
      [41, 21],
      [42, 21],
    ] as const)
      map.data[y * 60 + x] = 1;
    expect(pointOf(map, squash)).toEqual({ x: 3, y: 3 });
    const smoothed = pointOf(map, squash, 0.02);
    expect(smoothed?.x).toBe(41);
    expect(smoothed?.y).toBe(21);
  });

  it("of the baseline is the middle", () => {
    expect(centreOf({ width: 3, height: 4 })).toEqual({ x: 1, y: 1.5 });
  });
});

describe("a hit", () => {
  it("is nearer than 15 pixels, not 15 pixels away", () => {
    const mask = pixel(20, 20);
    expect(isHit(mask, { x: 35, y: 20 })).toBe(false);
    expect(isHit(mask, { x: 34, y: 20 })).toBe(true);
    expect(isHit(mask, { x: 34.99, y: 20 })).toBe(true);
    expect(isHit(mask, { x: 29, y: 32 })).toBe(false); // 9, 12, 15
    expect(isHit(mask, { x: 29, y: 31 })).toBe(true);
  });

  it("needs the very pixel where the tolerance is 0", () => {
    expect(isHit(pixel(20, 20), { x: 20, y: 20 }, 0)).toBe(true);
    expect(isHit(pixel(20, 20), { x: 21, y: 20 }, 0)).toBe(false);
  });

  it("is impossible without an object", () => {
    expect(isHit(emptyMask(size), { x: 20, y: 20 })).toBe(false);
  });

  it("is played from a map, its geometry and a mask, and refuses a mask of another photo", () => {
    const map = { width: 2, height: 2, data: Float32Array.of(0, 0, 0, 1) };
    expect(playPointing(map, squash, pixel(55, 30))).toBe(true);
    expect(playPointing(map, squash, pixel(55, 30), { tolerance: 10 })).toBe(false);
    expect(() => playPointing(map, squash, emptyMask({ width: 59, height: 40 }))).toThrow(
      "a mask of 59 x 40: the annotation must be of the very same picture",
    );
  });
});

describe("the difficult subset", () => {
  it("is of classes on less than a quarter of the photo, others being there", () => {
    const quarter = boxMask([{ left: 0, top: 0, right: 30, bottom: 20 }], size);
    const less = boxMask([{ left: 0, top: 0, right: 30, bottom: 19 }], size);
    expect([isDifficult(quarter, 1), isDifficult(less, 1), isDifficult(less, 0)]).toEqual([false, true, false]);
  });
});

describe("accuracy", () => {
  const trial = (image: string, name: string, hit: boolean, difficult = false): PointingTrial => ({
    image,
    class: name,
    hit,
    difficult,
  });
  const trials = [
    trial("1", "cat", true),
    trial("1", "dog", false, true),
    trial("2", "cat", true),
    trial("3", "cat", true),
    trial("4", "cat", false),
    trial("5", "dog", false),
  ];

  it("is the mean of the classes', beside that of all trials", () => {
    const found = summarisePointing(trials);
    expect(found.classMean).toBe((3 / 4 + 0) / 2);
    expect(found.micro).toBe(3 / 6);
    expect(found.classes).toEqual([
      { class: "cat", hits: 3, trials: 4 },
      { class: "dog", hits: 0, trials: 2 },
    ]);
  });

  it("leaves classes without a trial out of the difficult subset's mean", () => {
    const found = summarisePointing(trials, { subset: "difficult" });
    expect([found.trials, found.micro, found.classMean]).toEqual([1, 0, 0]);
    expect(found.classes.map((c) => c.class)).toEqual(["dog"]);
    expect(found.classMeanInterval).toBeNull();
  });

  it("has intervals that hold it, the same for the same seed", () => {
    const found = summarisePointing(trials);
    expect(found.microInterval.low).toBeLessThan(0.5);
    expect(found.microInterval.high).toBeGreaterThan(0.5);
    expect(found.classMeanInterval?.low).toBeLessThan(found.classMean);
    expect(found.classMeanInterval?.high).toBeGreaterThan(found.classMean);
    expect(summarisePointing(trials)).toEqual(found);
  });

  it("of nothing is no number", () => {
    const found = summarisePointing([]);
    expect([found.micro, found.classMean]).toEqual([Number.NaN, Number.NaN]);
    expect(found.microInterval).toEqual({ low: 0, high: 1 });
  });
});
