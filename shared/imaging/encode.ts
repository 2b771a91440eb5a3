/** @file Pictures as files: PNG, JPEG, WebP. The same picture always gives the same bytes. */
import type { Codecs, RgbaPixels } from "./codecs.ts";
import type { Raster } from "./image.ts";
import type { ImageFormat } from "./sniff.ts";

/** Of 100. Below it JPEG's blocks show in smooth colour gradients, which is what heat maps are. */
const DEFAULT_QUALITY = 90;

function withAlpha({ width, height, data }: Raster): RgbaPixels {
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba[to] = data[from]!;
    rgba[to + 1] = data[from + 1]!;
    rgba[to + 2] = data[from + 2]!;
  }
  return { width, height, data: rgba };
}

/** Encodes a picture. PNG is lossless; `quality` (1 to 100, 90 by default) is for the two others. */
export function encodeImage(
  picture: Raster,
  format: ImageFormat,
  codecs: Codecs,
  quality: number = DEFAULT_QUALITY,
): Promise<Uint8Array> {
  const pixels = withAlpha(picture);
  switch (format) {
    case "png":
      return codecs.encodePng(pixels);
    case "jpeg":
      return codecs.encodeJpeg(pixels, quality);
    case "webp":
      return codecs.encodeWebp(pixels, quality);
  }
}
