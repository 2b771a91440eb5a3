/** @file The picture of one explanation, with the caption that says what it is of. Neither encodes nor writes. */
import type { ColourMapName } from "../imaging/colour.ts";
import type { Geometry } from "../imaging/geometry.ts";
import type { Raster } from "../imaging/image.ts";
import { type Overlay, renderHeatmap, renderOverlay } from "../imaging/overlay.ts";
import { methodName } from "../saliency/method.ts";
import type { Manifest } from "../saliency/spec.ts";
import type { Explanation } from "./document.ts";
import { asPlane, type RawMap } from "./maps.ts";

/** The map over the photo, or the map alone. */
export const views = ["overlay", "heatmap"] as const;
export type View = (typeof views)[number];

/** What is drawn: a map, and where it lies. */
export interface Drawn {
  readonly photo: Raster;
  readonly geometry: Geometry;
  readonly map: RawMap;
  readonly manifest: Manifest;
  readonly model: string;
  readonly target: Explanation["target"];
}

export interface Drawing {
  readonly colours?: ColourMapName | undefined;
  readonly alpha?: number | undefined;
  /** The longer side is made at most this many pixels. */
  readonly maxSide?: number | undefined;
}

/** Throws `spec-invalid` for a map without a place on the image (tokens whose grid is not known). */
export function drawExplanation(view: View, drawn: Drawn, drawing: Drawing = {}): Overlay {
  const { manifest, photo, geometry } = drawn;
  const plane = asPlane(drawn.map, manifest.layers[0]);
  const options = {
    ...drawingOptions(drawing),
    signed: manifest.saliency.signed,
    caption: { title: targetText(drawn.target), subtitle: subtitle(drawn.model, manifest) },
  };
  return view === "overlay"
    ? renderOverlay(photo, plane, geometry, options)
    : renderHeatmap(photo, plane, geometry, options);
}

/** The options that were given, as the renderer takes them. */
export const drawingOptions = ({ colours, alpha, maxSide }: Drawing) => ({
  ...(colours !== undefined && { colours }),
  ...(alpha !== undefined && { alpha }),
  ...(maxSide !== undefined && { maxSide }),
});

/** `tabby 42.1 %`, for captions and lines. */
export const targetText = ({ name, probability }: Explanation["target"]): string =>
  `${name} ${(probability * 100).toFixed(1)} %`;

function subtitle(model: string, { layers, spec }: Manifest): string {
  const where = layers.length === 1 ? `at ${layers[0]?.name}` : `${spec.combine} of ${layers.length} layers`;
  const step = spec.meta ? " after a training step" : "";
  return `${methodName(spec.method)}${step}, ${where}, ${model}`;
}

/** The remark on a map that says nothing. */
export const flatNote = (value: number): string =>
  `the map is flat (${value} everywhere): it says nothing about where; try another layer, class or method`;
