/** @file What a sweep notes of each map: enough for its report, without the map. On maps, no I/O. */
import { regionOf } from "../evaluation/datasets/region.ts";
import { maskArea } from "../evaluation/mask.ts";
import { isDifficult, isHit, pointOf } from "../evaluation/pointing.ts";
import { classSensitivity } from "../evaluation/sensitivity.ts";
import type { Explanation } from "../explanation/document.ts";
import { asPlane, hasPlace } from "../explanation/maps.ts";
import { readNpy } from "../imaging/npy.ts";
import type { FloatMap } from "../imaging/resize.ts";
import type { SweepItem, TaskSummary } from "./records.ts";

/** A result as it was read back: its document and its raw map. */
export interface ReadResult {
  readonly document: Explanation;
  readonly map: Uint8Array;
}

/** The largest values of a map that its concentration is about. */
const peakShare = 0.1;

/** The map over the model's input; null where its tokens have no known places. */
export function planeOf({ document, map }: ReadResult): FloatMap | null {
  const { dims, data } = readNpy(map);
  const layer = document.combine === null ? document.layers[0] : undefined;
  const raw = { layer: layer?.name ?? null, dims, data: Float32Array.from(data) };
  return hasPlace(raw, layer) ? asPlane(raw, layer) : null;
}

/** @param label the class the image shows, as the model counts, where the item says it */
export function summarise(
  result: ReadResult,
  item: SweepItem,
  label: number | null,
  first: { readonly result: ReadResult; readonly plane: FloatMap | null } | null,
): TaskSummary {
  const { document } = result;
  const [top] = document.prediction.top;
  if (top === undefined) throw new TypeError("a prediction has a first class");
  const plane = planeOf(result);
  const { target, timings, geometry } = document;
  const pointing = plane === null || item.boxes === undefined ? null : point(plane, document, item.boxes);
  return {
    top: { class: top.class, name: top.name, probability: top.probability },
    target: { class: target.class, name: target.name, rank: target.rank },
    flat: document.map.flat,
    concentration: plane === null ? null : concentrationOf(plane.data),
    milliseconds: Object.values(timings).reduce((sum: number, ms: number | undefined) => sum + (ms ?? 0), 0),
    ...(label !== null && { correct: top.class === label }),
    ...(label !== null && { label: item.name ?? String(item.class) }),
    ...(pointing && { pointing }),
    ...(first?.plane && plane && { sensitivity: classSensitivity(first.plane, plane, geometry.input) }),
  };
}

function point(
  plane: FloatMap,
  { geometry }: Explanation,
  boxes: NonNullable<SweepItem["boxes"]>,
): TaskSummary["pointing"] | null {
  const objects = boxes.map(([x, y, width, height]) => ({
    class: "",
    outline: { kind: "box", box: { left: x, top: y, right: x + width, bottom: y + height } } as const,
    normalised: false,
    difficult: false,
  }));
  const { mask } = regionOf(objects, geometry.photo);
  if (maskArea(mask) === 0) return null; // no pixel of it is on the photo: not played
  const at = pointOf(plane, geometry);
  return { hit: at !== null && isHit(mask, at), small: isDifficult(mask, 1) };
}

/** The part of the positive values that the largest tenth of all values holds; null where none is positive. */
export function concentrationOf(data: Float32Array): number | null {
  const positive = data.map((v) => (v > 0 ? v : 0)).sort();
  const total = positive.reduce((sum, v) => sum + v, 0);
  if (!(total > 0)) return null;
  const kept = Math.max(1, Math.round(peakShare * positive.length));
  return positive.subarray(positive.length - kept).reduce((sum, v) => sum + v, 0) / total;
}
