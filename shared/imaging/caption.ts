/** @file The strip of paper under a picture: class and method in words, the colour scale with its numbers. */
import { type ColourMapName, colourTable } from "./colour.ts";
import { blankRaster, drawColourBar, FAINT_INK, INK, PAPER, paste } from "./draw.ts";
import type { Size } from "./geometry.ts";
import type { MapScale } from "./heatmap.ts";
import type { Raster } from "./image.ts";
import { drawText, fitText, textWidth } from "./text.ts";

export interface Caption {
  /** The class and its probability. */
  readonly title: string;
  /** Method, layer, notes. */
  readonly subtitle: string;
}

/** A raw value short enough for a legend: three significant digits. */
export function legendNumber(value: number): string {
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  if (magnitude >= 1e4 || magnitude < 1e-3) return value.toExponential(1).replace("e+", "e");
  return String(Number(value.toPrecision(3)));
}

/** The text size that suits a picture: readable on a phone, not shouting on a poster, smaller on a narrow one. */
function textSizeFor(size: Size): number {
  const wanted = Math.min(Math.max(size.width, size.height) * 0.03, size.width * 0.045);
  return Math.round(Math.min(36, Math.max(14, wanted)));
}

/** All measures of the strip, in pixels, from the picture's size and the words' width. */
interface Layout {
  readonly text: number;
  readonly small: number;
  readonly margin: number;
  readonly inner: number;
  readonly height: number;
  readonly barLeft: number;
  /** From the picture's lower edge. */
  readonly barTop: number;
  readonly barWidth: number;
  readonly barHeight: number;
}

/** The part of the width a legend needs beside the words; where it is not there, the legend goes below them. */
const LEGEND_PART = 0.32;

function layOut(picture: Size, caption: Caption): Layout {
  const text = textSizeFor(picture);
  const small = Math.max(12, Math.round(text * 0.8));
  const margin = Math.round(text * 0.8);
  const inner = picture.width - 2 * margin;
  const barHeight = Math.round(text * 0.7);
  const legendHeight = Math.round(barHeight + small * 1.45);
  const linesHeight = Math.round(text * 1.35 + small * 1.3);
  const words = Math.max(textWidth(caption.title, text), textWidth(caption.subtitle, small));
  const common = { text, small, margin, inner, barHeight };
  if (words + 2 * margin <= inner * (1 - LEGEND_PART)) {
    const barWidth = Math.round(Math.min(inner * LEGEND_PART, text * 14));
    const barTop = margin + Math.round((linesHeight - legendHeight) / 2);
    const barLeft = picture.width - margin - barWidth;
    return { ...common, barWidth, barLeft, barTop, height: linesHeight + 2 * margin };
  }
  const barTop = linesHeight + Math.round(margin * 1.6);
  const height = linesHeight + legendHeight + Math.round(margin * 2.6);
  return { ...common, barWidth: inner, barLeft: margin, barTop, height };
}

/** The picture with the strip under it. Words that do not fit end in "...". */
export function withCaption(picture: Raster, caption: Caption, scale: MapScale, colours: ColourMapName): Raster {
  const layout = layOut(picture, caption);
  const { text, small, margin, inner } = layout;
  const out = blankRaster(picture.width, picture.height + layout.height, PAPER);
  paste(out, picture, 0, 0);
  const titleBase = picture.height + margin + Math.round(text * 0.85);
  const subtitleBase = titleBase + Math.round(small * 1.5);
  drawText(out, margin, titleBase, fitText(caption.title, text, inner), text, INK);
  drawText(out, margin, subtitleBase, fitText(caption.subtitle, small, inner), small, FAINT_INK);
  drawLegend(out, picture.height + layout.barTop, layout, scale, colours);
  return out;
}

function drawLegend(out: Raster, top: number, layout: Layout, scale: MapScale, colours: ColourMapName): void {
  const { barLeft: left, barWidth: width, barHeight, small } = layout;
  const base = top + barHeight + Math.round(small * 1.15);
  if (scale.flat) {
    const words = fitText(`flat map: ${legendNumber(scale.max)} everywhere`, small, width);
    drawText(out, left, top + small, words, small, INK);
    return;
  }
  drawColourBar(out, left, top, width, barHeight, colourTable(colours));
  const high = legendNumber(scale.high);
  drawText(out, left, base, legendNumber(scale.low), small, FAINT_INK);
  drawText(out, left + width - textWidth(high, small), base, high, small, FAINT_INK);
  if (scale.signed) drawText(out, left + (width - textWidth("0", small)) / 2, base, "0", small, FAINT_INK);
}
