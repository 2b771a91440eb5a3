/** @file The tensor of a photo: layouts, channel orders, types, padding, and the arithmetic rounded once. */
import { describe, expect, it } from "vitest";
import { halfToFloat } from "../../shared/float16.ts";
import type { Raster } from "../../shared/imaging/image.ts";
import { preprocess } from "../../shared/imaging/preprocess.ts";
import type { Recipe } from "../../shared/models/recipe.ts";

/** Two pixels side by side: (10, 20, 30) and (40, 50, 60). */
const photo: Raster = { width: 2, height: 1, data: Uint8Array.of(10, 20, 30, 40, 50, 60) };

const plain: Recipe = {
  width: 2,
  height: 1,
  layout: "nchw",
  channels: "rgb",
  dtype: "float32",
  fit: { kind: "squash" },
  normalise: { divide: 1, mean: [0, 0, 0], std: [1, 1, 1] },
};

const values = (recipe: Partial<Recipe>): number[] => [...preprocess(photo, { ...plain, ...recipe }).data];

describe("preprocess", () => {
  it("lays channels out as planes or side by side", () => {
    expect(values({})).toEqual([10, 40, 20, 50, 30, 60]);
    expect(values({ layout: "nhwc" })).toEqual([10, 20, 30, 40, 50, 60]);
    expect(preprocess(photo, plain).dims).toEqual([1, 3, 1, 2]);
    expect(preprocess(photo, { ...plain, layout: "nhwc" }).dims).toEqual([1, 1, 2, 3]);
  });

  it("puts blue first for BGR, with mean and std in that order", () => {
    expect(values({ channels: "bgr" })).toEqual([30, 60, 20, 50, 10, 40]);
    const normalise = { divide: 1, mean: [1, 2, 3], std: [1, 2, 1] };
    expect(values({ channels: "bgr", normalise })).toEqual([29, 59, 9, 24, 7, 37]);
  });

  it("gives one channel of luma for grey", () => {
    const tensor = preprocess(photo, {
      ...plain,
      channels: "gray",
      normalise: { divide: 1, mean: [0], std: [1] },
    });
    // 0.299 R + 0.587 G + 0.114 B, rounded: 18.15 and 48.15.
    expect([...tensor.data]).toEqual([18, 48]);
    expect(tensor.dims).toEqual([1, 1, 1, 2]);
  });

  it("computes in double and rounds once", () => {
    const normalise = { divide: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    const wanted = [
      (10 / 255 - 0.485) / 0.229,
      (40 / 255 - 0.485) / 0.229,
      (20 / 255 - 0.456) / 0.224,
      (50 / 255 - 0.456) / 0.224,
      (30 / 255 - 0.406) / 0.225,
      (60 / 255 - 0.406) / 0.225,
    ];
    expect(values({ normalise })).toEqual(wanted.map(Math.fround));
  });

  it("gives float16 as its bits", () => {
    const normalise = { divide: 255, mean: [0.5, 0.5, 0.5], std: [1, 1, 1] };
    const tensor = preprocess(photo, { ...plain, dtype: "float16", normalise });
    expect(tensor.data).toBeInstanceOf(Uint16Array);
    expect(halfToFloat(tensor.data[0] ?? 0)).toBeCloseTo(10 / 255 - 0.5, 3);
  });

  it("gives uint8 rounded and clamped", () => {
    const normalise = { divide: 1, mean: [12, 0, 0], std: [1, 0.1, 4] };
    expect(values({ dtype: "uint8", normalise })).toEqual([0, 28, 200, 255, 8, 15]);
  });

  it("pads with the fill value in sample units, before scaling", () => {
    const tensor = preprocess(photo, {
      ...plain,
      width: 2,
      height: 3,
      fit: { kind: "letterbox", fill: 114, align: "center" },
      normalise: { divide: 2, mean: [0, 0, 0], std: [1, 1, 1] },
    });
    expect([...tensor.data.subarray(0, 6)]).toEqual([57, 57, 5, 20, 57, 57]);
  });

  it("cuts out the centre", () => {
    const wide: Raster = { width: 4, height: 2, data: Uint8Array.from({ length: 24 }, (_, i) => i) };
    const tensor = preprocess(wide, { ...plain, width: 2, height: 2, fit: { kind: "resize-crop", resize: 2 } });
    expect([...tensor.data.subarray(0, 4)]).toEqual([3, 6, 15, 18]);
  });

  it("refuses numbers that do not fit the channels", () => {
    expect(() => values({ normalise: { divide: 1, mean: [0], std: [1] } })).toThrow(/"mean" and "std" need 3 numbers/);
    expect(() => values({ normalise: { divide: 1, mean: [0, 0, 0], std: [1, 0, 1] } })).toThrow(/not zero/);
  });
});
