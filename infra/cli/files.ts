/** @file Files on this machine: written whole or not at all, and read with errors a person understands. */
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { AppError, messageOf } from "../../shared/errors.ts";

/** Temporary files that exist now, for a process that must end at once. */
const temporary = new Set<string>();
let serial = 0;

/** Writes all bytes under a temporary name beside the target, then renames: no reader sees half a file. */
export async function writeAtomic(file: string, bytes: Uint8Array | string): Promise<void> {
  const folder = path.dirname(file);
  serial += 1;
  const draft = path.join(folder, `.${path.basename(file)}.${process.pid}-${serial}.tmp`);
  temporary.add(draft);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(draft, bytes);
    await rename(draft, file);
  } catch (cause) {
    // Where not even the folder could be made there is nothing to remove, and its own error would hide this one.
    await rm(draft, { force: true }).catch(() => undefined);
    throw new AppError("not-found", `cannot write "${file}": ${reason(cause)}`, { file }, { cause });
  } finally {
    temporary.delete(draft);
  }
}

/** Removes what an interrupted write left, without waiting. */
export function removeTemporary(): void {
  for (const draft of temporary) rmSync(draft, { force: true });
}

/** A file's bytes, or `not-found` with the reason. `what` says what the file was wanted as. */
export async function readBytes(file: string, what: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new AppError("not-found", `cannot read ${what} "${file}": ${reason(cause)}`, { file }, { cause });
  }
}

/** A file's bytes, or undefined where there is none. Other failures throw `not-found`. */
export async function readOptional(file: string, what: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new AppError("not-found", `cannot read ${what} "${file}": ${reason(cause)}`, { file }, { cause });
  }
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is not a directory",
  EACCES: "permission denied",
  ENOSPC: "the disk is full",
  EROFS: "the file system is read-only",
};

const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;

/** Why the system refused, in words. */
export function reason(cause: unknown): string {
  const code = codeOf(cause);
  return (code && reasons[code]) ?? messageOf(cause);
}
