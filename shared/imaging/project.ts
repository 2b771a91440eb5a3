/** @file Putting a map back onto the photo, the inverse of preprocessing. What the model did not see stays empty. */
import { coversAll, type Geometry, type Rectangle, type Size } from "./geometry.ts";
import { type FloatMap, sampleGrid } from "./resize.ts";

/** A map on the photo (or a smaller copy of it). */
export interface ProjectedMap extends FloatMap {
  /** The pixels the model saw, whole pixels of this map; outside, `data` is NaN. */
  readonly covered: Rectangle;
  /** Whether that is all of them. */
  readonly complete: boolean;
}

/**
 * Projects a map that spans the model's input (of any resolution, its pixels being equal parts of the input) onto the
 * photo at `target` size: bilinear between the map's pixel centres. A pixel counts as covered when its centre is.
 */
export function projectMap(map: FloatMap, geometry: Geometry, target: Size): ProjectedMap {
  const { photo, input, covered: seen } = geometry;
  const toPhotoX = photo.width / target.width;
  const toPhotoY = photo.height / target.height;
  const covered: Rectangle = {
    left: Math.ceil(seen.left / toPhotoX - 0.5),
    top: Math.ceil(seen.top / toPhotoY - 0.5),
    right: Math.min(target.width, Math.ceil(seen.right / toPhotoX - 0.5)),
    bottom: Math.min(target.height, Math.ceil(seen.bottom / toPhotoY - 0.5)),
  };
  const columns = Math.max(0, covered.right - covered.left);
  const rows = Math.max(0, covered.bottom - covered.top);
  const xs = Float64Array.from({ length: columns }, (_, i) => {
    const onPhoto = (covered.left + i + 0.5) * toPhotoX;
    return ((onPhoto * geometry.scaleX + geometry.offsetX) * map.width) / input.width;
  });
  const ys = Float64Array.from({ length: rows }, (_, i) => {
    const onPhoto = (covered.top + i + 0.5) * toPhotoY;
    return ((onPhoto * geometry.scaleY + geometry.offsetY) * map.height) / input.height;
  });
  const seenValues = sampleGrid(map, xs, ys);
  const data = new Float32Array(target.width * target.height).fill(Number.NaN);
  for (let y = 0; y < rows; y++) {
    data.set(seenValues.subarray(y * columns, (y + 1) * columns), (covered.top + y) * target.width + covered.left);
  }
  return { width: target.width, height: target.height, data, covered, complete: coversAll(geometry) };
}
