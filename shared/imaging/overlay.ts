/** @file The picture a person looks at: the photo with the map over it, a caption and a legend with numbers. */

import { type Caption, withCaption } from "./caption.ts";
import { type ColourMapName, colourOffset, colourTable } from "./colour.ts";
import { blankRaster, PAPER } from "./draw.ts";
import type { Geometry, Size } from "./geometry.ts";
import { type MapScale, mapScale, toUnit } from "./heatmap.ts";
import type { Raster } from "./image.ts";
import { type ProjectedMap, projectMap } from "./project.ts";
import { type FloatMap, resizeRaster } from "./resize.ts";

/** Pictures are for looking at: no screen shows more, and a PNG of this size stays below some megabytes. */
export const MAX_PICTURE_SIDE = 1600;
/** Below this the caption would not be readable: small photos are drawn larger. */
export const MIN_PICTURE_SIDE = 384;
/** Brightness left to what the model did not see. */
const UNSEEN_BRIGHTNESS = 0.35;

export interface OverlayOptions {
  /** By default viridis, and `diverging` for signed maps. */
  readonly colours?: ColourMapName;
  /** How much of the colour covers the photo, 0 to 1; 0.5 by default. */
  readonly alpha?: number;
  /** The photo under the map in grey (default), so that its hues cannot be taken for the map's, or in its colours. */
  readonly photo?: "colour" | "gray";
  /** Whether the map's sign means something: the scale is then symmetric about zero. */
  readonly signed?: boolean;
  /** A caption with the legend under the picture; none by default. */
  readonly caption?: Caption;
  /** The longer side is made at most this many pixels; `MAX_PICTURE_SIDE` by default. */
  readonly maxSide?: number;
}

/** A picture, and what a result document should say of it. */
export interface Overlay {
  readonly picture: Raster;
  readonly scale: MapScale;
  readonly colours: ColourMapName;
  /** Whether the model saw the whole photo; what it did not see is dimmed. */
  readonly complete: boolean;
}

/** The size a photo is drawn at: its own, within the two limits, aspect kept. */
export function pictureSize(photo: Size, maxSide: number = MAX_PICTURE_SIDE): Size {
  const longer = Math.max(photo.width, photo.height);
  const wanted = Math.min(maxSide, Math.max(longer, Math.min(MIN_PICTURE_SIDE, maxSide)));
  const factor = wanted / longer;
  return {
    width: Math.max(1, Math.round(photo.width * factor)),
    height: Math.max(1, Math.round(photo.height * factor)),
  };
}

/** ITU-R 709 luma: how bright a colour looks. */
const brightness = (red: number, green: number, blue: number): number => 0.2126 * red + 0.7152 * green + 0.0722 * blue;

/** What lies under the map, and how much of the map's colour covers it at a place of the scale. */
interface Blend {
  readonly background: Raster;
  readonly gray: boolean;
  readonly weight: (unit: number) => number;
}

function blend(
  map: ProjectedMap,
  scale: MapScale,
  colours: ColourMapName,
  { background, gray, weight }: Blend,
): Raster {
  const table = colourTable(colours);
  const { width, height, data } = background;
  const out = new Uint8Array(data.length);
  // Unrolled, and rounded by adding a half to what is stored as a whole number: a third of the time.
  for (let i = 0, at = 0; i < map.data.length; i++, at += 3) {
    const value = map.data[i]!;
    let red = data[at]!;
    let green = data[at + 1]!;
    let blue = data[at + 2]!;
    if (gray || Number.isNaN(value)) red = green = blue = brightness(red, green, blue);
    if (Number.isNaN(value)) {
      out[at] = out[at + 1] = out[at + 2] = red * UNSEEN_BRIGHTNESS + 0.5;
      continue;
    }
    const unit = toUnit(scale, value);
    const from = colourOffset(unit);
    const part = weight(unit);
    out[at] = red + (table[from]! - red) * part + 0.5;
    out[at + 1] = green + (table[from + 1]! - green) * part + 0.5;
    out[at + 2] = blue + (table[from + 2]! - blue) * part + 0.5;
  }
  return { width, height, data: out };
}

function render(map: FloatMap, geometry: Geometry, options: OverlayOptions, under: Blend): Overlay {
  const signed = options.signed ?? false;
  const scale = mapScale(map.data, signed);
  const colours = options.colours ?? (signed ? "diverging" : "viridis");
  const projected = projectMap(map, geometry, under.background);
  const plain = blend(projected, scale, colours, under);
  const picture = options.caption === undefined ? plain : withCaption(plain, options.caption, scale, colours);
  return { picture, scale, colours, complete: projected.complete };
}

/**
 * A signed map covers the photo in proportion to its magnitude: its middle means "no influence", where a white veil
 * would say something. Half way up the scale it covers as an unsigned one does.
 */
function signedWeight(alpha: number): (unit: number) => number {
  return (unit) => Math.min(1, 2 * alpha * Math.abs(2 * unit - 1));
}

/**
 * Draws a raw map over the photo it explains. The map spans the model's input; `geometry` (from `preprocess`) says
 * where that lies on the photo. Throws `runtime-failed` for a map with NaN or infinities.
 */
export function renderOverlay(photo: Raster, map: FloatMap, geometry: Geometry, options: OverlayOptions = {}): Overlay {
  const size = pictureSize(photo, options.maxSide);
  const background = resizeRaster(photo, size.width, size.height);
  const alpha = options.alpha ?? 0.5;
  const weight = options.signed === true ? signedWeight(alpha) : () => alpha;
  return render(map, geometry, options, { background, gray: options.photo !== "colour", weight });
}

/** Draws the map alone, where it lies on the photo; what the model did not see is grey. `alpha` has no meaning here. */
export function renderHeatmap(photo: Size, map: FloatMap, geometry: Geometry, options: OverlayOptions = {}): Overlay {
  const size = pictureSize(photo, options.maxSide);
  const background = blankRaster(size.width, size.height, PAPER);
  return render(map, geometry, options, { background, gray: false, weight: () => 1 });
}
