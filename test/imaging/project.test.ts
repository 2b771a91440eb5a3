/** @file Maps put back on the photo: the inverse of each fit, and nothing invented where the model saw nothing. */
import { describe, expect, it } from "vitest";
import { fitGeometry, toInput } from "../../shared/imaging/geometry.ts";
import { projectMap } from "../../shared/imaging/project.ts";
import type { FloatMap } from "../../shared/imaging/resize.ts";
import type { Fit } from "../../shared/models/recipe.ts";

/** A map whose value is its own position in the input: 1000 y + x at each pixel's centre. */
function positions(width: number, height: number, input: number): FloatMap {
  const data = Float32Array.from({ length: width * height }, (_, i) => {
    const x = ((i % width) + 0.5) * (input / width);
    const y = (Math.floor(i / width) + 0.5) * (input / height);
    return 1000 * y + x;
  });
  return { width, height, data };
}

describe("projectMap", () => {
  const fits: readonly Fit[] = [
    { kind: "squash" },
    { kind: "resize-crop", resize: 256 },
    { kind: "letterbox", fill: 0, align: "center" },
  ];

  it.each(fits)("reads the map where the photo's pixel lies in the input: $kind", (fit) => {
    const photo = { width: 333, height: 251 };
    const geometry = fitGeometry(photo, { width: 224, height: 224 }, fit);
    const map = positions(14, 14, 224);
    const projected = projectMap(map, geometry, photo);
    let inner = 0;
    for (let y = projected.covered.top; y < projected.covered.bottom; y += 5) {
      for (let x = projected.covered.left; x < projected.covered.right; x += 5) {
        const point = toInput(geometry, { x: x + 0.5, y: y + 0.5 });
        // Within half a map pixel of the border values are clamped; inside, bilinear reproduces a plane.
        if (Math.min(point.x, point.y) < 8 || Math.max(point.x, point.y) > 216) continue;
        inner++;
        expect(Math.abs((projected.data[y * 333 + x] ?? 0) - (1000 * point.y + point.x))).toBeLessThan(0.1);
      }
    }
    expect(inner).toBeGreaterThan(500);
  });

  it("leaves empty exactly what a crop did not see", () => {
    const photo = { width: 512, height: 256 };
    const geometry = fitGeometry(photo, { width: 224, height: 224 }, { kind: "resize-crop", resize: 256 });
    const projected = projectMap(positions(7, 7, 224), geometry, photo);
    expect(projected.complete).toBe(false);
    expect(projected.covered).toEqual({ left: 144, top: 16, right: 368, bottom: 240 });
    projected.data.forEach((value, i) => {
      const x = i % 512;
      const y = Math.floor(i / 512);
      const seen = x >= 144 && x < 368 && y >= 16 && y < 240;
      if (Number.isNaN(value) === seen) expect.fail(`(${x}, ${y}) is ${value}`);
    });
  });

  it("leaves a letterbox's padding out of the photo", () => {
    const photo = { width: 400, height: 100 };
    const geometry = fitGeometry(photo, { width: 100, height: 100 }, { kind: "letterbox", fill: 0, align: "top-left" });
    // The photo occupies the upper quarter of the input; only there the map is 1.
    const map: FloatMap = { width: 4, height: 4, data: Float32Array.from({ length: 16 }, (_, i) => (i < 4 ? 1 : 0)) };
    const projected = projectMap(map, geometry, photo);
    expect(projected.complete).toBe(true);
    expect(projected.data[0]).toBe(1);
    expect(projected.data[49 * 400 + 200]).toBe(1);
  });

  it("may draw on a smaller copy of the photo", () => {
    const geometry = fitGeometry(
      { width: 512, height: 256 },
      { width: 224, height: 224 },
      fits[1] ?? { kind: "squash" },
    );
    const projected = projectMap(positions(7, 7, 224), geometry, { width: 256, height: 128 });
    expect(projected.covered).toEqual({ left: 72, top: 8, right: 184, bottom: 120 });
  });
});
