/** @file The RIFF structure of a WebP file (RFC 9649): its header, and an animation's first frame as a file. */
import { type Orientation, readOrientation } from "./exif.ts";
import { type ImageHeader, unreadable } from "./image.ts";

const FLAG_ANIMATION = 0x02;
const FLAG_ALPHA = 0x10;

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
  /** Header, data and padding as they stand in the file. */
  readonly whole: Uint8Array;
  readonly complete: boolean;
}

function* chunks(bytes: Uint8Array, from: number): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = from;
  while (at + 8 <= bytes.length) {
    const type = String.fromCharCode(...bytes.subarray(at, at + 4));
    const length = view.getUint32(at + 4, true);
    const end = at + 8 + length;
    const padded = end + (length & 1);
    yield {
      type,
      data: bytes.subarray(at + 8, end),
      whole: bytes.subarray(at, padded),
      complete: end <= bytes.length,
    };
    at = padded;
  }
}

const uint24 = (data: Uint8Array, at: number): number =>
  (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16);

interface Size {
  readonly width: number;
  readonly height: number;
  readonly alpha: boolean;
}

/** The frame header of a lossy stream (RFC 6386, section 9.1). */
function sizeOfLossy(data: Uint8Array): Size {
  if (data.length < 10 || data[3] !== 0x9d || data[4] !== 0x01 || data[5] !== 0x2a) {
    throw unreadable("the WebP's picture data does not begin with a key frame: it is damaged");
  }
  return { width: uint24(data, 6) & 0x3fff, height: uint24(data, 8) & 0x3fff, alpha: false };
}

/** The header of a lossless stream (RFC 9649, section 3.4): 14 bits width - 1, 14 bits height - 1, 1 bit alpha. */
function sizeOfLossless(data: Uint8Array): Size {
  if (data.length < 5 || data[0] !== 0x2f) throw unreadable("the WebP's lossless picture data is damaged");
  const bits = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(1, true);
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, alpha: ((bits >>> 28) & 1) === 1 };
}

/** Reads the canvas size from VP8X, or the picture's size from the first VP8 or VP8L chunk. */
export function readWebpHeader(bytes: Uint8Array): ImageHeader {
  let size: Size | null = null;
  let animated = false;
  let orientation: Orientation = 1;
  for (const { type, data } of chunks(bytes, 12)) {
    if (type === "VP8X" && data.length >= 10) {
      const flags = data[0] ?? 0;
      animated = (flags & FLAG_ANIMATION) !== 0;
      size = { width: uint24(data, 4) + 1, height: uint24(data, 7) + 1, alpha: (flags & FLAG_ALPHA) !== 0 };
    }
    if (type === "VP8 ") size ??= sizeOfLossy(data);
    if (type === "VP8L") size ??= sizeOfLossless(data);
    if (type === "EXIF") orientation = readOrientation(data);
  }
  if (size === null) throw unreadable("the WebP holds no picture: it is damaged or cut off");
  if (size.width === 0 || size.height === 0) {
    throw unreadable(`the WebP announces ${size.width} x ${size.height} pixels`);
  }
  return {
    format: "webp",
    width: size.width,
    height: size.height,
    orientation,
    components: size.alpha ? 4 : 3,
    bitDepth: 8,
    progressive: false,
    animated,
    alpha: size.alpha,
    colour: "rgb",
  };
}

/** Whether every chunk the RIFF header announces is there in full. */
export function isWebpComplete(bytes: Uint8Array): boolean {
  const announced = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true) + 8;
  if (announced > bytes.length + 1) return false;
  for (const chunk of chunks(bytes, 12)) if (!chunk.complete && chunk.type.startsWith("VP8")) return false;
  return true;
}

/** One frame of an animation: a still WebP file, and where it lies on the canvas. */
export interface WebpFrame {
  readonly file: Uint8Array;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Takes the first frame (the first ANMF chunk) out of an animated file. */
export function firstWebpFrame(bytes: Uint8Array): WebpFrame {
  for (const { type, data, complete } of chunks(bytes, 12)) {
    if (type !== "ANMF" || !complete || data.length < 16) continue;
    const width = uint24(data, 6) + 1;
    const height = uint24(data, 9) + 1;
    const picture: Uint8Array[] = [];
    for (const chunk of chunks(data, 16)) {
      if (chunk.type === "ALPH" || chunk.type === "VP8 " || chunk.type === "VP8L") picture.push(chunk.whole);
    }
    const file = stillFile(width, height, picture);
    // RFC 9649, section 2.7.1.1: offsets are stored halved.
    return { file, left: uint24(data, 0) * 2, top: uint24(data, 3) * 2, width, height };
  }
  throw unreadable("the animated WebP holds no complete frame");
}

function stillFile(width: number, height: number, picture: readonly Uint8Array[]): Uint8Array {
  const extended = new Uint8Array(18);
  extended.set([0x56, 0x50, 0x38, 0x58, 10, 0, 0, 0, FLAG_ALPHA]);
  for (let i = 0; i < 3; i++) {
    extended[12 + i] = (width - 1) >>> (8 * i);
    extended[15 + i] = (height - 1) >>> (8 * i);
  }
  const parts = [extended, ...picture];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const file = new Uint8Array(12 + length);
  file.set([0x52, 0x49, 0x46, 0x46, 0, 0, 0, 0, 0x57, 0x45, 0x42, 0x50]);
  new DataView(file.buffer).setUint32(4, 4 + length, true);
  let at = 12;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
