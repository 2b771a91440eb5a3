/** @file Bytes of a file to an upright RGB photo, or a clear error. The formats' structure lies in the header files. */
import { decode as decodeJpegScript } from "jpeg-js";
import type { AppError } from "../errors.ts";
import type { Codecs } from "./codecs.ts";
import { readHeader } from "./header.ts";
import { hasAdobeMarker, scanJpeg } from "./header-jpeg.ts";
import { firstWebpFrame, isWebpComplete } from "./header-webp.ts";
import { createRaster, type Image, type ImageHeader, type Raster, unreadable } from "./image.ts";
import { checkBytes, checkPixels, type ImageLimits } from "./limits.ts";
import { orient } from "./orient.ts";
import { decodePng } from "./png.ts";

/** More scans than any encoder writes (libjpeg's own script has 10): each costs a pass over the whole picture. */
const MAX_SCANS = 100;

/** jpeg-js counts coefficients, lines and output: about 30 bytes a pixel, and some for small pictures. */
const CMYK_BYTES_PER_PIXEL = 40;

/** Pixels as stored, before the orientation. */
interface Stored extends Raster {
  readonly notes: readonly string[];
}

/**
 * Decodes JPEG, PNG or WebP into RGB: orientation applied, alpha dropped (the colour under it kept), CMYK converted
 * without a colour profile, as Pillow's `convert("RGB")` does. Of an animation the first frame. Throws
 * `image-unreadable` for other formats and for damaged or cut-off files, `image-too-large` before decoding.
 */
export async function decodeImage(bytes: Uint8Array, codecs: Codecs, limits: ImageLimits): Promise<Image> {
  checkBytes(bytes.length, limits);
  const header = readHeader(bytes);
  checkPixels(header, limits);
  const stored = await decodeStored(bytes, header, codecs);
  if (stored.width !== header.width || stored.height !== header.height) {
    const sizes = `${header.width} x ${header.height} pixels, its data holds ${stored.width} x ${stored.height}`;
    throw unreadable(`the ${header.format.toUpperCase()} is damaged: its header announces ${sizes}`);
  }
  const upright = orient(stored, 3, header.orientation);
  const notes = [...stored.notes];
  if (header.animated) notes.push("the image is animated: its first frame is used");
  if (header.alpha) notes.push("transparency is ignored");
  return { ...upright, source: header, notes };
}

async function decodeStored(bytes: Uint8Array, header: ImageHeader, codecs: Codecs): Promise<Stored> {
  switch (header.format) {
    case "png":
      return { ...decodePng(bytes), notes: [] };
    case "webp":
      return decodeWebp(bytes, header, codecs);
    case "jpeg": {
      const inks = header.colour === "cmyk" || header.colour === "ycck";
      return inks ? decodeCmykJpeg(bytes, header) : decodeJpeg(bytes, codecs);
    }
  }
}

/** libjpeg's warnings after which part of the picture is invented. Junk in front of any marker but RST is harmless. */
const losesPicture = /premature end|corrupt jpeg data: (?!.*before marker 0x(?!d[0-7]))/i;

const cutOff = (format: string): AppError => unreadable(`the ${format} is cut off; get the complete file`);

function checkScans(bytes: Uint8Array): { readonly ended: boolean } {
  const scans = scanJpeg(bytes);
  if (scans.count === 0) throw cutOff("JPEG");
  if (scans.count > MAX_SCANS) {
    throw unreadable(`the JPEG has ${scans.count} scans, more than ${MAX_SCANS}; no ordinary encoder writes that`);
  }
  return scans;
}

/**
 * libjpeg fills a cut-off picture with grey and only warns; an explanation of grey would be a lie. A file that merely
 * lacks its end marker is complete: with the marker put there, libjpeg does not warn.
 */
async function decodeJpeg(bytes: Uint8Array, codecs: Codecs): Promise<Stored> {
  const { ended } = checkScans(bytes);
  const notes: string[] = [];
  let file = bytes;
  if (!ended) {
    file = new Uint8Array(bytes.length + 2);
    file.set(bytes);
    file.set([0xff, 0xd9], bytes.length);
    notes.push("the JPEG lacks its end marker");
  }
  const pixels = await codecs.decodeJpeg(file).catch((cause: unknown) => {
    throw unreadable("the JPEG is damaged", { cause: String(cause) });
  });
  const loss = pixels.warnings.find((line) => losesPicture.test(line));
  // libjpeg prints its first warning only: a harmless one may hide that the data ends too soon.
  if ((loss !== undefined && /premature/i.test(loss)) || (!ended && pixels.warnings.length > 0)) throw cutOff("JPEG");
  if (loss !== undefined) throw unreadable(`the JPEG is damaged: libjpeg says "${loss.trim()}"; get an intact copy`);
  for (const line of pixels.warnings) notes.push(`libjpeg: ${line.trim()}`);
  return { ...orient(pixels, 4, 1), notes };
}

/**
 * Four inks: jSquash refuses them, jpeg-js reads them as Adobe writes them (inverted). Without Adobe's marker a file
 * does not say whether its inks are inverted, and both kinds exist.
 */
function decodeCmykJpeg(bytes: Uint8Array, header: ImageHeader): Stored {
  const { ended } = checkScans(bytes);
  if (!ended) throw cutOff("JPEG");
  if (!hasAdobeMarker(bytes)) {
    throw unreadable("the JPEG has four colour components and does not say which; save it as RGB");
  }
  const pixels = header.width * header.height;
  try {
    const decoded = decodeJpegScript(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxResolutionInMP: pixels / 1e6 + 1,
      maxMemoryUsageInMB: (pixels * CMYK_BYTES_PER_PIXEL) / 2 ** 20 + 16,
    });
    const notes = ["CMYK converted to RGB without a colour profile"];
    return { width: decoded.width, height: decoded.height, data: decoded.data, notes };
  } catch (cause) {
    throw unreadable("the CMYK JPEG is damaged", { cause: String(cause) });
  }
}

async function decodeWebp(bytes: Uint8Array, header: ImageHeader, codecs: Codecs): Promise<Stored> {
  if (!isWebpComplete(bytes)) throw cutOff("WebP");
  if (!header.animated) return decodeStillWebp(bytes, codecs);
  const frame = firstWebpFrame(bytes);
  if (frame.left + frame.width > header.width || frame.top + frame.height > header.height) {
    throw unreadable("the animated WebP is damaged: its first frame lies outside its canvas");
  }
  const picture = await decodeStillWebp(frame.file, codecs);
  if (frame.width === header.width && frame.height === header.height) return picture;
  return { ...placeOnCanvas(picture, frame.left, frame.top, header), notes: [] };
}

async function decodeStillWebp(bytes: Uint8Array, codecs: Codecs): Promise<Stored> {
  const inner = readHeader(bytes);
  const pixels = await codecs.decodeWebp(bytes).catch((cause: unknown) => {
    throw unreadable("the WebP is damaged", { cause: String(cause) });
  });
  if (pixels.width !== inner.width || pixels.height !== inner.height) throw unreadable("the WebP is damaged");
  return { ...orient(pixels, 4, 1), notes: [] };
}

/** A first frame smaller than its canvas: what it leaves free is transparent, which without alpha is black. */
function placeOnCanvas(picture: Raster, left: number, top: number, canvas: ImageHeader): Raster {
  const out = createRaster(canvas.width, canvas.height);
  for (let y = 0; y < picture.height; y++) {
    const row = picture.data.subarray(y * picture.width * 3, (y + 1) * picture.width * 3);
    out.data.set(row, ((top + y) * canvas.width + left) * 3);
  }
  return out;
}
