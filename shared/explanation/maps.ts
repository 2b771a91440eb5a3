/** @file Maps as they come out of an explainer: read, measured, and laid out on the input for drawing. */
import { AppError } from "../errors.ts";
import { mapScale } from "../imaging/heatmap.ts";
import type { FloatMap } from "../imaging/resize.ts";
import { type Feeds, tensorNamed } from "../runtime/runtime.ts";
import type { LayerRecord, Manifest } from "../saliency/spec.ts";

/** A raw map: [h, w], or [T] where a token layer's grid is not known or not asked for. */
export interface RawMap {
  /** The layer's name; null for a combination. */
  readonly layer: string | null;
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** What a result says of a map, whatever is drawn. */
export interface MapStatistics {
  readonly shape: readonly number[];
  readonly min: number;
  readonly max: number;
  /** All values are equal up to rounding: the map says nothing. */
  readonly flat: boolean;
  /** Whether values may be negative, so that zero means something. */
  readonly signed: boolean;
  /** Where the largest value is: [row, column], or [token]; the first in row-major order. */
  readonly argmax: readonly number[];
}

/** The map `saliency`, without its axes of 1. */
export function mainMap(outputs: Feeds, { layers, saliency }: Manifest): RawMap {
  return readMap(outputs, "saliency", saliency.kind === "combination" ? null : (layers[0]?.name ?? null));
}

/** The raw map of each layer, where the explainer returns them. */
export function layerMaps(outputs: Feeds, { layers }: Manifest): readonly RawMap[] {
  return layers.filter(({ name }) => `map/${name}` in outputs).map(({ name }) => readMap(outputs, `map/${name}`, name));
}

function readMap(outputs: Feeds, name: string, layer: string | null): RawMap {
  const { dims, data } = tensorNamed(outputs, name, "float32");
  // [N,1,h,w] has two axes in front, tokens [N,T] one; N is 1 here.
  return { layer, dims: dims.length > 2 ? dims.slice(2) : dims.slice(1), data };
}

/** Throws `runtime-failed` for a map with NaN or infinities. */
export function statistics({ dims, data }: RawMap, signed: boolean): MapStatistics {
  const { min, max, flat } = mapScale(data, signed);
  let at = data.indexOf(max);
  const argmax = dims.toReversed().map((d) => {
    const index = at % d;
    at = Math.floor(at / d);
    return index;
  });
  return { shape: dims, min, max, flat, signed, argmax: argmax.toReversed() };
}

/** Whether the map's values have places on the model's input. */
export const hasPlace = ({ dims, data }: RawMap, record: LayerRecord | undefined): boolean => {
  const grid = record?.grid;
  return dims.length === 2 || (grid != null && data.length === grid.prefix + grid.rows * grid.columns);
};

/** The map as rows and columns over the model's input: tokens go back to their patches, those in front dropped. */
export function asPlane({ dims, data, layer }: RawMap, record: LayerRecord | undefined): FloatMap {
  const [height = 1, width = 1] = dims;
  if (dims.length === 2) return { width, height, data };
  const grid = record?.grid;
  if (grid && data.length === grid.prefix + grid.rows * grid.columns) {
    return { width: grid.columns, height: grid.rows, data: data.subarray(grid.prefix) };
  }
  throw new AppError(
    "spec-invalid",
    `the map of "${layer}" has shape [${dims.join(", ")}], which is not known to lie on a grid of patches: ` +
      "it cannot be drawn; --write npy,json has its numbers",
    { layer },
  );
}
