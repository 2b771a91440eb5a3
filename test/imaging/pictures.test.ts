/** @file Overlays, heat maps, captions and sheets: where the colour goes, what stays visible, and that words fit. */
import { describe, expect, it } from "vitest";
import { legendNumber } from "../../shared/imaging/caption.ts";
import { colourTable } from "../../shared/imaging/colour.ts";
import { blankRaster } from "../../shared/imaging/draw.ts";
import { fitGeometry } from "../../shared/imaging/geometry.ts";
import type { Raster } from "../../shared/imaging/image.ts";
import {
  MAX_PICTURE_SIDE,
  MIN_PICTURE_SIDE,
  pictureSize,
  renderHeatmap,
  renderOverlay,
} from "../../shared/imaging/overlay.ts";
import type { FloatMap } from "../../shared/imaging/resize.ts";
import { composeSheet } from "../../shared/imaging/sheet.ts";
import { drawText, fitText, textWidth } from "../../shared/imaging/text.ts";

const pixel = ({ width, data }: Raster, x: number, y: number): number[] => {
  const at = (y * width + x) * 3;
  return [...data.subarray(at, at + 3)];
};

const photo = blankRaster(400, 400, [200, 100, 50]);
const whole = fitGeometry(photo, { width: 224, height: 224 }, { kind: "squash" });
const centre = fitGeometry(photo, { width: 224, height: 224 }, { kind: "resize-crop", resize: 448 });
/** High in its upper left quarter, low elsewhere. */
const corner: FloatMap = { width: 2, height: 2, data: Float32Array.of(1, 0, 0, 0) };

/** The dark pixels of a white raster. */
const inked = ({ data }: Raster): number => data.filter((value) => value < 128).length / 3;

describe("renderOverlay", () => {
  it("puts the map's high end where the map is high, half covering the photo", () => {
    const { picture } = renderOverlay(photo, corner, whole, { photo: "colour" });
    const yellow = [...colourTable("viridis").subarray(765)];
    const mixed = [200, 100, 50].map((value, c) => Math.round((value + (yellow[c] ?? 0)) / 2));
    expect(pixel(picture, 5, 5)).toEqual(mixed);
    const purple = [...colourTable("viridis").subarray(0, 3)];
    expect(pixel(picture, 395, 395)).toEqual([200, 100, 50].map((v, c) => Math.round((v + (purple[c] ?? 0)) / 2)));
  });

  it("shows the photo in grey unless its colours are asked for", () => {
    const { picture } = renderOverlay(photo, corner, whole, { alpha: 0 });
    const [red, green, blue] = pixel(picture, 200, 200);
    expect(red).toBe(green);
    expect(green).toBe(blue);
  });

  it("dims what the model did not see, and says so", () => {
    const overlay = renderOverlay(photo, corner, centre, { photo: "colour" });
    expect(overlay.complete).toBe(false);
    const [red = 0, green = 0] = pixel(overlay.picture, 5, 5);
    expect(red).toBe(green);
    expect(red).toBeLessThan(60);
    expect(pixel(overlay.picture, 105, 105)).not.toEqual(pixel(overlay.picture, 5, 5));
  });

  it("leaves the photo alone where a signed map is zero", () => {
    const signed: FloatMap = { width: 3, height: 1, data: Float32Array.of(-1, 0, 2) };
    const overlay = renderOverlay(photo, signed, whole, { signed: true, photo: "colour" });
    expect(overlay.colours).toBe("diverging");
    expect(overlay.scale).toMatchObject({ low: -2, high: 2 });
    // The pixel's centre is a little right of the photo's middle, where the map is zero.
    const unmoved = pixel(overlay.picture, 200, 200).map((value, c) => Math.abs(value - ([200, 100, 50][c] ?? 0)));
    expect(Math.max(...unmoved)).toBeLessThanOrEqual(1);
    const [red = 0, , blue = 0] = pixel(overlay.picture, 398, 200);
    expect(red).toBeGreaterThan(blue);
  });

  it("draws a flat map in one colour and reports it", () => {
    const flat: FloatMap = { width: 4, height: 4, data: new Float32Array(16).fill(0.3) };
    const overlay = renderOverlay(photo, flat, whole);
    expect(overlay.scale.flat).toBe(true);
    expect(new Set(Array.from({ length: 400 }, (_, i) => pixel(overlay.picture, i, i).join())).size).toBe(1);
  });

  it("keeps pictures within the limits, aspect kept", () => {
    expect(pictureSize({ width: 8000, height: 2000 })).toEqual({ width: MAX_PICTURE_SIDE, height: 400 });
    expect(pictureSize({ width: 20, height: 10 })).toEqual({ width: MIN_PICTURE_SIDE, height: MIN_PICTURE_SIDE / 2 });
    expect(pictureSize({ width: 640, height: 480 })).toEqual({ width: 640, height: 480 });
    expect(pictureSize({ width: 65535, height: 1 })).toEqual({ width: MAX_PICTURE_SIDE, height: 1 });
    expect(pictureSize({ width: 640, height: 480 }, 100)).toEqual({ width: 100, height: 75 });
  });

  it("has a caption with words and a colour bar under the picture, at any size", () => {
    for (const [width, height] of [
      [400, 400],
      [1600, 500],
      [90, 1200],
    ] as const) {
      const tall = blankRaster(width, height, [90, 90, 90]);
      const geometry = fitGeometry(tall, { width: 64, height: 64 }, { kind: "squash" });
      const caption = {
        title: "a class of a rather long name 12.3 %",
        subtitle: "norm-grad-selective at fire9_concat",
      };
      const { picture } = renderOverlay(tall, corner, geometry, { caption });
      const plain = renderOverlay(tall, corner, geometry).picture;
      expect(picture.width).toBe(plain.width);
      const strip = {
        ...picture,
        height: picture.height - plain.height,
        data: picture.data.subarray(plain.data.length),
      };
      expect(inked(strip)).toBeGreaterThan(30);
      // The last rows are margin: nothing is cut off below.
      expect(new Set(strip.data.subarray(-picture.width * 3 * 3))).toEqual(new Set([255]));
    }
  });
});

