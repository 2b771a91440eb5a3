/** @file What the access settings share: comma-separated entries with an id, and hexadecimal. Knows no key. */
import { AppError } from "../errors.ts";

/** One `id:value` entry. Its text is secret or nearly so: messages name the id, never the value. */
export interface Entry {
  readonly id: string;
  readonly value: string;
}

/** The `config-invalid` error of an entry of a variable. */
export function invalidEntry(variable: string, id: string, why: string): AppError {
  return new AppError("config-invalid", `cannot use entry "${id}" of ${variable}: ${why}`, { variable, id });
}

/** Splits `id:value, id:value`. Empty or absent is no entry. Throws `config-invalid` for bad or repeated ids. */
export function readEntries(text: string | undefined, variable: string): readonly Entry[] {
  const parts = (text ?? "").split(",").map((part) => part.trim());
  const entries = parts.filter((part) => part !== "").map((part, index) => readEntry(part, index, variable));
  for (const [index, { id }] of entries.entries()) {
    if (entries.findIndex((entry) => entry.id === id) !== index)
      throw invalidEntry(variable, id, "the id is used twice");
  }
  return entries;
}

/** What an id may be: something that can stand in a URL and a log line as it is. */
export const ENTRY_ID = /^[A-Za-z0-9_-]{1,32}$/;

function readEntry(part: string, index: number, variable: string): Entry {
  const [, id = "", value = ""] = /^([^:]*):(.*)$/s.exec(part) ?? [];
  // The part may be a bare secret, so it is named by its place.
  const why = "it is not id:value with an id of up to 32 letters, digits, - or _";
  if (!ENTRY_ID.test(id)) throw invalidEntry(variable, String(index + 1), why);
  return { id, value };
}

/** The bytes of a hexadecimal string, or undefined where it is none. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** Compares in a time that depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0);
  return difference === 0;
}

const utf8 = new TextEncoder();

/** SHA-256 of a string's UTF-8 bytes. */
export async function sha256(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(text)));
}
