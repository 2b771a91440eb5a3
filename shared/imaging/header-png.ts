/** @file The chunk structure of a PNG file (PNG third edition, sections 5 and 11): header and chunk list, no pixels. */
import { type Orientation, readOrientation } from "./exif.ts";
import { type ImageHeader, unreadable } from "./image.ts";

/** Bytes of the signature in front of the first chunk. */
const SIGNATURE_BYTES = 8;
/** Length, type and checksum around a chunk's data. */
const CHUNK_OVERHEAD = 12;

export interface PngChunk {
  readonly type: string;
  /** Shorter than announced where the file is cut off. */
  readonly data: Uint8Array;
  /** The file offset of the four type bytes, where the checksummed range begins. */
  readonly typeOffset: number;
  readonly complete: boolean;
}

/** The chunks of a file in order, up to IEND or the end of the bytes. */
export function* pngChunks(bytes: Uint8Array): Generator<PngChunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = SIGNATURE_BYTES;
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    yield { type, data: bytes.subarray(at + 8, end), typeOffset: at + 4, complete: end + 4 <= bytes.length };
    if (type === "IEND") return;
    at += length + CHUNK_OVERHEAD;
  }
}

/** The header chunk of a PNG. */
export interface PngForm {
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  readonly colourType: 0 | 2 | 3 | 4 | 6;
  readonly interlaced: boolean;
}

const colourTypes: ReadonlyMap<
  number,
  { readonly type: PngForm["colourType"]; readonly samples: number; readonly depths: readonly number[] }
> = new Map([
  [0, { type: 0, samples: 1, depths: [1, 2, 4, 8, 16] }],
  [2, { type: 2, samples: 3, depths: [8, 16] }],
  [3, { type: 3, samples: 1, depths: [1, 2, 4, 8] }],
  [4, { type: 4, samples: 2, depths: [8, 16] }],
  [6, { type: 6, samples: 4, depths: [8, 16] }],
]);

/** Samples a pixel of each colour type. */
export const samplesOf = (type: PngForm["colourType"]): number => colourTypes.get(type)?.samples ?? 1;

/** Parses and validates IHDR (section 11.2.1). */
export function readPngForm(bytes: Uint8Array): PngForm {
  const first = pngChunks(bytes).next().value;
  if (first?.type !== "IHDR" || first.data.length !== 13) {
    throw unreadable("the PNG does not begin with a complete header chunk: it is damaged or cut off");
  }
  const view = new DataView(first.data.buffer, first.data.byteOffset, 13);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const bitDepth = view.getUint8(8);
  const colour = colourTypes.get(view.getUint8(9));
  const limit = 0x7fffffff;
  if (width === 0 || height === 0 || width > limit || height > limit) {
    throw unreadable(`the PNG announces ${width} x ${height} pixels`);
  }
  if (colour === undefined) throw unreadable(`the PNG has colour type ${view.getUint8(9)}; 0, 2, 3, 4 and 6 exist`);
  if (!colour.depths.includes(bitDepth)) {
    throw unreadable(`the PNG has ${bitDepth} bits a sample; its colour type allows ${colour.depths.join(", ")}`);
  }
  if (view.getUint8(10) !== 0 || view.getUint8(11) !== 0 || view.getUint8(12) > 1) {
    throw unreadable("the PNG uses an unknown compression, filter or interlace method");
  }
  return { width, height, bitDepth, colourType: colour.type, interlaced: view.getUint8(12) === 1 };
}

/** Reads IHDR and looks for orientation, transparency and animation in the other chunks. */
export function readPngHeader(bytes: Uint8Array): ImageHeader {
  const form = readPngForm(bytes);
  let orientation: Orientation = 1;
  let animated = false;
  let alpha = form.colourType === 4 || form.colourType === 6;
  for (const { type, data } of pngChunks(bytes)) {
    if (type === "eXIf") orientation = readOrientation(data);
    if (type === "acTL") animated = true;
    if (type === "tRNS") alpha = true;
  }
  const colours = { 0: "gray", 2: "rgb", 3: "palette", 4: "gray", 6: "rgb" } as const;
  return {
    format: "png",
    width: form.width,
    height: form.height,
    orientation,
    components: samplesOf(form.colourType),
    bitDepth: form.bitDepth,
    progressive: form.interlaced,
    animated,
    alpha,
    colour: colours[form.colourType],
  };
}
