/** @file Many pictures as one: a grid with a title, column captions above and row captions at the left. */
import { blankRaster, FAINT_INK, INK, PAPER, paste } from "./draw.ts";
import type { Raster } from "./image.ts";
import { resizeRaster } from "./resize.ts";
import { drawText, fitText, textWidth } from "./text.ts";

/** A sheet is looked at whole and then zoomed into; 40 megapixels is what picture viewers open at once. */
const MAX_SHEET_PIXELS = 40_000_000;
/** Tiles smaller than this show nothing. */
const MIN_TILE_SIDE = 64;

/** Rows of tiles; `null` leaves a place free. Captions may be empty texts. */
export interface Sheet {
  readonly title: string;
  /** A smaller line under the title. */
  readonly subtitle?: string;
  readonly columns: readonly string[];
  readonly rows: readonly string[];
  readonly tiles: readonly (readonly (Raster | null)[])[];
  /** The longer side of a tile; smaller when the sheet would grow beyond its limit. 360 by default. */
  readonly tileSide?: number;
}

interface Cell {
  readonly width: number;
  readonly height: number;
}

/** One cell size for all: the largest tile's shape, its longer side as wanted. */
function cellOf(sheet: Sheet): Cell {
  const rasters = sheet.tiles.flat().filter((tile) => tile !== null);
  const width = Math.max(1, ...rasters.map((tile) => tile.width));
  const height = Math.max(1, ...rasters.map((tile) => tile.height));
  const count = Math.max(1, sheet.columns.length * sheet.rows.length);
  const wanted = sheet.tileSide ?? 360;
  const aspect = (width * height) / Math.max(width, height) ** 2;
  const side = Math.max(MIN_TILE_SIDE, Math.min(wanted, Math.floor(Math.sqrt(MAX_SHEET_PIXELS / (count * aspect)))));
  const factor = side / Math.max(width, height);
  return { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
}

/** Splits a caption at blanks and hyphens into as few lines as fit. */
function wrap(text: string, size: number, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/(?<=[-_/. :])/)) {
    if (line !== "" && textWidth((line + word).trimEnd(), size) > width) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += word;
  }
  lines.push(line.trimEnd());
  return lines.map((each) => fitText(each, size, width));
}

function drawCentred(out: Raster, left: number, width: number, baseline: number, text: string, size: number): void {
  drawText(out, left + (width - textWidth(text, size)) / 2, baseline, text, size, INK);
}

/** Draws the sheet. Tiles keep their aspect and are centred in their cells. */
export function composeSheet(sheet: Sheet): Raster {
  const cell = cellOf(sheet);
  const text = Math.round(Math.min(26, Math.max(13, cell.width * 0.06)));
  const titleSize = Math.round(text * 1.45);
  const lineHeight = Math.round(text * 1.25);
  const gap = Math.round(text * 0.55);
  const margin = Math.round(text * 1.6);

  const longestRow = Math.max(0, ...sheet.rows.map((row) => textWidth(row, text)));
  const rowWidth = Math.ceil(Math.min(longestRow, Math.max(cell.width * 0.6, text * 7)));
  const labelWidth = rowWidth === 0 ? 0 : rowWidth + 2 * gap;
  const columnLines = sheet.columns.map((column) => wrap(column, text, cell.width));
  const columnHeight =
    Math.max(0, ...columnLines.map((lines) => (lines.join("") === "" ? 0 : lines.length))) * lineHeight;
  const titleHeight = sheet.title === "" ? 0 : Math.round(titleSize * 1.6);
  const subtitleHeight = sheet.subtitle === undefined ? 0 : Math.round(text * 1.9);

  const gridLeft = margin + labelWidth;
  const gridTop = margin + titleHeight + subtitleHeight + (columnHeight === 0 ? 0 : columnHeight + gap);
  const gridWidth = sheet.columns.length * (cell.width + gap) - gap;
  const titleWidth = Math.ceil(textWidth(sheet.title, titleSize));
  const width = Math.max(gridLeft + gridWidth, Math.min(margin + titleWidth, gridLeft + gridWidth * 1.5)) + margin;
  const out = blankRaster(Math.round(width), gridTop + sheet.rows.length * (cell.height + gap) - gap + margin, PAPER);

  const inner = out.width - 2 * margin;
  const titleBase = margin + titleSize;
  drawText(out, margin, titleBase, fitText(sheet.title, titleSize, inner), titleSize, INK);
  if (sheet.subtitle !== undefined) {
    const base = margin + titleHeight + text;
    drawText(out, margin, base, fitText(sheet.subtitle, text, inner), text, FAINT_INK);
  }
  columnLines.forEach((lines, column) => {
    const left = gridLeft + column * (cell.width + gap);
    lines.forEach((line, i) => {
      const base = gridTop - gap - (lines.length - 1 - i) * lineHeight - Math.round(text * 0.25);
      drawCentred(out, left, cell.width, base, line, text);
    });
  });
  sheet.rows.forEach((label, row) => {
    const top = gridTop + row * (cell.height + gap);
    const lines = wrap(label, text, rowWidth);
    const first = top + Math.round((cell.height - lines.length * lineHeight) / 2) + text;
    lines.forEach((line, i) => {
      drawText(out, margin, first + i * lineHeight, line, text, INK);
    });
    sheet.tiles[row]?.forEach((tile, column) => {
      if (tile !== null) placeTile(out, tile, cell, gridLeft + column * (cell.width + gap), top);
    });
  });
  return out;
}

function placeTile(out: Raster, tile: Raster, cell: Cell, left: number, top: number): void {
  const factor = Math.min(cell.width / tile.width, cell.height / tile.height);
  const width = Math.max(1, Math.round(tile.width * factor));
  const height = Math.max(1, Math.round(tile.height * factor));
  const small = resizeRaster(tile, width, height);
  paste(out, small, left + Math.floor((cell.width - width) / 2), top + Math.floor((cell.height - height) / 2));
}
