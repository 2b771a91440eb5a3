/** @file Fit modes: torchvision's and YOLOX's own numbers, and points that go to the input and back. */
import { describe, expect, it } from "vitest";
import { coversAll, fitGeometry, toInput, toPhoto } from "../../shared/imaging/geometry.ts";
import { orient, storedPoint } from "../../shared/imaging/orient.ts";
import { preprocess } from "../../shared/imaging/preprocess.ts";
import type { Fit, Recipe } from "../../shared/models/recipe.ts";
import { random } from "../support/random.ts";

const input = { width: 224, height: 224 };
const crop: Fit = { kind: "resize-crop", resize: 256 };

describe("fitGeometry", () => {
  it.each([
    // torchvision: Resize(256) gives (256, int(256 * 375 / 500 inverted)), CenterCrop(224) rounds half to even.
    [500, 375, 341, 256, 58, 16],
    [375, 500, 256, 341, 16, 58],
    [640, 427, 383, 256, 80, 16],
    [333, 500, 256, 384, 16, 80],
    [256, 256, 256, 256, 16, 16],
    [100, 99, 258, 256, 17, 16],
    [1000, 10, 25600, 256, 12688, 16],
  ])("resizes and crops %i x %i as torchvision does", (width, height, resizedWidth, resizedHeight, left, top) => {
    const geometry = fitGeometry({ width, height }, input, crop);
    expect(geometry.resized).toEqual({ width: resizedWidth, height: resizedHeight });
    expect([-geometry.offsetX, -geometry.offsetY]).toEqual([left, top]);
  });

  it("rounds half a pixel of margin to the even neighbour, as Python does", () => {
    // (341 - 224) / 2 = 58.5 -> 58 and (343 - 224) / 2 = 59.5 -> 60.
    expect(fitGeometry({ width: 341, height: 256 }, input, crop).offsetX).toBe(-58);
    expect(fitGeometry({ width: 343, height: 256 }, input, crop).offsetX).toBe(-60);
  });

  it("letterboxes as YOLOX does", () => {
    const fit: Fit = { kind: "letterbox", fill: 114, align: "top-left" };
    const geometry = fitGeometry({ width: 640, height: 427 }, { width: 416, height: 416 }, fit);
    expect(geometry.resized).toEqual({ width: 416, height: 277 });
    expect([geometry.offsetX, geometry.offsetY]).toEqual([0, 0]);
    expect(coversAll(geometry)).toBe(true);
    const centred = fitGeometry({ width: 640, height: 427 }, { width: 416, height: 416 }, { ...fit, align: "center" });
    expect([centred.offsetX, centred.offsetY]).toEqual([0, 69]);
    expect(coversAll(centred)).toBe(true);
  });

  it("says which part of the photo a crop sees", () => {
    const { covered } = fitGeometry({ width: 512, height: 256 }, input, crop);
    expect(covered).toEqual({ left: 144, top: 16, right: 368, bottom: 240 });
    expect(coversAll(fitGeometry({ width: 512, height: 256 }, input, crop))).toBe(false);
    expect(coversAll(fitGeometry({ width: 51, height: 97 }, input, { kind: "squash" }))).toBe(true);
  });

  it("refuses to cut more than there is", () => {
    expect(() => fitGeometry({ width: 9, height: 9 }, input, { kind: "resize-crop", resize: 200 })).toThrow(
      /cannot cut 224 x 224 from a photo resized to 200 x 200; "resize" must be at least 224/,
    );
  });
});

const fits: readonly Fit[] = [
  { kind: "squash" },
  crop,
  { kind: "letterbox", fill: 0, align: "top-left" },
  { kind: "letterbox", fill: 0, align: "center" },
];

describe("a point of the photo", () => {
  it.each(fits)("goes to the input and back, $kind $align", (fit) => {
    const next = random(7);
    for (let i = 0; i < 500; i++) {
      const photo = { width: 1 + Math.floor(next() * 2000), height: 1 + Math.floor(next() * 2000) };
      const geometry = fitGeometry(photo, { width: 225, height: 191 }, fit);
      const point = { x: next() * photo.width, y: next() * photo.height };
      const back = toPhoto(geometry, toInput(geometry, point));
      expect(Math.abs(back.x - point.x)).toBeLessThan(1e-6);
      expect(Math.abs(back.y - point.y)).toBeLessThan(1e-6);
      const { covered } = geometry;
      const corner = toInput(geometry, { x: covered.right, y: covered.bottom });
      expect(corner.x).toBeLessThanOrEqual(225 + 1e-6);
      expect(corner.y).toBeLessThanOrEqual(191 + 1e-6);
      expect(covered.left).toBeGreaterThanOrEqual(0);
      expect(covered.right).toBeLessThanOrEqual(photo.width);
    }
  });
});

const sizes = [
  [300, 300],
  [451, 301],
  [301, 453],
  [640, 333],
] as const;

/** The centre of mass of the bright spot in the tensor's first channel, in continuous input coordinates. */
function spotOf(data: ArrayLike<number>, width: number, height: number): { readonly x: number; readonly y: number } {
  let mass = 0;
  let x = 0;
  let y = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const value = data[row * width + column] ?? 0;
      mass += value;
      x += value * (column + 0.5);
      y += value * (row + 0.5);
    }
  }
  return { x: x / mass, y: y / mass };
}

describe("a bright spot", () => {
  const recipe = (fit: Fit): Recipe => ({
    width: 113,
    height: 97,
    layout: "nchw",
    channels: "rgb",
    dtype: "float32",
    fit: fit.kind === "resize-crop" ? { kind: "resize-crop", resize: 128 } : fit,
    normalise: { divide: 1, mean: [0, 0, 0], std: [1, 1, 1] },
  });

  it.each(fits.flatMap((fit) => sizes.map(([width, height]) => ({ fit, width, height }))))(
    "is seen in the input where the geometry says, within half a photo pixel: $fit $width x $height",
    (each) => {
      const { fit, width, height } = each;
      // 9 x 9 pixels around the middle pixel of the photo, which every fit sees whole.
      const centre = { x: Math.floor(width / 2) + 0.5 + 11, y: Math.floor(height / 2) + 0.5 - 7 };
      const data = new Uint8Array(width * height * 3);
      for (let dy = -4; dy <= 4; dy++) {
        for (let dx = -4; dx <= 4; dx++) data[((centre.y - 0.5 + dy) * width + centre.x - 0.5 + dx) * 3] = 255;
      }
      const tensor = preprocess({ width, height, data }, recipe(fit));
      const back = toPhoto(tensor.geometry, spotOf(tensor.data, 113, 97));
      expect(Math.abs(back.x - centre.x)).toBeLessThan(0.5);
      expect(Math.abs(back.y - centre.y)).toBeLessThan(0.5);
    },
  );
});

describe("orientation", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8] as const)("%i moves pixels exactly where it moves points", (orientation) => {
    const stored = { width: 5, height: 3, data: Uint8Array.from({ length: 45 }, (_, i) => i) };
    const upright = orient(stored, 3, orientation);
    for (let y = 0; y < upright.height; y++) {
      for (let x = 0; x < upright.width; x++) {
        const from = storedPoint(orientation, stored, x + 0.5, y + 0.5);
        const at = (Math.floor(from.y) * stored.width + Math.floor(from.x)) * 3;
        expect(upright.data[(y * upright.width + x) * 3]).toBe(stored.data[at]);
      }
    }
  });
});
