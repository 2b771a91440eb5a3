/** @file What a picture is here: decoded pixels, and what the file's header said of them. Data only. */
import { AppError } from "../errors.ts";
import type { Orientation } from "./exif.ts";
import type { ImageFormat } from "./sniff.ts";

/** What a file says of itself. Width and height are as stored, before the orientation is applied. */
export interface ImageHeader {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
  readonly orientation: Orientation;
  /** Samples a pixel in the file: 1 grey or palette, 2 grey + alpha, 3, 4 (four inks, or RGB + alpha). */
  readonly components: number;
  readonly bitDepth: number;
  /** Progressive JPEG or interlaced PNG. */
  readonly progressive: boolean;
  readonly animated: boolean;
  /** Transparency in any form: an alpha channel, or a transparent colour. */
  readonly alpha: boolean;
  /** `cmyk` and `ycck` are JPEGs of four inks. */
  readonly colour: "gray" | "rgb" | "palette" | "cmyk" | "ycck";
}

/** Pixels: rows from the top, three bytes R, G, B a pixel, nothing between. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A decoded photo, upright (its EXIF orientation is applied). */
export interface Image extends Raster {
  readonly source: ImageHeader;
  /** What a person should know of the decoding: "first of several frames", "transparency ignored". */
  readonly notes: readonly string[];
}

/** An all-black raster. */
export function createRaster(width: number, height: number): Raster {
  return { width, height, data: new Uint8Array(width * height * 3) };
}

/** The error every reader of images throws for bytes it cannot make sense of. */
export function unreadable(what: string, context: Readonly<Record<string, unknown>> = {}): AppError {
  return new AppError("image-unreadable", `cannot read the image: ${what}`, context);
}
