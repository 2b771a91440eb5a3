/** @file One sprite on a canvas: turned, mirrored, recoloured, smooth at any size, with a soft shadow. */
import { type Canvas, clamp, pixelRange } from "./canvas.ts";
import type { Turn } from "./random.ts";

/** A square picture: rows of R, G, B, A from 0 to 255, colours multiplied by alpha. */
export interface Level {
  readonly side: number;
  readonly data: Uint8Array;
}

export interface Sprite {
  readonly style: string;
  /** What is drawn, as the set calls it: "cat-face". */
  readonly design: string;
  /** Index into `classes`, or null for a thing that is in no class (a distractor). */
  readonly classIndex: number | null;
  /** The drawing at full size, then halved again and again. */
  readonly levels: readonly Level[];
}

/** Where and how a sprite is drawn; lengths in units of the picture's side. */
export interface Placement {
  /** The middle of the sprite. */
  readonly x: number;
  readonly y: number;
  /** Side of the sprite's square. */
  readonly extent: number;
  readonly turn: Turn;
  readonly mirrored: boolean;
  /** Nine numbers, row by row: how R, G and B become the drawn ones. */
  readonly colours: readonly number[];
  readonly shadow: { readonly x: number; readonly y: number; readonly strength: number };
}

/** From this alpha on, of 255, a pixel belongs to the object. */
export const SOLID = 128;

/** The smallest level kept: shadows are as blurred as it is coarse. */
const COARSEST = 8;
/** A shadow's blur reaches beyond the sprite by half a texel of the level it is taken from. */
const SHADOW_REACH = 1.2;
/** A level may be up to this much finer than the canvas: sharper than exact filtering, with no jags to speak of. */
const FINENESS = 1.5;

/** The level and all its halvings, each texel the mean of four. */
export function levelsOf(finest: Level): readonly Level[] {
  const levels = [finest];
  let last = finest;
  while (last.side > COARSEST) {
    const side = last.side / 2;
    const data = new Uint8Array(side * side * 4);
    for (let y = 0; y < side; y++) {
      for (let i = 0; i < side * 4; i++) {
        const from = y * 2 * last.side * 4 + (i >> 2) * 8 + (i & 3);
        const below = from + last.side * 4;
        const sum = last.data[from]! + last.data[from + 4]! + last.data[below]! + last.data[below + 4]!;
        data[y * side * 4 + i] = (sum + 2) >> 2;
      }
    }
    last = { side, data };
    levels.push(last);
  }
  return levels;
}

/** One channel between the texels around a point, given in texels from the first one's middle; outside is nothing. */
function bilinear({ side, data }: Level, x: number, y: number, channel: number): number {
  const i = Math.floor(x);
  const j = Math.floor(y);
  const upper = (j * side + i) * 4 + channel;
  const lower = upper + side * 4;
  const inLeft = i >= 0 && i < side;
  const inRight = i >= -1 && i < side - 1;
  let above = 0;
  let below = 0;
  if (j >= 0 && j < side) {
    if (inLeft) above = data[upper]! * (1 - x + i);
    if (inRight) above += data[upper + 4]! * (x - i);
  }
  if (j >= -1 && j < side - 1) {
    if (inLeft) below = data[lower]! * (1 - x + i);
    if (inRight) below += data[lower + 4]! * (x - i);
  }
  return above * (1 - y + j) + below * (y - j);
}

/** Alpha from 0 to 255 at a point of the sprite's square (0 to 1). */
export function alphaAt(level: Level, u: number, v: number): number {
  return bilinear(level, u * level.side - 0.5, v * level.side - 0.5, 3);
}

