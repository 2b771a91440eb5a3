/**
 * @file The protobuf wire format: varints, lengths, tags. Knows no message. Everything read is checked against the
 * bytes that are there, so a hostile length costs nothing.
 */
import { AppError } from "../errors.ts";

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** A 64-bit varint takes at most this many bytes. */
const varintBytesMax = 10;

/**
 * How many repeated elements and submessages one file may have. Each costs some hundred bytes of memory for as few as
 * two in the file; the largest vision models have about a hundred thousand.
 */
const elementsMax = 2_000_000;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A position in bytes, and the path of fields that led there. Every failure names both. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly path: (string | number)[];
  at = 0;
  readonly #view: DataView;
  readonly #origin: number;
  #elements = 0;

  /** `origin` is the position of `bytes` in the file, for messages. */
  constructor(bytes: Uint8Array, path: readonly (string | number)[] = [], origin = 0) {
    this.bytes = bytes;
    this.path = [...path];
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#origin = origin;
  }

  /** An unsigned number below 2^53: tags, lengths. Does not go beyond `end`. */
  number(end: number): number {
    let value = 0;
    let scale = 1;
    const start = this.at;
    for (;;) {
      const byte = this.#byte(start, end);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    if (!Number.isSafeInteger(value)) this.fail(`the number ${value} is beyond any length or field number`, start);
    return value;
  }

  /** A signed 64-bit integer. */
  int64(end: number): bigint {
    const start = this.at;
    let low = 0;
    let high = 0;
    for (let i = 0; ; i++) {
      const byte = this.#byte(start, end);
      const bits = byte & 0x7f;
      if (i < 4) low += bits * 2 ** (7 * i);
      else if (i === 4) {
        low += (bits & 0x0f) * 2 ** 28;
        high = bits >> 4;
      } else high += bits * 2 ** (7 * i - 32);
      if (byte < 0x80) break;
    }
    if (high >= 2 ** 32) this.fail("the varint has more than 64 bits", start);
    return high === 0 ? BigInt(low) : BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
  }

  float32(end: number): number {
    return this.#view.getFloat32(this.#skip(4, end), true);
  }

  /** The end of a length-delimited field whose length stands here. */
  length(end: number): number {
    const start = this.at;
    const length = this.number(end);
    if (length > end - this.at) {
      this.fail(`the length ${length} is beyond the ${end - this.at} bytes that are left`, start);
    }
    return this.at + length;
  }

  /** A view, never a copy. */
  view(end: number): Uint8Array {
    const view = new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + this.at, end - this.at);
    this.at = end;
    return view;
  }

  string(end: number): string {
    const start = this.at;
    const text = decodeUtf8(this.view(end));
    return text ?? this.fail("the text is not UTF-8", start);
  }

  /** Passes over the payload of a field this program does not know. */
  skip(wireType: number, end: number): void {
    switch (wireType) {
      case wireTypes.varint:
        this.int64(end);
        return;
      case wireTypes.fixed64:
        this.#skip(8, end);
        return;
      case wireTypes.fixed32:
        this.#skip(4, end);
        return;
      case wireTypes.bytes:
        this.at = this.length(end);
        return;
      default:
        this.fail(`wire type ${wireType} does not exist in ONNX`, this.at);
    }
  }

  /** Counts one more repeated element, so that memory stays in proportion. */
  count(): void {
    this.#elements += 1;
    if (this.#elements > elementsMax) this.fail(`the file has more than ${elementsMax} repeated elements`, this.at);
  }

  fail(why: string, at: number): never {
    const field = formatPath(this.path);
    const offset = this.#origin + at;
    const where = field === "" ? `at byte ${offset}` : `field "${field}" at byte ${offset}`;
    throw new AppError("model-malformed", `cannot read the ONNX model: ${where}: ${why}`, { field, offset });
  }

  #byte(start: number, end: number): number {
    if (this.at >= end) this.fail("the bytes end in the middle of a number", start);
    if (this.at - start >= varintBytesMax) this.fail(`the varint is longer than ${varintBytesMax} bytes`, start);
    return this.#view.getUint8(this.at++);
  }

  #skip(count: number, end: number): number {
    const start = this.at;
    if (count > end - start) this.fail(`the bytes end in the middle of a ${count}-byte number`, start);
    this.at += count;
    return start;
  }
}

/** `["graph", "node", 3]` as `graph.node[3]`. */
const formatPath = (path: readonly (string | number)[]): string =>
  path.reduce<string>((text, p) => (typeof p === "number" ? `${text}[${p}]` : text === "" ? p : `${text}.${p}`), "");

/** The text, or undefined where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Writes into memory of exactly the size that was measured before. */
export class Writer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  at = 0;
  readonly #view: DataView;
  readonly #utf8 = new TextEncoder();

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  number(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at++] = rest;
  }

  int64(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    while (rest > BigInt(Number.MAX_SAFE_INTEGER)) {
      this.bytes[this.at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.number(Number(rest));
  }

  float32(value: number): void {
    this.#view.setFloat32(this.at, value, true);
    this.at += 4;
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  string(text: string): void {
    this.at += this.#utf8.encodeInto(text, this.bytes.subarray(this.at)).written;
  }
}

export function numberSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

export function int64Size(value: bigint): number {
  if (value < 0n) return varintBytesMax;
  let size = 1;
  for (let rest = value; rest >= 0x80n; rest >>= 7n) size += 1;
  return size;
}

/** Bytes of the text in UTF-8. */
export function stringSize(text: string): number {
  let size = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) size += 1;
    else if (unit < 0x800) size += 2;
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      size += 4; // a surrogate pair is one character
      i += 1;
    } else size += 3;
  }
  return size;
}
