/** @file A photo for measuring, as often as wanted: the same picture in other bytes each time. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";

const photo = readFileSync(path.resolve(import.meta.dirname, "../pictures/two-classes.jpg"));

/** The same picture as other bytes, which no cache knows: a comment behind the JPEG's start. */
export function freshPhoto(): Uint8Array<ArrayBuffer> {
  const comment = randomBytes(16);
  return new Uint8Array([...photo.subarray(0, 2), 0xff, 0xfe, 0, comment.length + 2, ...comment, ...photo.subarray(2)]);
}