/** Calls `visit` for every pixel the turned square may touch, with its place in the square (0 to 1 inside). */
export function eachPixel(
  { x: middleX, y: middleY, extent, turn, mirrored }: Omit<Placement, "colours" | "shadow">,
  size: number,
  visit: (pixel: number, u: number, v: number) => void,
): void {
  const reach = (extent / 2) * (Math.abs(turn.cos) + Math.abs(turn.sin));
  const [left, right] = pixelRange(middleX - reach, middleX + reach, size);
  const [top, bottom] = pixelRange(middleY - reach, middleY + reach, size);
  for (let row = top; row < bottom; row++) {
    const dy = ((row + 0.5) / size - middleY) / extent;
    for (let column = left; column < right; column++) {
      const dx = ((column + 0.5) / size - middleX) / extent;
      const along = dx * turn.cos + dy * turn.sin;
      const u = (mirrored ? -along : along) + 0.5;
      const v = dy * turn.cos - dx * turn.sin + 0.5;
      if (u >= 0 && v >= 0 && u < 1 && v < 1) visit(row * size + column, u, v);
    }
  }
}

/** The coarsest level that is not coarser than `texels` a side need. */
export function levelFor(sprite: Sprite, texels: number): Level {
  // A sprite always has its finest level.
  return sprite.levels.findLast(({ side }) => side >= texels / FINENESS) ?? sprite.levels[0]!;
}

function drawShadow(canvas: Canvas, sprite: Sprite, placement: Placement): void {
  const { x, y, strength } = placement.shadow;
  const { size, pixels } = canvas;
  const level = levelFor(sprite, COARSEST * 2 * FINENESS);
  const moved = { ...placement, x: placement.x + x, y: placement.y + y, extent: placement.extent * SHADOW_REACH };
  eachPixel(moved, size, (pixel, u, v) => {
    const alpha = alphaAt(level, (u - 0.5) * SHADOW_REACH + 0.5, (v - 0.5) * SHADOW_REACH + 0.5);
    if (alpha === 0) return;
    const light = 1 - (alpha * strength) / 255;
    for (let c = pixel * 3; c < pixel * 3 + 3; c++) pixels[c] = pixels[c]! * light;
  });
}

/** Draws the sprite over what is there. Pixels it makes solid become those of `number`. */
export function drawSprite(canvas: Canvas, sprite: Sprite, placement: Placement, number: number): void {
  drawShadow(canvas, sprite, placement);
  const { size, pixels, owner } = canvas;
  const level = levelFor(sprite, placement.extent * size);
  const m = placement.colours;
  eachPixel(placement, size, (pixel, u, v) => {
    const x = u * level.side - 0.5;
    const y = v * level.side - 0.5;
    const alpha = bilinear(level, x, y, 3);
    if (alpha === 0) return;
    const r = bilinear(level, x, y, 0);
    const g = bilinear(level, x, y, 1);
    const b = bilinear(level, x, y, 2);
    const under = 1 - alpha / 255;
    for (let c = 0; c < 3; c++) {
      const colour = m[c * 3]! * r + m[c * 3 + 1]! * g + m[c * 3 + 2]! * b;
      pixels[pixel * 3 + c] = clamp(colour, 0, alpha) + pixels[pixel * 3 + c]! * under;
    }
    if (alpha >= SOLID) owner[pixel] = number;
  });
}

/** Weights of R, G and B in lightness (Rec. 709), as in SVG's filters. */
const [R, G, B] = [0.213, 0.715, 0.072];

/** Turns hues, keeping lightness (SVG's feColorMatrix "hueRotate"), then scales saturation and brightness. */
export function recolour(hue: Turn, saturation: number, brightness: number): readonly number[] {
  const cos = hue.cos * saturation;
  const sin = hue.sin * saturation;
  const rows = [
    [R + cos * (1 - R) - sin * R, G - cos * G - sin * G, B - cos * B + sin * (1 - B)],
    [R - cos * R + sin * 0.143, G + cos * (1 - G) + sin * 0.14, B - cos * B - sin * 0.283],
    [R - cos * R - sin * (1 - R), G - cos * G + sin * G, B + cos * (1 - B) + sin * B],
  ];
  return rows.flat().map((part) => part * brightness);
}
