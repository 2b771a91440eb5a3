/** @file The keys below a prefix, in the order of a listing, out of a tree of files that is read folder by folder. */
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { hasCode } from "./directory-files.ts";
import { isPiece, ownFolder, segmentOf } from "./directory-names.ts";
import { compareKeys } from "./keys.ts";

/** Where a listing goes on: after this key, or with `below` after everything that begins with it. */
export interface After {
  readonly name: string;
  readonly below: boolean;
}

export interface Walk {
  readonly root: string;
  readonly foldsCase: boolean;
  readonly prefix: string;
  readonly after: After;
  /** Tell folders below the prefix as one. */
  readonly delimited: boolean;
}

/** `at` is the path of the object's file. */
export type Visited =
  | { readonly kind: "object"; readonly name: string; readonly at: string }
  | { readonly kind: "prefix"; readonly name: string };

/** The keys in the order of their UTF-8 bytes. A folder is read when the walk comes to it; links are passed over. */
export function walk(options: Walk): AsyncGenerator<Visited> {
  return walkFolder(options, options.root, "");
}

async function* walkFolder(options: Walk, folder: string, base: string): AsyncGenerator<Visited> {
  const { prefix, after, delimited, foldsCase } = options;
  const entries = await readFolder(folder, base, [], foldsCase);
  // A folder's slash belongs to its name: "a-b" comes before "a/b", though "a" comes before "a-b".
  const named = entries.map((entry) => ({ ...entry, name: base + entry.segment + (entry.isFolder ? "/" : "") }));
  named.sort((a, b) => compareKeys(a.name, b.name));
  for (const { name, isFolder, at } of named) {
    if (!isFolder) {
      if (name.startsWith(prefix) && comesAfter(name, after)) yield { kind: "object", name, at };
      continue;
    }
    if (!mayHold(name, prefix, after)) continue;
    if (!delimited || prefix.startsWith(name)) {
      yield* walkFolder(options, at, name);
    } else {
      // It is told as a prefix only if some key after `after` is in it; a folder may be empty.
      const inner = walkFolder({ ...options, delimited: false }, at, name);
      if ((await inner.next()).done !== true) yield { kind: "prefix", name };
    }
  }
}

const comesAfter = (name: string, after: After): boolean =>
  compareKeys(name, after.name) > 0 && !(after.below && name.startsWith(after.name));

/** Whether keys of the folder can begin with the prefix and come after. */
function mayHold(folder: string, prefix: string, after: After): boolean {
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  return comesAfter(folder, after) || (after.name.startsWith(folder) && !(after.below && after.name === folder));
}

interface Entry {
  readonly segment: string;
  readonly isFolder: boolean;
  readonly at: string;
}

/** The segments of a folder; the folders in which long segments go on are looked into, not told. */
async function readFolder(
  folder: string,
  base: string,
  before: readonly string[],
  foldsCase: boolean,
): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for (const entry of await entriesOf(folder, base)) {
    const at = path.join(folder, entry.name);
    const names = [...before, entry.name];
    if (entry.name === ownFolder || !(entry.isDirectory() || entry.isFile())) continue;
    if (isPiece(entry.name)) {
      if (entry.isDirectory()) found.push(...(await readFolder(at, base, names, foldsCase)));
      continue;
    }
    const segment = segmentOf(names, foldsCase);
    if (segment !== null) found.push({ segment, isFolder: entry.isDirectory(), at });
  }
  return found;
}

/** A folder that went away since it was seen is empty; a root that is not there is an error. */
async function entriesOf(folder: string, base: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (base !== "" && hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}
