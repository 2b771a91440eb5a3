/** @file The loss of a training as a picture: steps to the right, loss on a logarithmic scale upwards. */
import { blankRaster, FAINT_INK, fillRectangle, INK, PAPER } from "../../../shared/imaging/draw.ts";
import type { Raster } from "../../../shared/imaging/image.ts";
import { drawText, textWidth } from "../../../shared/imaging/text.ts";

const width = 960;
const height = 420;
const margin = { left: 70, right: 24, top: 44, bottom: 40 } as const;
const textSize = 15;
const gridColour = [226, 228, 232] as const;
const lineColour = [33, 104, 176] as const;
/** Points of the curve: each the mean loss of an equal share of the steps, so that the noise of batches is gone. */
const pointsMax = 240;
/** Marks on the loss axis, of which those in range are drawn. */
const lossMarks = [0.01, 0.1, 1].flatMap((power) =>
  [1, 1.5, 2, 3, 5, 7].map((digit) => Number((digit * power).toPrecision(2))),
);
/** About as many marks on the step axis. */
const stepMarks = 6;

/** Mean losses of equal shares of the steps. */
export function smoothed(losses: readonly number[], points: number): readonly number[] {
  const count = Math.min(points, losses.length);
  return Array.from({ length: count }, (_, i) => {
    const share = losses.slice(Math.floor((i * losses.length) / count), Math.floor(((i + 1) * losses.length) / count));
    return share.reduce((sum, loss) => sum + loss, 0) / share.length;
  });
}

/** The curve of all losses so far; `title` stands above it. */
export function drawCurve(losses: readonly number[], title: string): Raster {
  const raster = blankRaster(width, height, PAPER);
  drawText(raster, margin.left, margin.top - 18, title, textSize + 2, INK);
  const points = smoothed(losses, pointsMax);
  if (points.length === 0) return raster;
  const [low, high] = [Math.min(...points) / 1.1, Math.max(...points) * 1.1];
  const [plotWidth, plotHeight] = [width - margin.left - margin.right, height - margin.top - margin.bottom];
  const rowOf = (loss: number): number => margin.top + (plotHeight * Math.log(high / loss)) / Math.log(high / low);
  const columnOf = (part: number): number => margin.left + part * plotWidth;

  for (const mark of lossMarks.filter((m) => m > low && m < high)) {
    const row = Math.round(rowOf(mark));
    fillRectangle(raster, margin.left, row, plotWidth, 1, gridColour);
    const text = String(mark);
    drawText(raster, margin.left - 8 - textWidth(text, textSize), row + 5, text, textSize, FAINT_INK);
  }
  const spacing = roundStep(losses.length / stepMarks);
  for (let step = 0; step <= losses.length; step += spacing) {
    const column = Math.round(columnOf(step / losses.length));
    fillRectangle(raster, column, margin.top, 1, plotHeight, gridColour);
    const text = String(step);
    drawText(raster, column - textWidth(text, textSize) / 2, height - margin.bottom + 22, text, textSize, FAINT_INK);
  }
  for (const [i, loss] of points.entries()) {
    const next = points[i + 1] ?? loss;
    drawSegment(
      raster,
      columnOf((i + 0.5) / points.length),
      rowOf(loss),
      columnOf((i + 1.5) / points.length),
      rowOf(next),
    );
  }
  return raster;
}

/** 1, 2 or 5 times a power of ten, at least `length`. */
function roundStep(length: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, length)));
  return ([1, 2, 5, 10].find((factor) => factor * power >= length) ?? 10) * power;
}

/** A line two pixels thick, in steps of half a pixel. */
function drawSegment(raster: Raster, x0: number, y0: number, x1: number, y1: number): void {
  const steps = Math.ceil(2 * Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1));
  const right = width - margin.right;
  for (let i = 0; i <= steps; i += 1) {
    const x = Math.round(x0 + ((x1 - x0) * i) / steps);
    if (x < right) fillRectangle(raster, x, Math.round(y0 + ((y1 - y0) * i) / steps), 2, 2, lineColour);
  }
}
