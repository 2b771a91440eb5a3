/** @file How large a picture may be, checked from its header before anything is decoded. */
import { AppError } from "../errors.ts";
import type { ImageHeader } from "./image.ts";

/** Limits in pixels and bytes; `name` says in an error message whose they are. */
export interface ImageLimits {
  readonly name: string;
  readonly maxBytes: number;
  readonly maxPixels: number;
  /** A progressive JPEG holds all its coefficients in memory until the last scan. */
  readonly maxProgressivePixels: number;
  /** A WebP decoder holds planes of its own beside the pixels. */
  readonly maxWebpPixels: number;
  /** Four-ink JPEGs are decoded in JavaScript, at about 30 bytes a pixel. */
  readonly maxCmykPixels: number;
}

const MEGA = 1_000_000;

/**
 * For a process with some gigabytes: 50 megapixels (today's largest camera sensors) peak at about 0.5 GB while decoding
 * (4 bytes a pixel in the codec's heap, 4 in its copy, 3 in ours).
 */
export const NODE_LIMITS: ImageLimits = {
  name: "this process",
  maxBytes: 100 * MEGA,
  maxPixels: 50 * MEGA,
  maxProgressivePixels: 50 * MEGA,
  maxWebpPixels: 50 * MEGA,
  maxCmykPixels: 20 * MEGA,
};

/** For an isolate of 128 MB that also holds the inference runtime and a model: 4 megapixels peak at 45 MB. */
export const EDGE_LIMITS: ImageLimits = {
  name: "the edge",
  maxBytes: 10 * MEGA,
  maxPixels: 4 * MEGA,
  maxProgressivePixels: 2 * MEGA,
  maxWebpPixels: 3 * MEGA,
  maxCmykPixels: MEGA,
};

/**
 * The longer side of a picture drawn in such an isolate, beside an engine of 70 MB and a photo of the largest size.
 * Encoding a square one as JPEG takes 62 MB with a side of 1,600, 20 MB with this; PNG's encoder keeps its heap.
 */
export const EDGE_PICTURE_SIDE = 768;

/** Throws `image-too-large` when the file holds more bytes than allowed. */
export function checkBytes(length: number, limits: ImageLimits): void {
  if (length <= limits.maxBytes) return;
  throw new AppError(
    "image-too-large",
    `cannot decode the image: it has ${(length / MEGA).toFixed(1)} MB, ${limits.name} takes ` +
      `${(limits.maxBytes / MEGA).toFixed(0)} MB; compress or scale it down first`,
    { bytes: length, limit: limits.maxBytes },
  );
}

function pixelLimit(header: ImageHeader, limits: ImageLimits): { readonly kind: string; readonly pixels: number } {
  if (header.colour === "cmyk" || header.colour === "ycck") return { kind: "CMYK ", pixels: limits.maxCmykPixels };
  if (header.format === "jpeg" && header.progressive) {
    return { kind: "progressive ", pixels: limits.maxProgressivePixels };
  }
  if (header.format === "webp") return { kind: "WebP ", pixels: limits.maxWebpPixels };
  return { kind: "", pixels: limits.maxPixels };
}

/** Throws `image-too-large` when the header announces more pixels than allowed. */
export function checkPixels(header: ImageHeader, limits: ImageLimits): void {
  const limit = pixelLimit(header, limits);
  const pixels = header.width * header.height;
  if (pixels <= limit.pixels) return;
  throw new AppError(
    "image-too-large",
    `cannot decode the image: it announces ${header.width} x ${header.height} pixels ` +
      `(${(pixels / MEGA).toFixed(1)} megapixels), ${limits.name} takes ${limit.kind}images up to ` +
      `${limit.pixels / MEGA} megapixels; scale it down first`,
    { width: header.width, height: header.height, limit: limit.pixels },
  );
}
