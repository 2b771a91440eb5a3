/**
 * @file What a key, a prefix, metadata and a range may be, checked before any store sees them: the strictest rule of
 * all stores holds for each of them, so what works on one works on the others.
 */
import { AppError } from "../errors.ts";
import type { ByteRange, GetOptions, ListOptions, PutOptions } from "./store.ts";

/** S3 and R2 take no longer keys; in UTF-8 bytes. */
export const keyBytesMax = 1024;

/** S3 takes no more metadata, names and values together; R2 would take 8,192. */
export const metadataBytesMax = 2048;

/** S3 and R2 give no longer pages. */
export const pageMax = 1000;

/**
 * No store can carry these: control characters break HTTP headers and file names, and an S3 listing is XML, which has
 * neither lone surrogates nor U+FFFE and U+FFFF.
 */
const unfit = /[\p{Cc}\p{Cs}\u{fffe}\u{ffff}]/u;

const encoder = new TextEncoder();

/** Throws `request-invalid` unless every store can hold an object of this key. */
export function checkKey(key: string): void {
  const why = textFault(key) ?? (key === "" ? "it is empty" : segmentFault(key.split("/")));
  if (why !== null) throw refused("key", key, why);
}

/** Throws `request-invalid` unless a key can begin with this: with nothing, up to a slash, or up to inside a name. */
export function checkPrefix(prefix: string): void {
  // The text after the last slash is the beginning of a name, which may well be "." or nothing.
  const why = textFault(prefix) ?? segmentFault(prefix.split("/").slice(0, -1));
  if (why !== null) throw refused("prefix", prefix, why);
}

function textFault(text: string): string | null {
  if (unfit.test(text)) return "it has control characters or is not valid Unicode";
  const bytes = encoder.encode(text).length;
  return bytes > keyBytesMax ? `it has ${bytes} bytes in UTF-8, of which ${keyBytesMax} are allowed` : null;
}

function segmentFault(segments: readonly string[]): string | null {
  if (segments[0] === "") return 'it begins with "/"';
  if (segments.includes("")) return 'between its slashes, or after the last, there is nothing; write "a/b"';
  const dots = segments.find((segment) => segment === "." || segment === "..");
  return dots === undefined ? null : `it has the segment "${dots}"`;
}

const refused = (what: string, text: string, why: string): AppError =>
  new AppError("request-invalid", `cannot use the ${what} ${quote(text)}: ${why}`, { [what]: text });

/** Long keys are cut, and control characters escaped: the text goes into logs. */
const quote = (text: string): string => {
  const quoted = JSON.stringify(text);
  return quoted.length > 200 ? `${quoted.slice(0, 190)}…"` : quoted;
};

/** Throws `request-invalid` for a range that HTTP has no words for. */
export function checkGet(key: string, { range }: GetOptions): void {
  checkKey(key);
  if (range !== undefined && !isRange(range)) {
    const text = `offset ${range.offset}, length ${range.length}`;
    throw refused("range", text, "offset must be a whole number from 0, length one from 1 or left out");
  }
}

const isRange = ({ offset, length = 1 }: ByteRange): boolean =>
  Number.isSafeInteger(offset) && offset >= 0 && Number.isSafeInteger(length) && length >= 1;

/** Throws `request-invalid` for what cannot be stored with an object, or for conditions that contradict each other. */
export function checkPut(
  key: string,
  { contentType, cacheControl, metadata, onlyIfAbsent, ifMatch }: PutOptions,
): void {
  checkKey(key);
  if (onlyIfAbsent === true && ifMatch !== undefined) {
    throw refused("key", key, "onlyIfAbsent and ifMatch exclude each other");
  }
  for (const value of [contentType, cacheControl ?? "-"]) {
    if (!isHeaderValue(value)) throw refused("header", value, "it must be printable ASCII, not blank at its ends");
  }
  for (const [name, value] of Object.entries(metadata ?? {})) {
    if (!/^[a-z][a-z0-9-]*$/.test(name)) {
      throw refused("metadata name", name, "it must be lower-case letters, digits and hyphens, a letter first");
    }
    if (!isHeaderValue(value)) {
      throw refused(`metadata "${name}"`, value, "it must be printable ASCII, not blank at its ends");
    }
  }
  const bytes = Object.entries(metadata ?? {}).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (bytes > metadataBytesMax) {
    throw refused("key", key, `its metadata has ${bytes} bytes, of which ${metadataBytesMax} are allowed`);
  }
}

/** What every HTTP stack passes on unchanged. */
const isHeaderValue = (value: string): boolean => /^[!-~]([ -~]*[!-~])?$/.test(value);

/** Throws `request-invalid` for a prefix or a limit no store has. */
export function checkList({ prefix, limit = 1 }: ListOptions): void {
  checkPrefix(prefix);
  if (!Number.isInteger(limit) || limit < 1 || limit > pageMax) {
    throw refused("limit", String(limit), `it must be a whole number from 1 to ${pageMax}`);
  }
}

/**
 * Compares keys as the stores do: by their UTF-8 bytes, which is the order of code points. JavaScript's `<` compares
 * UTF-16, in which characters beyond U+FFFF begin with a surrogate, less than U+E000.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (left !== right) return rankOf(left) - rankOf(right);
  }
  return a.length - b.length;
}

const rankOf = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit);
