/**
 * @file The files of a directory store: drafts that get their name when they are whole, and beside the tree, in the
 * store's own folder, what a file cannot say of itself.
 */
import { createHash, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { textOf } from "./call.ts";
import { ownFolder } from "./directory-names.ts";

/**
 * What is known of one version of an object. It belongs to the file by the key and the time of its last change to the
 * nanosecond, which copies and archives keep: so it holds no longer once someone else changes the file.
 */
export interface Facts {
  readonly key: string;
  /** SHA-256 of the content, hex. */
  readonly etag: string;
  readonly contentType: string;
  readonly cacheControl: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Drafts older than this, in milliseconds, were left by a process that died. */
const draftAgeMax = 3_600_000;

/** A file younger than this may still be written to without its time changing; its digest is not kept. Milliseconds. */
const settledAge = 2_000;

/** Opening again finds a file that was replaced meanwhile; so often in a row, something else is wrong. */
const openTries = 100;

/** Of reading a file, in bytes. */
const chunkBytes = 65_536;

export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  codes.includes(textOf(error, "code") ?? "");

/** Null in place of an error that says there is no such file. */
export async function orAbsent<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  }
}

const draftsOf = (root: string): string => path.join(root, ownFolder, "drafts");

/**
 * Makes the store's own folder and says whether the file system takes `A` for `a`. Removes what dead processes left. A
 * root that cannot be written to is served all the same, as one that tells them apart.
 */
export async function prepareRoot(root: string): Promise<{ readonly foldsCase: boolean }> {
  try {
    await mkdir(draftsOf(root), { recursive: true });
  } catch (error) {
    if (hasCode(error, "EROFS", "EACCES", "EPERM")) return { foldsCase: false };
    throw error;
  }
  for (const name of await readdir(draftsOf(root))) {
    const draft = path.join(draftsOf(root), name);
    const left = await orAbsent(stat(draft));
    if (left !== null && Date.now() - left.mtimeMs > draftAgeMax) await rm(draft, { force: true });
  }
  const other = await orAbsent(lstat(path.join(root, ownFolder.toUpperCase())));
  return { foldsCase: other !== null };
}

/** A file that is whole and flushed but has no name in the tree yet, and the facts it will have there. */
export interface Draft {
  readonly at: string;
  readonly factsAt: string;
  readonly etag: string;
}

