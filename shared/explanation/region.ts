/** @file The box whose scores a dense output is explained at: on the photo, in the model's input, and on the scores. */
import { AppError } from "../errors.ts";
import { type Geometry, toInput } from "../imaging/geometry.ts";
import type { RunTensor } from "../runtime/runtime.ts";

/** In pixels of the upright photo, from its top left corner. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A box as shares of an image's sides: x, y, width, height, as the explainer's input `region` has it. */
export type Shares = readonly [number, number, number, number];

/**
 * The part of the region the model sees.
 * @throws AppError `spec-invalid` where it sees none of it
 */
export function sharesOf(region: Region, geometry: Geometry): Shares {
  const { width, height } = geometry.input;
  const from = toInput(geometry, region);
  const to = toInput(geometry, { x: region.x + region.width, y: region.y + region.height });
  const within = (v: number, size: number): number => Math.min(Math.max(v, 0), size) / size;
  const [left, right] = [within(from.x, width), within(to.x, width)];
  const [top, bottom] = [within(from.y, height), within(to.y, height)];
  if (right > left && bottom > top) return [left, top, right - left, bottom - top];
  const { covered, photo } = geometry;
  throw new AppError(
    "spec-invalid",
    `the region ${region.x},${region.y},${region.width},${region.height} lies outside what the model sees of the ` +
      `${photo.width} x ${photo.height} photo: ${Math.round(covered.left)} to ${Math.round(covered.right)} across, ` +
      `${Math.round(covered.top)} to ${Math.round(covered.bottom)} down`,
    { region },
  );
}

export const regionTensor = (shares: Shares): RunTensor => ({
  dtype: "float32",
  dims: [1, 4],
  data: Float32Array.from(shares),
});

/** How much of the box lies in each of height x width equal cells, summing to 1; the explainer weighs scores so. */
export function cellShares([x, y, w, h]: Shares, height: number, width: number): Float64Array {
  const overlap = (from: number, extent: number, cells: number): number[] =>
    Array.from({ length: cells }, (_, p) =>
      Math.max(0, Math.min((from + extent) * cells, p + 1) - Math.max(from * cells, p)),
    );
  const [columns, rows] = [overlap(x, w, width), overlap(y, h, height)];
  const cells = Float64Array.from(rows.flatMap((r) => columns.map((c) => r * c)));
  const total = cells.reduce((a, b) => a + b, 0);
  return total > 0 ? cells.map((c) => c / total) : cells;
}
