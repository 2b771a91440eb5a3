/** @file Text on a raster: one typeface, printable ASCII, any size, smooth edges. Anything else is shown as "?". */
import { unzlibSync } from "fflate";
import type { Rgb } from "./colour.ts";
import { FONT_ADVANCES, FONT_BASELINE, FONT_HEIGHT, FONT_PADDING, FONT_STRIP } from "./font-data.ts";
import type { Raster } from "./image.ts";

/** The size the strip was drawn at. */
const STRIP_SIZE = 32;
const FIRST_CHARACTER = 32;
/** Samples a pixel and axis: the strip is at most four times the drawn size, so three leave no gaps that show. */
const SAMPLES = 3;

interface Strip {
  readonly width: number;
  /** 0 to 15. */
  readonly coverage: Uint8Array;
  /** The column where each glyph's cell begins. */
  readonly starts: readonly number[];
}

let unpacked: Strip | null = null;

function strip(): Strip {
  if (unpacked !== null) return unpacked;
  const packed = unzlibSync(Uint8Array.from(atob(FONT_STRIP), (letter) => letter.charCodeAt(0)));
  const starts: number[] = [];
  let width = 0;
  for (const advance of FONT_ADVANCES) {
    starts.push(width);
    width += advance + 2 * FONT_PADDING;
  }
  const coverage = new Uint8Array(width * FONT_HEIGHT);
  for (let i = 0; i < coverage.length; i++) {
    const pair = packed[i >> 1] ?? 0;
    coverage[i] = i & 1 ? pair & 15 : pair >> 4;
  }
  unpacked = { width, coverage, starts };
  return unpacked;
}

function glyphIndex(character: string): number {
  const index = character.charCodeAt(0) - FIRST_CHARACTER;
  return index >= 0 && index < FONT_ADVANCES.length && character.length === 1
    ? index
    : "?".charCodeAt(0) - FIRST_CHARACTER;
}

const advanceOf = (character: string): number => FONT_ADVANCES[glyphIndex(character)] ?? 0;

/** The width of a line in pixels. */
export function textWidth(text: string, size: number): number {
  let columns = 0;
  for (const character of text) columns += advanceOf(character);
  return (columns * size) / STRIP_SIZE;
}

/** The text if it fits into `width` pixels, else as much of it as does, with "..." behind. */
export function fitText(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const characters = [...text];
  while (characters.length > 0 && textWidth(`${characters.join("").trimEnd()}...`, size) > width) characters.pop();
  return characters.length > 0 ? `${characters.join("").trimEnd()}...` : "";
}

/** Coverage of one pixel, 0 to 1, whose upper left corner lies at (column, row) of the strip. */
function coverageAt(font: Strip, column: number, row: number, step: number, left: number, right: number): number {
  let sum = 0;
  for (let i = 0; i < SAMPLES; i++) {
    const y = Math.floor(row + ((i + 0.5) / SAMPLES) * step);
    if (y < 0 || y >= FONT_HEIGHT) continue;
    for (let j = 0; j < SAMPLES; j++) {
      const x = Math.floor(column + ((j + 0.5) / SAMPLES) * step);
      if (x >= left && x < right) sum += font.coverage[y * font.width + x]!;
    }
  }
  return sum / (15 * SAMPLES * SAMPLES);
}

/** Draws one line, its letters standing on row `baseline` and beginning at column `left`. Clipped at the edges. */
export function drawText(
  raster: Raster,
  left: number,
  baseline: number,
  text: string,
  size: number,
  colour: Rgb,
): void {
  const font = strip();
  const step = STRIP_SIZE / size;
  const top = Math.floor(baseline - FONT_BASELINE / step);
  const bottom = Math.ceil(baseline + (FONT_HEIGHT - FONT_BASELINE) / step);
  let pen = left;
  for (const character of text) {
    const index = glyphIndex(character);
    const start = font.starts[index] ?? 0;
    const advance = FONT_ADVANCES[index] ?? 0;
    const end = start + advance + 2 * FONT_PADDING;
    const firstX = Math.floor(pen - FONT_PADDING / step);
    const lastX = Math.ceil(pen + (advance + FONT_PADDING) / step);
    for (let y = Math.max(0, top); y < Math.min(raster.height, bottom); y++) {
      for (let x = Math.max(0, firstX); x < Math.min(raster.width, lastX); x++) {
        const column = (x - pen) * step + start + FONT_PADDING;
        const coverage = coverageAt(font, column, (y - baseline) * step + FONT_BASELINE, step, start, end);
        if (coverage > 0) blendPixel(raster, x, y, colour, coverage);
      }
    }
    pen += advance / step;
  }
}

function blendPixel(raster: Raster, x: number, y: number, colour: Rgb, part: number): void {
  const at = (y * raster.width + x) * 3;
  for (let channel = 0; channel < 3; channel++) {
    const under = raster.data[at + channel]!;
    raster.data[at + channel] = Math.round(under + (colour[channel]! - under) * part);
  }
}