/** Writes content and facts. Whoever does not give the draft its name discards both. */
export async function writeDraft(root: string, bytes: Uint8Array, rest: Omit<Facts, "etag">): Promise<Draft> {
  const at = path.join(draftsOf(root), randomUUID());
  await mkdir(draftsOf(root), { recursive: true });
  const handle = await open(at, "wx");
  try {
    const etag = createHash("sha256").update(bytes).digest("hex");
    await handle.writeFile(bytes);
    await handle.datasync();
    return { at, factsAt: await claimFacts(root, handle, { ...rest, etag }), etag };
  } catch (error) {
    await rm(at, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Removes the draft, and its facts unless they now belong to an object. */
export async function discardDraft({ at, factsAt }: Draft, isWritten: boolean): Promise<void> {
  await rm(at, { force: true });
  if (!isWritten) await rm(factsAt, { force: true });
}

/** Gives the file a time no other version of its key has, and writes the facts of that time. */
async function claimFacts(root: string, handle: FileHandle, facts: Facts): Promise<string> {
  for (;;) {
    // Two writers of one millisecond differ by the random part of it.
    const seconds = (Date.now() + Math.random()) / 1000;
    await handle.utimes(seconds, seconds);
    const at = factsPath(root, facts.key, (await handle.stat({ bigint: true })).mtimeNs);
    if (await writeFacts(at, facts)) return at;
  }
}

/** Where the facts of a version lie; the key's digest fits a file name whatever the key. */
export function factsPath(root: string, key: string, mtimeNs: bigint): string {
  const digest = createHash("sha256").update(key).digest("hex");
  return path.join(root, ownFolder, "facts", digest.slice(0, 2), `${digest}.${mtimeNs}.json`);
}

/** False where such facts are there already. */
async function writeFacts(at: string, facts: Facts): Promise<boolean> {
  const write = (): Promise<void> => writeFile(at, JSON.stringify(facts), { flag: "wx" });
  try {
    await write().catch(async (error: unknown) => {
      if (!hasCode(error, "ENOENT")) throw error;
      await mkdir(path.dirname(at), { recursive: true });
      await write();
    });
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** The facts of a version; null where there are none, or half of them. */
async function readFacts(at: string): Promise<Facts | null> {
  const text = await orAbsent(readFile(at, "utf8"));
  try {
    const facts: unknown = text === null ? null : JSON.parse(text);
    // Nobody but this file writes there, and whole JSON is all it ever wrote.
    return facts as Facts | null;
  } catch {
    return null;
  }
}

/** An object's file. */
export interface KnownFile {
  readonly size: number;
  readonly modified: Date;
  readonly facts: Facts;
}

/** An object's file, open: what is read from it is of one version, whatever becomes of the path. */
export interface OpenFile extends KnownFile {
  readonly handle: FileHandle;
}

/** As `openFile`, for what is known of the file; one whose facts are there is not opened. */
export async function lookAtFile(root: string, at: string, key: string): Promise<KnownFile | null> {
  const stat = await orAbsent(lstat(at, { bigint: true }));
  const facts = stat?.isFile() ? await readFacts(factsPath(root, key, stat.mtimeNs)) : null;
  if (stat && facts !== null) return { size: Number(stat.size), modified: stat.mtime, facts };
  const file = await openFile(root, at, key);
  await file?.handle.close();
  return file;
}

/**
 * Opens the file at a path, which must not be a link (`ELOOP`). Null where there is none. A file put there by other
 * means than this store has no facts: its digest is computed, and kept if the root can be written to.
 */
export async function openFile(root: string, at: string, key: string): Promise<OpenFile | null> {
  for (let tries = 0; tries < openTries; tries++) {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    const handle = await orAbsent(open(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
    if (handle === null) return null;
    try {
      const { size, mtimeNs, mtime, ino, isFile } = await statOf(handle);
      if (!isFile) return await closed(handle);
      const factsAt = factsPath(root, key, mtimeNs);
      const known = await readFacts(factsAt);
      if (known !== null) return { handle, size, modified: mtime, facts: known };
      const now = await orAbsent(lstat(at, { bigint: true }));
      if (now?.ino === ino && now.mtimeNs === mtimeNs) {
        return { handle, size, modified: mtime, facts: await adopt(handle, size, key, factsAt, mtime) };
      }
      // Replaced or removed, and its facts with it, since it was opened: look again.
      await closed(handle);
    } catch (error) {
      await closed(handle);
      throw error;
    }
  }
  throw Object.assign(new Error("the file changes faster than it can be opened"), { code: "EBUSY" });
}

async function statOf(handle: FileHandle) {
  const all = await handle.stat({ bigint: true });
  return { size: Number(all.size), mtimeNs: all.mtimeNs, mtime: all.mtime, ino: all.ino, isFile: all.isFile() };
}

async function closed(handle: FileHandle): Promise<null> {
  await handle.close();
  return null;
}

async function adopt(handle: FileHandle, size: number, key: string, factsAt: string, modified: Date): Promise<Facts> {
  const hash = createHash("sha256");
  for await (const chunk of chunksOf(handle, 0, size)) hash.update(chunk);
  const etag = hash.digest("hex");
  const facts = { key, etag, contentType: "application/octet-stream", cacheControl: null, metadata: {} };
  const settled = Date.now() - modified.getTime() > settledAge;
  // Keeping it only saves the next reader the work.
  if (settled) await writeFacts(factsAt, facts).catch(() => {});
  return facts;
}

async function* chunksOf(handle: FileHandle, offset: number, length: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = offset, end = offset + length; at < end; ) {
    const buffer = new Uint8Array(Math.min(chunkBytes, end - at));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** The bytes of a range as a stream, which closes the file at its end or when it is cancelled. */
export function streamOf(handle: FileHandle, offset: number, length: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks = chunksOf(handle, offset, length);
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (!done) return controller.enqueue(value);
        await handle.close();
        controller.close();
      },
      cancel: () => handle.close(),
    },
    { highWaterMark: 0 },
  );
}
