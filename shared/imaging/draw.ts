/** @file The few drawing steps pictures need besides text: fill, paste, a colour bar. Clipped at the edges. */
import { type ColourTable, colourOffset, type Rgb } from "./colour.ts";
import { createRaster, type Raster } from "./image.ts";

/** The paper pictures stand on, and the inks on it. */
export const PAPER: Rgb = [255, 255, 255];
export const INK: Rgb = [28, 30, 36];
export const FAINT_INK: Rgb = [108, 112, 122];

/** A raster of one colour. */
export function blankRaster(width: number, height: number, colour: Rgb): Raster {
  const raster = createRaster(width, height);
  fillRectangle(raster, 0, 0, width, height, colour);
  return raster;
}

/** Fills whole pixels from (left, top) on. */
export function fillRectangle(
  raster: Raster,
  left: number,
  top: number,
  width: number,
  height: number,
  colour: Rgb,
): void {
  const start = Math.max(0, left);
  const columns = Math.min(raster.width, left + width) - start;
  if (columns <= 0) return;
  const row = new Uint8Array(columns * 3);
  for (let i = 0; i < row.length; i += 3) row.set(colour, i);
  const bottom = Math.min(raster.height, top + height);
  for (let y = Math.max(0, top); y < bottom; y++) raster.data.set(row, (y * raster.width + start) * 3);
}

/** Copies a picture into another, its upper left corner at (left, top). */
export function paste(raster: Raster, picture: Raster, left: number, top: number): void {
  const columns = Math.min(picture.width, raster.width - left);
  const rows = Math.min(picture.height, raster.height - top);
  for (let y = 0; y < rows; y++) {
    const from = y * picture.width * 3;
    const row = picture.data.subarray(from, from + Math.max(0, columns) * 3);
    raster.data.set(row, ((top + y) * raster.width + left) * 3);
  }
}

/** A horizontal bar from the scale's low end to its high end. */
export function drawColourBar(
  raster: Raster,
  left: number,
  top: number,
  width: number,
  height: number,
  table: ColourTable,
): void {
  for (let x = 0; x < width; x++) {
    const at = colourOffset((x + 0.5) / width);
    fillRectangle(raster, left + x, top, 1, height, [table[at] ?? 0, table[at + 1] ?? 0, table[at + 2] ?? 0]);
  }
}
