/** @file Boxes from maps, the energy inside a mask, and their summary. */
import { describe, expect, it } from "vitest";
import {
  boxOverlaps,
  energyInside,
  maskShare,
  partBoxes,
  summariseLocalisation,
  thresholds,
} from "../../shared/evaluation/localisation.ts";
import { boxMask } from "../../shared/evaluation/mask.ts";
import type { Rectangle } from "../../shared/imaging/geometry.ts";
import type { FloatMap } from "../../shared/imaging/resize.ts";
import { random } from "../support/random.ts";

/** A map written as rows of digits. */
function draw(...lines: readonly string[]) {
  const width = lines[0]?.length ?? 0;
  return { width, height: lines.length, data: Float32Array.from(lines.join(""), Number) };
}

const map = draw(
  "900000", //
  "000880",
  "000780",
  "000005",
);

/** The largest part's box found the plain way: a flood from every pixel, at one threshold. */
function floodedBox({ width, height, data }: FloatMap, share: number): Rectangle | null {
  const seen = [...data].filter((v) => !Number.isNaN(v));
  const [min, max] = [Math.min(...seen), Math.max(...seen)];
  const open = new Set([...data.keys()].filter((i) => data[i]! >= min + share * (max - min)));
  let best: readonly number[] = [];
  for (const start of open) {
    const part = [start];
    open.delete(start);
    for (const pixel of part) {
      for (const [dx, dy] of [-1, 0, 1].flatMap((a) => [-1, 0, 1].map((b) => [a, b] as const))) {
        const [x, y] = [(pixel % width) + dx, Math.floor(pixel / width) + dy];
        const next = y * width + x;
        if (x >= 0 && y >= 0 && x < width && y < height && open.delete(next)) part.push(next);
      }
    }
    if (part.length > best.length) best = part;
  }
  if (best.length === 0) return null;
  const [xs, ys] = [best.map((p) => p % width), best.map((p) => Math.floor(p / width))];
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs) + 1, bottom: Math.max(...ys) + 1 };
}

const boxAt = (map: FloatMap, share: number) => partBoxes(map)[thresholds.indexOf(share)];

describe("the box of a map", () => {
  it("is around the largest part above the threshold, corners connecting", () => {
    expect(boxAt(map, 0.5)).toEqual({ left: 3, top: 1, right: 6, bottom: 4 });
    expect(boxAt(map, 0.7)).toEqual({ left: 3, top: 1, right: 5, bottom: 3 });
    expect(boxAt(map, 0.95)).toEqual({ left: 0, top: 0, right: 1, bottom: 1 });
  });

  it("takes the first of equal parts, all of a flat map, and leaves out what the model did not see", () => {
    expect(boxAt(draw("9090"), 0.5)).toEqual({ left: 0, top: 0, right: 1, bottom: 1 });
    expect(boxAt(draw("5555", "5555"), 0.5)).toEqual({ left: 0, top: 0, right: 4, bottom: 2 });
    const seen = draw("1999");
    seen.data[2] = Number.NaN;
    expect(boxAt(seen, 0.5)).toEqual({ left: 1, top: 0, right: 2, bottom: 1 });
  });

  it("is the one a flood of each threshold's pixels finds, on random maps", () => {
    const next = random(3);
    for (let trial = 0; trial < 60; trial += 1) {
      const [width, height] = [3 + Math.floor(next() * 12), 2 + Math.floor(next() * 9)];
      const data = Float32Array.from({ length: width * height }, () => (next() < 0.04 ? Number.NaN : next() ** 3));
      const boxes = partBoxes({ width, height, data });
      expect(boxes).toEqual(thresholds.map((share) => floodedBox({ width, height, data }, share)));
    }
  });

  it("is compared with the nearest annotated box at every threshold", () => {
    const overlaps = boxOverlaps(map, [
      { left: 0, top: 0, right: 6, bottom: 1 },
      { left: 3, top: 1, right: 5, bottom: 3 },
    ]);
    const at = (share: number) => overlaps[thresholds.indexOf(share)];
    expect(at(0.5)).toBeCloseTo(4 / 9, 12);
    expect(at(0.75)).toBe(1);
    expect(at(0.95)).toBeCloseTo(1 / 6, 12);
  });
});

describe("localisation accuracy", () => {
  it("is that of the best threshold over all trials", () => {
    const trial = (from: number, to: number) => thresholds.map((t) => (t >= from && t <= to ? 0.6 : 0.4));
    const found = summariseLocalisation([trial(0.1, 0.3), trial(0.3, 0.5), trial(0.3, 0.3), trial(0.9, 0.9)]);
    expect(found.threshold).toBe(0.3);
    expect(found.accuracy).toBe(0.75);
    expect(found.byThreshold[thresholds.indexOf(0.5)]).toBe(0.25);
    expect(found.interval.low).toBeLessThan(0.75);
  });

  it("counts an overlap of one half", () => {
    expect(summariseLocalisation([thresholds.map(() => 0.5)]).accuracy).toBe(1);
    expect(summariseLocalisation([thresholds.map(() => 0.499)]).accuracy).toBe(0);
  });
});

describe("the energy inside", () => {
  const mask = boxMask([{ left: 3, top: 1, right: 5, bottom: 3 }], map);

  it("is the part of the positive values on the object", () => {
    expect(energyInside(map, mask)).toBeCloseTo((8 + 8 + 7 + 8) / (9 + 8 + 8 + 7 + 8 + 5), 12);
  });

  it("leaves out negative values and what was not seen, and is undefined without any", () => {
    const signed = { ...map, data: map.data.slice() };
    signed.data[0] = -9;
    signed.data[23] = Number.NaN;
    expect(energyInside(signed, mask)).toBe(1);
    expect(energyInside({ ...map, data: map.data.map(() => -1) }, mask)).toBeNull();
  });

  it("of a map that says nothing is the object's share of the photo", () => {
    expect(energyInside({ ...map, data: map.data.map(() => 2) }, mask)).toBeCloseTo(maskShare(mask), 12);
    expect(maskShare(mask)).toBe(4 / 24);
  });
});
