/** @file A region of the photo on the model's input and on its scores. */
import { describe, expect, it } from "vitest";
import { cellShares, sharesOf } from "../../shared/explanation/region.ts";
import { fitGeometry } from "../../shared/imaging/geometry.ts";

const photo = { width: 400, height: 200 };
const input = { width: 100, height: 100 };

describe("a region", () => {
  it("of a squashed photo keeps its shares", () => {
    const geometry = fitGeometry(photo, input, { kind: "squash" });
    expect(sharesOf({ x: 100, y: 50, width: 200, height: 100 }, geometry)).toEqual([0.25, 0.25, 0.5, 0.5]);
  });

  it("of a photo with borders lies between them", () => {
    const geometry = fitGeometry(photo, input, { kind: "letterbox", align: "center", fill: 0 });
    expect(sharesOf({ x: 0, y: 0, width: 400, height: 200 }, geometry)).toEqual([0, 0.25, 1, 0.5]);
  });

  it("is cut to what a crop leaves, and refused outside it", () => {
    const geometry = fitGeometry(photo, input, { kind: "resize-crop", resize: 100 });
    // 200 x 100 cut to the middle 100: photo columns 100 to 300
    expect(sharesOf({ x: 0, y: 0, width: 200, height: 200 }, geometry)).toEqual([0, 0, 0.5, 1]);
    expect(() => sharesOf({ x: 0, y: 0, width: 90, height: 200 }, geometry)).toThrowError(
      /0,0,90,200 lies outside what the model sees of the 400 x 200 photo: 100 to 300 across, 0 to 200 down/,
    );
  });

  it("weighs each cell of the scores by how much of it lies inside", () => {
    expect(Array.from(cellShares([0.25, 0, 0.5, 0.75], 2, 4))).toEqual([0, 1 / 3, 1 / 3, 0, 0, 1 / 6, 1 / 6, 0]);
    expect(Array.from(cellShares([2, 0, 1, 1], 1, 2))).toEqual([0, 0]);
  });
});
