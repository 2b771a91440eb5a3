/** @file Distractors that are no pictures: discs, rings, boxes and letter-like strokes. Drawn by distance to a line. */
import { type Canvas, type Colour, clamp, edge, NOBODY, pixelRange } from "./canvas.ts";
import type { Random } from "./random.ts";

/** A line of some width through points in the unit square; `hollow` leaves its core free. */
export interface Stroke {
  readonly points: readonly (readonly [number, number])[];
  /** Half of the width. */
  readonly radius: number;
  /** Radius of the free core, 0 for none. */
  readonly hollow: number;
  readonly colour: Colour;
}

/** From this part on a covered pixel shows the stroke and no longer what lies behind it. */
export const HALF_COVERED = 0.5;

/** Distance from (x, y) to the segment from a to b. */
function toSegment(x: number, y: number, a: readonly [number, number], b: readonly [number, number]): number {
  const dx = b[0] - a[0];
  const dy = b[1] - a[1];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : clamp(((x - a[0]) * dx + (y - a[1]) * dy) / length, 0, 1);
  const px = x - a[0] - t * dx;
  const py = y - a[1] - t * dy;
  return Math.sqrt(px * px + py * py);
}

/** Calls `visit` for every pixel the stroke touches, with how much of it is covered. */
export function eachStrokePixel(
  { points, radius, hollow }: Stroke,
  size: number,
  visit: (pixel: number, cover: number) => void,
): void {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const soft = 1 / size;
  const [left, right] = pixelRange(Math.min(...xs) - radius - soft, Math.max(...xs) + radius + soft, size);
  const [top, bottom] = pixelRange(Math.min(...ys) - radius - soft, Math.max(...ys) + radius + soft, size);
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const x = (column + 0.5) * soft;
      const y = (row + 0.5) * soft;
      let distance = toSegment(x, y, points[0]!, points[0]!);
      for (let i = 1; i < points.length; i++) {
        distance = Math.min(distance, toSegment(x, y, points[i - 1]!, points[i]!));
      }
      const cover = edge(Math.max(distance - radius, hollow - distance), soft);
      if (cover > 0) visit(row * size + column, cover);
    }
  }
}

export function drawStroke(canvas: Canvas, stroke: Stroke): void {
  const { size, pixels, owner } = canvas;
  eachStrokePixel(stroke, size, (pixel, cover) => {
    for (let c = 0; c < 3; c++) {
      const under = pixels[pixel * 3 + c]!;
      pixels[pixel * 3 + c] = under + (stroke.colour[c]! - under) * cover;
    }
    if (cover >= HALF_COVERED) owner[pixel] = NOBODY;
  });
}

/** Corner points letters are made of: two columns of three, from the top. */
const corners: readonly (readonly [number, number])[] = [
  [-0.5, -1],
  [0.5, -1],
  [-0.5, 0],
  [0.5, 0],
  [-0.5, 1],
  [0.5, 1],
];

/** A disc, a ring, a bar, or a scribble through three to five corners of a letter's cell. */
export function randomStroke(random: Random, colour: Colour): Stroke {
  const x = random.between(0.05, 0.95);
  const y = random.between(0.05, 0.95);
  const scale = random.between(0.03, 0.075);
  switch (random.below(4)) {
    case 0:
      return { points: [[x, y]], radius: scale * 0.7, hollow: 0, colour };
    case 1:
      return { points: [[x, y]], radius: scale, hollow: scale * 0.65, colour };
    case 2: {
      const [dx, dy] = [random.between(-2, 2) * scale, random.between(-2, 2) * scale];
      return {
        points: [
          [x, y],
          [x + dx, y + dy],
        ],
        radius: scale * 0.25,
        hollow: 0,
        colour,
      };
    }
    default: {
      const points = Array.from({ length: 3 + random.below(3) }, () => {
        const [cx, cy] = random.pick(corners);
        return [x + cx * scale, y + cy * scale] as const;
      });
      return { points, radius: scale * random.between(0.12, 0.22), hollow: 0, colour };
    }
  }
}
