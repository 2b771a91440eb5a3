/** @file Turning stored pixels upright, as their EXIF orientation says. */
import { type Orientation, swapsAxes } from "./exif.ts";
import type { Raster } from "./image.ts";

/** A point in the stored picture, for a point in the upright one; both in pixels, pixel i covering [i, i+1). */
export function storedPoint(
  orientation: Orientation,
  stored: { readonly width: number; readonly height: number },
  x: number,
  y: number,
): { readonly x: number; readonly y: number } {
  const { width, height } = stored;
  switch (orientation) {
    case 1:
      return { x, y };
    case 2:
      return { x: width - x, y };
    case 3:
      return { x: width - x, y: height - y };
    case 4:
      return { x, y: height - y };
    case 5:
      return { x: y, y: x };
    case 6:
      return { x: y, y: height - x };
    case 7:
      return { x: width - y, y: height - x };
    case 8:
      return { x: width - y, y: x };
  }
}

/**
 * Reads pixels of `channels` bytes (3 or 4) and writes RGB, upright. In the trivial case, three channels and
 * orientation 1, the same array comes back.
 */
export function orient(
  stored: { readonly width: number; readonly height: number; readonly data: Uint8Array | Uint8ClampedArray },
  channels: 3 | 4,
  orientation: Orientation,
): Raster {
  const { width, height, data } = stored;
  if (orientation === 1 && channels === 3 && data instanceof Uint8Array) return { width, height, data };
  const outWidth = swapsAxes(orientation) ? height : width;
  const outHeight = swapsAxes(orientation) ? width : height;
  const out = new Uint8Array(outWidth * outHeight * 3);
  // Along an upright row the stored address moves by a constant: three centres give origin and both steps.
  const address = (x: number, y: number): number => {
    const point = storedPoint(orientation, stored, x + 0.5, y + 0.5);
    return ((point.y - 0.5) * width + (point.x - 0.5)) * channels;
  };
  const origin = address(0, 0);
  const stepX = address(1, 0) - origin;
  const stepY = address(0, 1) - origin;
  let to = 0;
  for (let y = 0; y < outHeight; y++) {
    let from = origin + y * stepY;
    for (let x = 0; x < outWidth; x++, from += stepX, to += 3) {
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return { width: outWidth, height: outHeight, data: out };
}
