/**
 * @file Where a dataset's files are: one small interface over the folders of this machine and the prefixes of a bucket,
 * told apart by their addresses. Knows nothing of what the files hold.
 */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import { isBucketAddress } from "../buckets.ts";
import { readBytes, readOptional, reason } from "../files.ts";
import type { Terminal } from "../terminal.ts";
import { bucketTree } from "./bucket-tree.ts";

/** Addresses are paths, or `s3://bucket/key`. All calls throw `not-found` or `storage-failed` with the address. */
export interface FileTree {
  /** Throws `not-found` where there is nothing; `what` it was wanted as is for the message. */
  kind(address: string, what: string): Promise<"file" | "folder">;
  isFolder(address: string): Promise<boolean>;
  /** Names in a folder, of files and folders alike, sorted. */
  names(folder: string): Promise<readonly string[]>;
  /** A file's bytes. Where `first` is given, so many of them are enough. */
  read(file: string, what: string, first?: number): Promise<Uint8Array>;
  /** The same, but undefined where there is no such file. */
  find(file: string, what: string): Promise<Uint8Array | undefined>;
  /** The address of `name` in a folder; a whole address stays what it is. */
  join(folder: string, name: string): string;
  parent(address: string): string;
}

/** Both kinds of addresses at once: annotations on this machine may be of images in a bucket. */
export function openTrees(terminal: Pick<Terminal, "environment" | "signal" | "progress">): FileTree {
  const inBuckets = bucketTree(terminal);
  const of = (address: string): FileTree => (isBucketAddress(address) ? inBuckets : onDisk);
  return {
    kind: (address, what) => of(address).kind(address, what),
    isFolder: (address) => of(address).isFolder(address),
    names: (folder) => of(folder).names(folder),
    read: (file, what, first) => of(file).read(file, what, first),
    find: (file, what) => of(file).find(file, what),
    join: (folder, name) => (isBucketAddress(name) ? name : of(folder).join(folder, name)),
    parent: (address) => of(address).parent(address),
  };
}

const onDisk: FileTree = {
  async kind(address, what) {
    const found = await stat(address).catch((cause: unknown) => {
      throw new AppError("not-found", `cannot read ${what} "${address}": ${reason(cause)}`, {}, { cause });
    });
    return found.isDirectory() ? "folder" : "file";
  },
  isFolder: (address) =>
    stat(address).then(
      (found) => found.isDirectory(),
      () => false,
    ),
  async names(folder) {
    const names = await readdir(folder).catch((cause: unknown) => {
      throw new AppError("not-found", `cannot list "${folder}": ${reason(cause)}`, { folder }, { cause });
    });
    return names.sort();
  },
  read: readBytes,
  find: readOptional,
  join: (folder, name) => (path.isAbsolute(name) ? name : path.join(folder, name)),
  parent: path.dirname,
};
