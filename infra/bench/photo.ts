/** @file A photo for measuring, as often as wanted: the same picture in other bytes each time. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";

const photo = readFileSync(path.resolve(import.meta.dirname, "../pictures/two-classes.jpg"));

/** A JPEG as other bytes, which no cache knows: a comment behind its start. */
export function freshPhoto(of: Uint8Array = photo): Uint8Array<ArrayBuffer> {
  const comment = randomBytes(16);
  return new Uint8Array([...of.subarray(0, 2), 0xff, 0xfe, 0, comment.length + 2, ...comment, ...of.subarray(2)]);
}
