/** @file Where an object is, pixel by pixel, made from boxes and polygons. Reading annotation files is elsewhere. */
import type { Point, Rectangle, Size } from "../imaging/geometry.ts";

/** A region of a photo, in the photo's own pixels: 1 inside, 0 outside, rows from the top. */
export interface Mask extends Size {
  readonly data: Uint8Array;
}

export const emptyMask = ({ width, height }: Size): Mask => ({ width, height, data: new Uint8Array(width * height) });

/** The first and the last+1 pixel whose centre lies in [from, to), within 0 .. size. */
const pixelRange = (from: number, to: number, size: number): readonly [number, number] => [
  Math.min(size, Math.max(0, Math.ceil(from - 0.5))),
  Math.min(size, Math.max(0, Math.ceil(to - 0.5))),
];

/** Adds boxes: continuous coordinates, pixel i covering [i, i+1); what lies beyond the photo is cut off. */
export function fillBoxes(mask: Mask, boxes: readonly Rectangle[]): Mask {
  for (const { left, top, right, bottom } of boxes) {
    const [x0, x1] = pixelRange(left, right, mask.width);
    const [y0, y1] = pixelRange(top, bottom, mask.height);
    for (let y = y0; y < y1; y += 1) mask.data.fill(1, y * mask.width + x0, y * mask.width + Math.max(x0, x1));
  }
  return mask;
}

/** The union of boxes as a mask. */
export const boxMask = (boxes: readonly Rectangle[], size: Size): Mask => fillBoxes(emptyMask(size), boxes);

/** Adds the inside of one polygon, even-odd: a pixel belongs to it when its centre does. */
export function fillPolygon(mask: Mask, points: readonly Point[]): Mask {
  const { width, height, data } = mask;
  const ys = points.map((p) => p.y);
  const [y0, y1] = pixelRange(Math.min(...ys), Math.max(...ys), height);
  for (let y = y0; y < y1; y += 1) {
    const crossings = crossingsAt(points, y + 0.5);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const [x0, x1] = pixelRange(crossings[i]!, crossings[i + 1]!, width);
      if (x1 > x0) data.fill(1, y * width + x0, y * width + x1);
    }
  }
  return mask;
}

/** Where a horizontal line crosses the polygon's edges, from left to right. */
function crossingsAt(points: readonly Point[], y: number): readonly number[] {
  const found: number[] = [];
  for (const [i, a] of points.entries()) {
    const b = points[(i + 1) % points.length] ?? a;
    if (a.y <= y === b.y <= y) continue;
    found.push(a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x));
  }
  return found.sort((p, q) => p - q);
}

/** Adds another mask of the same size. */
export function addMask(mask: Mask, other: Mask): Mask {
  for (let i = 0; i < mask.data.length; i += 1) if (other.data[i] !== 0) mask.data[i] = 1;
  return mask;
}

/** How many pixels are inside. */
export const maskArea = ({ data }: Mask): number => data.reduce((sum, value) => sum + (value === 0 ? 0 : 1), 0);

/** The smallest box around the mask; null for an empty one. */
export function maskBox({ width, height, data }: Mask): Rectangle | null {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (data[y * width + x] === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = y + 1;
    }
  }
  return right === 0 ? null : { left, top, right, bottom };
}

/** The part of a box that lies on a photo; null where nothing does. */
export function clipBox({ left, top, right, bottom }: Rectangle, { width, height }: Size): Rectangle | null {
  const box = {
    left: Math.max(0, left),
    top: Math.max(0, top),
    right: Math.min(width, right),
    bottom: Math.min(height, bottom),
  };
  return box.right > box.left && box.bottom > box.top ? box : null;
}

const boxArea = (box: Rectangle): number => (box.right - box.left) * (box.bottom - box.top);

/** Intersection over union of two boxes. */
export function boxIou(a: Rectangle, b: Rectangle): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (boxArea(a) + boxArea(b) - shared);
}
