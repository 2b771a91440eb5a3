/** @file What scenes are painted on, and colours. Knows nothing of what is painted. */
import type { Random } from "./random.ts";

/** R, G, B from 0 to 255, not necessarily whole. */
export type Colour = readonly [number, number, number];

export interface Canvas {
  readonly size: number;
  /** `size * size * 3`, rows of R, G, B. */
  readonly pixels: Float32Array;
  /** For each pixel the object it shows, by its number; NOBODY where background or a distractor is seen. */
  readonly owner: Int8Array;
}

export const NOBODY = -1;

export function createCanvas(size: number): Canvas {
  return {
    size,
    pixels: new Float32Array(size * size * 3),
    owner: new Int8Array(size * size).fill(NOBODY),
  };
}

export const clamp = (value: number, low: number, high: number): number =>
  value < low ? low : value > high ? high : value;

/** How much of a pixel `soft` wide is covered by what lies where `distance` is negative: 1 inside, 0 outside. */
export const edge = (distance: number, soft: number): number => clamp(0.5 - distance / soft, 0, 1);

/** Columns or rows whose pixel centres may lie in [from, to] of the picture's unit square. */
export function pixelRange(from: number, to: number, size: number): readonly [number, number] {
  return [clamp(Math.floor(from * size), 0, size), clamp(Math.ceil(to * size), 0, size)];
}

export function mix(a: Colour, b: Colour, part: number): Colour {
  return [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part, a[2] + (b[2] - a[2]) * part];
}

/** A colour by hue (1 is once around, 0 red), saturation and lightness from 0 to 1. */
export function hsl(hue: number, saturation: number, lightness: number): Colour {
  const chroma = saturation * (lightness < 0.5 ? lightness : 1 - lightness);
  const channel = (offset: number): number => {
    const turned = hue + offset;
    const sixth = (turned - Math.floor(turned)) * 6;
    // Up in the first sixth, full for two, down in the fourth, none for two.
    const level = clamp(sixth < 3 ? sixth : 4 - sixth, 0, 1);
    return 255 * (lightness + chroma * (2 * level - 1));
  };
  return [channel(1 / 3), channel(0), channel(-1 / 3)];
}

/** Any hue, in a range of lightness. */
export function randomColour(random: Random, darkest: number, lightest: number): Colour {
  return hsl(random.unit(), random.between(0.2, 0.75), random.between(darkest, lightest));
}
