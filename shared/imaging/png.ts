/**
 * @file PNG pixels (PNG third edition, sections 7 to 10) as 8-bit RGB. Ours rather than jSquash's, whose decoder says
 * only "unwrap failed", never frees what a damaged file made it allocate, and cannot be instantiated anew.
 */
import { Unzlib } from "fflate";
import { type PngForm, pngChunks, readPngForm, samplesOf } from "./header-png.ts";
import { type Raster, unreadable } from "./image.ts";

/** Compressed bytes given to the inflater at a time: one step may grow a thousandfold, so small steps bound memory. */
const INFLATE_STEP = 16384;

/** First column, first row, column step, row step of the seven interlace passes (section 8.1). */
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

interface Pass {
  readonly left: number;
  readonly top: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly columns: number;
  readonly rows: number;
}

function passesOf(form: PngForm): readonly Pass[] {
  const steps = form.interlaced ? adam7 : ([[0, 0, 1, 1]] as const);
  return steps
    .map(([left, top, stepX, stepY]) => ({
      left,
      top,
      stepX,
      stepY,
      columns: Math.ceil((form.width - left) / stepX),
      rows: Math.ceil((form.height - top) / stepY),
    }))
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
}

const rowBytes = (form: PngForm, columns: number): number =>
  Math.ceil((columns * samplesOf(form.colourType) * form.bitDepth) / 8);

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Critical chunks carry the picture: theirs is the checksum that matters. */
const isCritical = (type: string): boolean => /^[A-Z]/.test(type);

interface Contents {
  readonly palette: Uint8Array;
  readonly data: readonly Uint8Array[];
}

function readContents(bytes: Uint8Array): Contents {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let palette = new Uint8Array(0);
  const data: Uint8Array[] = [];
  for (const chunk of pngChunks(bytes)) {
    if (chunk.complete && isCritical(chunk.type)) {
      const end = chunk.typeOffset + 4 + chunk.data.length;
      if (crc32(bytes.subarray(chunk.typeOffset, end)) !== view.getUint32(end)) {
        throw unreadable(`the PNG is damaged: the checksum of its "${chunk.type}" chunk does not match`);
      }
    }
    if (chunk.type === "PLTE") palette = new Uint8Array(chunk.data);
    if (chunk.type === "IDAT") data.push(chunk.data);
  }
  return { palette, data };
}

/** Inflates exactly `length` bytes and no more, whatever the stream would still hold. */
function inflate(data: readonly Uint8Array[], length: number): Uint8Array {
  const result = new Uint8Array(length);
  let filled = 0;
  const inflater = new Unzlib((piece) => {
    const fitting = piece.subarray(0, length - filled);
    result.set(fitting, filled);
    filled += fitting.length;
  });
  try {
    for (const chunk of data) {
      for (let at = 0; at < chunk.length && filled < length; at += INFLATE_STEP) {
        inflater.push(chunk.subarray(at, at + INFLATE_STEP));
      }
    }
  } catch (cause) {
    throw unreadable("the PNG is damaged: its compressed data is invalid", { cause: String(cause) });
  }
  if (filled < length) {
    const part = Math.floor((100 * filled) / length);
    throw unreadable(`the PNG is cut off: ${part} % of its pixel data is there; get the complete file`);
  }
  return result;
}

/** The Paeth predictor (section 9.4): whichever of left, up and upper left is nearest to left + up - upper left. */
function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

/** Undoes one row's filter in place (section 9.2). `above` is the row before, already undone, or zeros. */
function unfilter(kind: number, row: Uint8Array, above: Uint8Array, stride: number): void {
  const length = row.length;
  switch (kind) {
    case 0:
      return;
    case 1:
      for (let i = stride; i < length; i++) row[i] = row[i]! + row[i - stride]!;
      return;
    case 2:
      for (let i = 0; i < length; i++) row[i] = row[i]! + above[i]!;
      return;
    case 3:
      for (let i = 0; i < length; i++) row[i] = row[i]! + (((i < stride ? 0 : row[i - stride]!) + above[i]!) >> 1);
      return;
    case 4:
      for (let i = 0; i < length; i++) {
        const left = i < stride ? 0 : row[i - stride]!;
        row[i] = row[i]! + paeth(left, above[i]!, i < stride ? 0 : above[i - stride]!);
      }
      return;
    default:
      throw unreadable(`the PNG is damaged: a row has the unknown filter ${kind}`);
  }
}