describe("renderHeatmap", () => {
  it("has exactly the colour map's colours, and grey where the model did not look", () => {
    const { picture } = renderHeatmap(photo, corner, centre);
    const [red, green, blue] = pixel(picture, 3, 3);
    expect([red, green]).toEqual([green, blue]);
    expect(pixel(picture, 290, 290)).toEqual([...colourTable("viridis").subarray(0, 3)]);
    expect(pixel(picture, 110, 110)).toEqual([...colourTable("viridis").subarray(765)]);
  });
});

describe("legendNumber", () => {
  it.each([
    [0, "0"],
    [0.12345, "0.123"],
    [-2.71999, "-2.72"],
    [1234.5, "1230"],
    [0.000123, "1.2e-4"],
    [-98765, "-9.9e4"],
    [1, "1"],
  ])("writes %f as %s", (value, text) => {
    expect(legendNumber(value)).toBe(text);
  });
});

describe("text", () => {
  it("draws every printable character inside its width, no two alike", () => {
    const shapes = new Set<string>();
    for (let code = 33; code < 127; code++) {
      const letter = String.fromCharCode(code);
      const paper = blankRaster(60, 60, [255, 255, 255]);
      drawText(paper, 20, 40, letter, 24, [0, 0, 0]);
      expect(inked(paper)).toBeGreaterThan(2);
      const right = 20 + textWidth(letter, 24) + 2;
      for (let i = 0; i < 3600; i++) {
        const x = i % 60;
        if (paper.data[3 * i] !== 255 && (x < 18 || x > right)) expect.fail(`${letter} reaches column ${x}`);
      }
      shapes.add(paper.data.join());
    }
    expect(shapes.size).toBe(94);
  });

  it("shows other characters as question marks, one each", () => {
    expect(textWidth("\u00e9\u{1f431}", 20)).toBe(textWidth("??", 20));
  });

  it("is clipped at the edges instead of wrapping around", () => {
    const paper = blankRaster(10, 10, [255, 255, 255]);
    drawText(paper, -300, 5, "far to the left", 20, [0, 0, 0]);
    drawText(paper, 5, 300, "far below", 20, [0, 0, 0]);
    expect(inked(paper)).toBe(0);
  });

  it("ends in dots where it does not fit", () => {
    const text = "norm-grad-selective at fire9_concat";
    const fitted = fitText(text, 16, 120);
    expect(fitted).toMatch(/^norm-.*\.\.\.$/);
    expect(textWidth(fitted, 16)).toBeLessThanOrEqual(120);
    expect(fitText(text, 16, 1000)).toBe(text);
    expect(fitText(text, 16, 1)).toBe("");
  });
});

describe("composeSheet", () => {
  const tile = (level: number): Raster => blankRaster(120, 90, [level, 0, 0]);

  it("places each tile in its row and column, whole", () => {
    const sheet = composeSheet({
      title: "grid",
      columns: ["one", "two", "three"],
      rows: ["first", "second"],
      tiles: [
        [tile(10), tile(20), tile(30)],
        [tile(40), null, tile(60)],
      ],
      tileSide: 120,
    });
    const counts = new Map<number, number>();
    for (let i = 0; i < sheet.data.length; i += 3) {
      if (sheet.data[i + 1] === 0 && sheet.data[i + 2] === 0) {
        counts.set(sheet.data[i] ?? 0, (counts.get(sheet.data[i] ?? 0) ?? 0) + 1);
      }
    }
    expect([10, 20, 30, 40, 60].map((level) => counts.get(level))).toEqual(new Array(5).fill(120 * 90));
  });

  it("shrinks its tiles when it would grow beyond the limit", () => {
    const names = Array.from({ length: 40 }, (_, i) => `layer ${i}`);
    const tiles = names.map(() => names.map(() => tile(0)));
    const sheet = composeSheet({ title: "", columns: names, rows: names, tiles, tileSide: 2000 });
    expect(sheet.width * sheet.height).toBeLessThan(60e6);
  });
});
