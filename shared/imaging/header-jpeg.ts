/** @file The marker structure of a JPEG file (ITU T.81, annex B): header, end marker, number of scans. */
import { type Orientation, readOrientation } from "./exif.ts";
import { type ImageHeader, unreadable } from "./image.ts";

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP1 = 0xe1;
const APP14 = 0xee;

/** Why a start-of-frame marker cannot be decoded; those absent can: baseline, extended, progressive. */
const undecodableFrames: ReadonlyMap<number, string> = new Map([
  [0xc3, "lossless JPEG"],
  [0xc5, "hierarchical JPEG"],
  [0xc6, "hierarchical JPEG"],
  [0xc7, "hierarchical JPEG"],
  [0xc9, "arithmetic-coded JPEG"],
  [0xca, "arithmetic-coded JPEG"],
  [0xcb, "arithmetic-coded JPEG"],
  [0xcd, "arithmetic-coded JPEG"],
  [0xce, "arithmetic-coded JPEG"],
  [0xcf, "arithmetic-coded JPEG"],
]);

const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
const standsAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= SOI);

interface Segment {
  readonly marker: number;
  /** The first byte behind the marker and its length field. */
  readonly start: number;
  readonly end: number;
}

/**
 * The segments from `from` on, up to and including the first SOS or EOI. Bytes that are no marker are skipped, as
 * libjpeg does: cameras and editors do write such files.
 */
function* segments(bytes: Uint8Array, from: number): Generator<Segment> {
  let at = from;
  for (;;) {
    at = bytes.indexOf(0xff, at);
    if (at < 0) return;
    const marker = bytes[at + 1];
    if (marker === undefined) return;
    if (marker === 0x00 || marker === 0xff || standsAlone(marker)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    const high = bytes[at + 2];
    const low = bytes[at + 3];
    if (marker === EOI || high === undefined || low === undefined) {
      yield { marker, start: at + 2, end: at + 2 };
      return;
    }
    const end = at + 2 + Math.max(2, high * 256 + low);
    yield { marker, start: at + 4, end };
    if (marker === SOS) return;
    at = end;
  }
}

function colourOf(components: number, adobeTransform: number | null): ImageHeader["colour"] {
  if (components === 1) return "gray";
  if (components === 4) return adobeTransform === 2 ? "ycck" : "cmyk";
  return "rgb";
}

const isExif = (body: Uint8Array): boolean => String.fromCharCode(...body.subarray(0, 6)) === "Exif\0\0";
const isAdobe = (body: Uint8Array): boolean =>
  body.length >= 12 && String.fromCharCode(...body.subarray(0, 5)) === "Adobe";

/** Reads the markers in front of the first scan; metadata may stand on either side of the frame header. */
export function readJpegHeader(bytes: Uint8Array): ImageHeader {
  let orientation: Orientation = 1;
  let adobeTransform: number | null = null;
  let frame: Frame | null = null;
  for (const { marker, start, end } of segments(bytes, 2)) {
    const body = bytes.subarray(start, end);
    // APP1 also carries XMP; and only the first EXIF block that says something counts.
    if (marker === APP1 && orientation === 1 && isExif(body)) orientation = readOrientation(body);
    if (marker === APP14 && isAdobe(body)) adobeTransform = body[11] ?? 0;
    if (isFrame(marker)) frame ??= readFrame(marker, body);
  }
  if (frame === null) throw unreadable("the JPEG holds no frame header: it is damaged or cut off at the front");
  const colour = colourOf(frame.components, adobeTransform);
  return { ...frame, format: "jpeg", orientation, animated: false, alpha: false, colour };
}

type Frame = Pick<ImageHeader, "width" | "height" | "bitDepth" | "components" | "progressive">;

function readFrame(marker: number, body: Uint8Array): Frame {
  const reason = undecodableFrames.get(marker);
  if (reason !== undefined) throw unreadable(`${reason} is not supported; save it as baseline or progressive JPEG`);
  if (body.length < 6) throw unreadable("the JPEG is cut off inside its frame header");
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const bitDepth = view.getUint8(0);
  const height = view.getUint16(1);
  const width = view.getUint16(3);
  const components = view.getUint8(5);
  if (width === 0 || height === 0) throw unreadable(`the JPEG announces ${width} x ${height} pixels`);
  if (bitDepth !== 8) throw unreadable(`the JPEG has ${bitDepth} bits a sample; 8 are read`);
  if (components !== 1 && components !== 3 && components !== 4) {
    throw unreadable(`the JPEG has ${components} colour components; 1 (grey), 3 and 4 (CMYK) are read`);
  }
  return { width, height, bitDepth, components, progressive: marker === 0xc2 };
}

/** Whether a JPEG says how its four inks are stored (Adobe's APP14 marker). */
export function hasAdobeMarker(bytes: Uint8Array): boolean {
  for (const { marker, start, end } of segments(bytes, 2)) {
    if (marker === APP14 && isAdobe(bytes.subarray(start, end))) return true;
  }
  return false;
}

/** How the coded data of a JPEG ends. */
export interface JpegScans {
  readonly count: number;
  /** Whether the end-of-image marker stands behind the last scan. */
  readonly ended: boolean;
}

/** Walks over all scans of a JPEG. Linear in the file size. */
export function scanJpeg(bytes: Uint8Array): JpegScans {
  let count = 0;
  let at = 2;
  for (;;) {
    let scan: Segment | null = null;
    for (const segment of segments(bytes, at)) {
      if (segment.marker === EOI) return { count, ended: true };
      if (segment.marker === SOS) scan = segment;
    }
    if (scan === null) return { count, ended: false };
    count++;
    at = scan.end;
  }
}