/** Samples of a row as 8 bits: of 16 bits the high byte, fewer bits as they stand (unscaled). */
function samples8(row: Uint8Array, count: number, bitDepth: number): Uint8Array {
  if (bitDepth === 8) return row;
  const samples = new Uint8Array(count);
  if (bitDepth === 16) {
    for (let i = 0; i < count; i++) samples[i] = row[2 * i]!;
    return samples;
  }
  const perByte = 8 / bitDepth;
  const mask = (1 << bitDepth) - 1;
  for (let i = 0; i < count; i++) {
    const shift = 8 - bitDepth * ((i % perByte) + 1);
    samples[i] = (row[Math.floor(i / perByte)]! >> shift) & mask;
  }
  return samples;
}

/** Puts one row of samples into the picture. Alpha and transparent colours are dropped. */
function writeRow(form: PngForm, palette: Uint8Array, samples: Uint8Array, pass: Pass, y: number, out: Raster): void {
  const perPixel = samplesOf(form.colourType);
  const gray = form.colourType === 0 || form.colourType === 4;
  const scale = gray && form.bitDepth < 8 ? 255 / ((1 << form.bitDepth) - 1) : 1;
  const data = out.data;
  let to = ((pass.top + y * pass.stepY) * out.width + pass.left) * 3;
  for (let x = 0; x < pass.columns; x++, to += 3 * pass.stepX) {
    const from = x * perPixel;
    if (form.colourType === 3) {
      // An index behind the palette's end is black, as libpng has it.
      const entry = samples[from]! * 3;
      data[to] = palette[entry] ?? 0;
      data[to + 1] = palette[entry + 1] ?? 0;
      data[to + 2] = palette[entry + 2] ?? 0;
    } else if (gray) {
      data.fill(samples[from]! * scale, to, to + 3);
    } else {
      data[to] = samples[from]!;
      data[to + 1] = samples[from + 1]!;
      data[to + 2] = samples[from + 2]!;
    }
  }
}

/**
 * Decodes a PNG (of an animated one, the still picture) into RGB as Pillow's `convert("RGB")` does: alpha dropped,
 * palette looked up, 16 bits cut to their high byte. Memory is bounded by the header, whatever the data inflates to.
 * Throws `image-unreadable` for damaged or cut-off data.
 */
export function decodePng(bytes: Uint8Array): Raster {
  return decode(bytes, false);
}

/** A byte a pixel, rows from the top. */
export interface NumberPicture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * The numbers of a picture that stores numbers rather than colours (class-index masks): palette indices, or grey
 * samples as they stand, a byte a pixel; of other pictures the red channel. Throws `image-unreadable`.
 */
export function decodePngNumbers(bytes: Uint8Array): NumberPicture {
  const { width, height, data } = decode(bytes, true);
  return { width, height, data: data.filter((_, i) => i % 3 === 0) };
}

/** Its own number as every colour of a palette. */
const numberPalette = Uint8Array.from({ length: 3 * 256 }, (_, i) => Math.floor(i / 3));

function decode(bytes: Uint8Array, numbers: boolean): Raster {
  const form = readPngForm(bytes);
  const { palette, data } = readContents(bytes);
  if (data.length === 0) throw unreadable("the PNG holds no pixel data");
  if (form.colourType === 3 && palette.length < 3) throw unreadable("the PNG refers to a palette it does not hold");
  const passes = passesOf(form);
  const total = passes.reduce((sum, { columns, rows }) => sum + rows * (rowBytes(form, columns) + 1), 0);
  const raw = inflate(data, total);
  const stride = Math.max(1, (samplesOf(form.colourType) * form.bitDepth) >> 3);
  const out: Raster = {
    width: form.width,
    height: form.height,
    data: new Uint8Array(form.width * form.height * 3),
  };
  let at = 0;
  for (const pass of passes) {
    const length = rowBytes(form, pass.columns);
    let above: Uint8Array = new Uint8Array(length);
    for (let y = 0; y < pass.rows; y++) {
      const row = raw.subarray(at + 1, at + 1 + length);
      unfilter(raw[at]!, row, above, stride);
      const samples = samples8(row, pass.columns * samplesOf(form.colourType), form.bitDepth);
      // As 8 bits deep, samples of fewer bits are not stretched to the range of colours.
      writeRow(numbers ? { ...form, bitDepth: 8 } : form, numbers ? numberPalette : palette, samples, pass, y, out);
      above = row;
      at += length + 1;
    }
  }
  return out;
}
