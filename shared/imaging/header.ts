/** @file What an image file says of itself, read without decoding a pixel. Each container has a file of its own. */
import { readJpegHeader } from "./header-jpeg.ts";
import { readPngHeader } from "./header-png.ts";
import { readWebpHeader } from "./header-webp.ts";
import { type ImageHeader, unreadable } from "./image.ts";
import { describeFormat, sniffFormat } from "./sniff.ts";

/**
 * Reads size, orientation and kind from the first bytes of a file (64 KiB are enough unless metadata in front of the
 * picture is larger). Throws `image-unreadable`, naming the format, when it is not JPEG, PNG or WebP.
 */
export function readHeader(bytes: Uint8Array): ImageHeader {
  switch (sniffFormat(bytes)) {
    case "jpeg":
      return readJpegHeader(bytes);
    case "png":
      return readPngHeader(bytes);
    case "webp":
      return readWebpHeader(bytes);
    case null:
      throw unreadable(`the file is ${describeFormat(bytes)}; JPEG, PNG and WebP are read`);
  }
}
