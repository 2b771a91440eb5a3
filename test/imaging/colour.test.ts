/** @file Colour maps against the published colours at their ends and middle. */
import { describe, expect, it } from "vitest";
import { type ColourMapName, colourMapNames, colourOffset, colourTable } from "../../shared/imaging/colour.ts";

const at = (name: ColourMapName, unit: number): number[] => {
  const offset = colourOffset(unit);
  return [...colourTable(name).subarray(offset, offset + 3)];
};

describe("the colour maps", () => {
  it.each([
    // matplotlib's tables: entries 0, 128 and 255.
    ["viridis", [68, 1, 84], [33, 145, 140], [253, 231, 37]],
    ["inferno", [0, 0, 4], [188, 55, 84], [252, 255, 164]],
    ["magma", [0, 0, 4], [183, 55, 121], [252, 253, 191]],
    ["gray", [0, 0, 0], [128, 128, 128], [255, 255, 255]],
    ["jet", [0, 0, 128], [130, 255, 126], [128, 0, 0]],
    // ColorBrewer's RdBu of eleven classes; d3 draws a smooth curve through its ends and near the others.
    ["diverging", [5, 48, 97], [247, 247, 247], [103, 0, 31]],
  ] as const)("%s begins, has its middle and ends as published", (name, low, middle, high) => {
    const middleTolerance = name === "diverging" ? 10 : 1;
    [low, middle, high].forEach((wanted, i) => {
      const found = at(name, i === 2 ? 1 : (i * 128) / 255);
      found.forEach((value, c) => {
        expect(Math.abs(value - (wanted[c] ?? 0))).toBeLessThanOrEqual(i === 1 ? middleTolerance : 1);
      });
    });
  });

  it("turbo is the polynomial published with it", () => {
    // A. Mikhailov, "Turbo, an improved rainbow colormap", 2019: coefficients of 1, x, ..., x^5 for R, G, B.
    const published = [
      [0.13572138, 4.6153926, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
      [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
      [0.1066733, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
    ];
    for (let i = 0; i < 256; i++) {
      const x = i / 255;
      published.forEach((coefficients, c) => {
        const value = coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
        const wanted = 255 * Math.min(1, Math.max(0, value));
        expect(Math.abs((at("turbo", x)[c] ?? 0) - wanted)).toBeLessThanOrEqual(3);
      });
    }
  });

  it.each(["viridis", "inferno", "magma", "gray"] as const)("%s grows brighter all the way", (name) => {
    const table = colourTable(name);
    let last = -1;
    for (let i = 0; i < 256; i++) {
      const luma = 0.2126 * (table[3 * i] ?? 0) + 0.7152 * (table[3 * i + 1] ?? 0) + 0.0722 * (table[3 * i + 2] ?? 0);
      expect(luma).toBeGreaterThanOrEqual(last - 0.5);
      last = luma;
    }
  });

  it("have 256 colours each, all in use", () => {
    for (const name of colourMapNames) {
      const table = colourTable(name);
      const colours = Array.from({ length: 256 }, (_, i) => table.subarray(3 * i, 3 * i + 3).join());
      expect(new Set(colours).size).toBeGreaterThan(200);
    }
  });

  it("end where the scale ends", () => {
    expect([colourOffset(-3), colourOffset(0), colourOffset(1), colourOffset(7)]).toEqual([0, 0, 765, 765]);
  });
});
