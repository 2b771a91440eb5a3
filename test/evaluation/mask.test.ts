/** @file Masks from boxes and polygons, drawn out in rows so that they can be read. */
import { describe, expect, it } from "vitest";
import {
  addMask,
  boxIou,
  boxMask,
  clipBox,
  emptyMask,
  fillPolygon,
  type Mask,
  maskArea,
  maskBox,
} from "../../shared/evaluation/mask.ts";

const rows = ({ width, data }: Mask): readonly string[] =>
  Array.from({ length: data.length / width }, (_, y) =>
    Array.from(data.subarray(y * width, (y + 1) * width), (v) => (v === 0 ? "." : "#")).join(""),
  );
const size = { width: 6, height: 4 };

describe("a box", () => {
  it("holds the pixels whose centres it holds", () => {
    expect(rows(boxMask([{ left: 1, top: 1, right: 4, bottom: 3 }], size))).toEqual([
      "......",
      ".###..",
      ".###..",
      "......",
    ]);
    expect(rows(boxMask([{ left: 0.6, top: 0.5, right: 1.6, bottom: 1.4 }], size))[0]).toBe(".#....");
    expect(rows(boxMask([{ left: 0.5, top: 0.4, right: 1.5, bottom: 0.5 }], size))[0]).toBe("......");
  });

  it("is cut off at the photo's edges, and several are one region", () => {
    const mask = boxMask(
      [
        { left: -3, top: -3, right: 2, bottom: 1 },
        { left: 1, top: 0, right: 9, bottom: 9 },
      ],
      size,
    );
    expect(rows(mask)).toEqual(["######", ".#####", ".#####", ".#####"]);
    expect(maskArea(mask)).toBe(21);
  });

  it("wholly outside is nothing", () => {
    const outside = { left: 7, top: 0, right: 9, bottom: 2 };
    expect(maskArea(boxMask([outside], size))).toBe(0);
    expect(clipBox(outside, size)).toBeNull();
    expect(clipBox({ left: 4, top: -1, right: 9, bottom: 2 }, size)).toEqual({ left: 4, top: 0, right: 6, bottom: 2 });
  });

  it("is found around a mask", () => {
    expect(maskBox(boxMask([{ left: 1, top: 1, right: 4, bottom: 3 }], size))).toEqual({
      left: 1,
      top: 1,
      right: 4,
      bottom: 3,
    });
    expect(maskBox(emptyMask(size))).toBeNull();
  });
});

describe("a polygon", () => {
  it("is filled between its edges, also where it is not convex", () => {
    const u = [
      [0, 0],
      [2, 0],
      [2, 2],
      [4, 2],
      [4, 0],
      [6, 0],
      [6, 4],
      [0, 4],
    ].map(([x = 0, y = 0]) => ({ x, y }));
    expect(rows(fillPolygon(emptyMask(size), u))).toEqual(["##..##", "##..##", "######", "######"]);
  });

  it("of a triangle has the triangle's area up to its border", () => {
    const big = { width: 200, height: 100 };
    const triangle = [
      { x: 0, y: 0 },
      { x: 200, y: 0 },
      { x: 0, y: 100 },
    ];
    expect(Math.abs(maskArea(fillPolygon(emptyMask(big), triangle)) - 10_000)).toBeLessThan(100);
  });

  it("is added to what is there", () => {
    const mask = boxMask([{ left: 0, top: 0, right: 1, bottom: 4 }], size);
    addMask(mask, boxMask([{ left: 5, top: 0, right: 6, bottom: 1 }], size));
    expect(rows(mask)).toEqual(["#....#", "#.....", "#.....", "#....."]);
  });
});

describe("intersection over union", () => {
  it("is 1 for the same box, 0 for boxes that touch, a third for halves that share a half", () => {
    const box = (left: number, right: number) => ({ left, top: 0, right, bottom: 2 });
    expect(boxIou(box(0, 2), box(0, 2))).toBe(1);
    expect(boxIou(box(0, 2), box(2, 4))).toBe(0);
    expect(boxIou(box(0, 2), box(1, 3))).toBeCloseTo(1 / 3, 12);
  });
});
