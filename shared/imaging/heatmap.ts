/** @file From a map's raw values to the colour scale's 0 to 1, without making a signal out of nothing. No pixels. */
import { AppError } from "../errors.ts";
import { FLAT_RELATIVE } from "../flatness.ts";

/** Whether no value differs from another by more than rounding. Values must be finite; of none, all are equal. */
export function isFlat(values: ArrayLike<number>): boolean {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return !(max - min > FLAT_RELATIVE * Math.max(Math.abs(min), Math.abs(max)));
}

/** How raw values are shown. The raw map is never changed. */
export interface MapScale {
  /** Smallest and largest raw value. */
  readonly min: number;
  readonly max: number;
  /** The raw values at the two ends of the colour scale: min and max, or -m and m, m being the largest magnitude. */
  readonly low: number;
  readonly high: number;
  readonly signed: boolean;
  /** No location differs from another: nothing to see, and nothing is drawn. */
  readonly flat: boolean;
}

/**
 * The scale of a map: its range for an unsigned one, symmetric about zero for a signed one. Throws `runtime-failed` for
 * NaN and infinities, which no model that works gives.
 */
export function mapScale(data: Float32Array, signed: boolean): MapScale {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of data) {
    if (!Number.isFinite(value)) {
      throw new AppError(
        "runtime-failed",
        `cannot draw the map: it holds ${value}; check the model's weights and input for NaN and overflow`,
      );
    }
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (data.length === 0) throw new AppError("runtime-failed", "cannot draw the map: it is empty");
  const magnitude = Math.max(Math.abs(min), Math.abs(max));
  const flat = max - min <= FLAT_RELATIVE * magnitude;
  return signed
    ? { min, max, low: -magnitude, high: magnitude, signed, flat }
    : { min, max, low: min, high: max, signed, flat };
}

/** Where a value lies on the scale, 0 to 1. A flat map is all 0, a flat signed one all in the middle. */
export function toUnit(scale: MapScale, value: number): number {
  if (scale.flat) return scale.signed ? 0.5 : 0;
  return (value - scale.low) / (scale.high - scale.low);
}
