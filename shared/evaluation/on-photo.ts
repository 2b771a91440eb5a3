/** @file A method's map on the pixels of the photo it explains: the common ground of everything judged by masks. */
import { AppError } from "../errors.ts";
import type { Geometry } from "../imaging/geometry.ts";
import { type ProjectedMap, projectMap } from "../imaging/project.ts";
import type { FloatMap } from "../imaging/resize.ts";
import type { Mask } from "./mask.ts";
import { smoothMap } from "./smooth.ts";

/**
 * The map at the photo's own size (bilinear, half-pixel centres), NaN where the model did not see the photo.
 * `smoothing` is the Gaussian's sigma as a part of the longer side of what the model saw; 0 for none.
 */
export function mapOnPhoto(map: FloatMap, geometry: Geometry, smoothing = 0): ProjectedMap {
  const projected = projectMap(map, geometry, geometry.photo);
  return smoothing === 0 ? projected : smoothSeen(projected, smoothing);
}

/** Smooths what the model saw by itself: what it did not see has no values that could leak in. */
function smoothSeen(projected: ProjectedMap, fraction: number): ProjectedMap {
  const { covered, width, data } = projected;
  const seen = { width: covered.right - covered.left, height: covered.bottom - covered.top };
  const rowsOf = (from: Float32Array, y: number): Float32Array =>
    from.subarray((covered.top + y) * width + covered.left, (covered.top + y) * width + covered.right);
  const inner = new Float32Array(seen.width * seen.height);
  for (let y = 0; y < seen.height; y += 1) inner.set(rowsOf(data, y), y * seen.width);
  const smooth = smoothMap({ ...seen, data: inner }, fraction);
  const out = data.slice();
  for (let y = 0; y < seen.height; y += 1) {
    rowsOf(out, y).set(smooth.data.subarray(y * seen.width, (y + 1) * seen.width));
  }
  return { ...projected, data: out };
}

/** Throws `dataset-invalid` where a mask is not of the photo's size. */
export function checkMask(mask: Mask, { width, height }: { readonly width: number; readonly height: number }): void {
  if (mask.width === width && mask.height === height) return;
  throw new AppError(
    "dataset-invalid",
    `cannot compare a map of a photo of ${width} x ${height} pixels with a mask of ${mask.width} x ${mask.height}: ` +
      "the annotation must be of the very same picture",
  );
}
