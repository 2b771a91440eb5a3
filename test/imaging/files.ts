/** @file Image files put together byte by byte, for the tests: just enough structure, or deliberately wrong. */
import { crc32, deflateSync } from "node:zlib";

export const ascii = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));

const big = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);

/** An EXIF block with one entry, the orientation. */
export function exifBlock(orientation: number, order: "little" | "big"): Uint8Array {
  const little = order === "little";
  const view = new DataView(new ArrayBuffer(26));
  view.setUint16(0, little ? 0x4949 : 0x4d4d);
  view.setUint16(2, 42, little);
  view.setUint32(4, 8, little);
  view.setUint16(8, 1, little);
  view.setUint16(10, 0x0112, little);
  view.setUint16(12, 3, little);
  view.setUint32(14, 1, little);
  view.setUint16(18, orientation, little);
  return new Uint8Array([...ascii("Exif"), 0, 0, ...new Uint8Array(view.buffer)]);
}

const segment = (marker: number, body: readonly number[]): number[] => [
  0xff,
  marker,
  ...big(body.length + 2, 2),
  ...body,
];

export interface JpegSpec {
  readonly frame: number;
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly bitDepth?: number;
  readonly orientation?: number;
  readonly adobe?: number;
  readonly scans?: number;
}

/** The markers of a JPEG, with nonsense for picture data. */
export function jpegWith(spec: JpegSpec): Uint8Array {
  const bytes = [0xff, 0xd8];
  if (spec.orientation !== undefined) bytes.push(...segment(0xe1, [...exifBlock(spec.orientation, "big")]));
  if (spec.adobe !== undefined) bytes.push(...segment(0xee, [...ascii("Adobe"), 0, 100, 0, 0, 0, 0, spec.adobe]));
  const components = Array.from({ length: spec.components }, (_, i) => [i + 1, 0x11, 0]).flat();
  const size = [spec.bitDepth ?? 8, ...big(spec.height, 2), ...big(spec.width, 2), spec.components];
  bytes.push(...segment(spec.frame, [...size, ...components]));
  for (let i = 0; i < (spec.scans ?? 1); i++) {
    bytes.push(...segment(0xda, [1, 1, 0, 0, 63, 0]), 0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56);
  }
  return new Uint8Array([...bytes, 0xff, 0xd9]);
}

/** Puts an EXIF block with this orientation behind the start of a real JPEG. */
export function withOrientation(jpeg: Uint8Array, orientation: number): Uint8Array {
  const exif = segment(0xe1, [...exifBlock(orientation, "little")]);
  return new Uint8Array([...jpeg.subarray(0, 2), ...exif, ...jpeg.subarray(2)]);
}

export function pngChunk(type: string, data: Uint8Array): Uint8Array {
  const body = new Uint8Array([...ascii(type), ...data]);
  return new Uint8Array([...big(data.length, 4), ...body, ...big(crc32(body), 4)]);
}

export interface PngSpec {
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  readonly colourType: number;
  readonly interlaced?: boolean;
}

/** A PNG of a header and these chunks. */
export function pngFile(spec: PngSpec, chunks: readonly Uint8Array[]): Uint8Array {
  const { width, height, bitDepth, colourType } = spec;
  const form = [...big(width, 4), ...big(height, 4), bitDepth, colourType, 0, 0, spec.interlaced ? 1 : 0];
  const all = [pngChunk("IHDR", new Uint8Array(form)), ...chunks, pngChunk("IEND", new Uint8Array(0))];
  return new Uint8Array([0x89, ...ascii("PNG\r\n\u001a\n"), ...all.flatMap((chunk) => [...chunk])]);
}

/** Rows of filter byte and samples, compressed. */
export const pngData = (rows: readonly (readonly number[])[]): Uint8Array =>
  pngChunk("IDAT", new Uint8Array(deflateSync(new Uint8Array(rows.flat()))));
