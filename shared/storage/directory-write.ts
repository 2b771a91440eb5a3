/** @file How a draft gets its name in the tree of a directory store, and how a name is taken away. */
import { link, lstat, mkdir, rename, rm, rmdir, unlink } from "node:fs/promises";
import path from "node:path";
import { type Call, type Fault, storageFailed } from "./call.ts";
import { factsPath, hasCode, orAbsent } from "./directory-files.ts";

/** A folder is removed with its last object; who needs it at that moment makes it again, this many times at most. */
const placeTries = 20;

/** A fault that stays until someone changes the tree. */
export const lasting = (why: string): Fault => ({ why, status: null, transient: false });

const isFolder = lasting("other objects lie below this key, and a file cannot be a folder as well");
const isObject = lasting("an object lies where a folder of this key would be");

/** Names the draft if the name is free. A link refuses to replace: of all processes that try, one succeeds. */
export async function createFile(call: Call, draft: string, at: string): Promise<"written" | "exists"> {
  try {
    await place(call, at, () => link(draft, at));
    return "written";
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    if ((await orAbsent(lstat(at)))?.isDirectory()) throw storageFailed(call, isFolder);
    return "exists";
  }
}

/** Names the draft, in place of what had the name. */
export async function replaceFile(root: string, call: Call, draft: string, at: string): Promise<void> {
  const before = await orAbsent(lstat(at, { bigint: true }));
  if (before?.isDirectory()) throw storageFailed(call, isFolder);
  await place(call, at, () => rename(draft, at));
  if (before !== null) await rm(factsPath(root, call.key, before.mtimeNs), { force: true });
}

/** Makes the folders of a path, and then the file in it. */
async function place(call: Call, at: string, work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await mkdir(path.dirname(at), { recursive: true });
    } catch (error) {
      if (hasCode(error, "EEXIST", "ENOTDIR")) throw storageFailed(call, isObject);
      if (!hasCode(error, "ENOENT") || tries === placeTries) throw error;
    }
    try {
      return await work();
    } catch (error) {
      if (!hasCode(error, "ENOENT") || tries === placeTries) throw error;
    }
  }
}

/** Removes the object, if there is one, and the folders that are empty without it. */
export async function removeFile(root: string, key: string, at: string): Promise<void> {
  const before = await orAbsent(lstat(at, { bigint: true }));
  if (before === null || before.isDirectory()) return;
  await orAbsent(unlink(at));
  await rm(factsPath(root, key, before.mtimeNs), { force: true });
  for (let folder = path.dirname(at); folder !== root; folder = path.dirname(folder)) {
    if (!(await isRemoved(folder))) return;
  }
}

async function isRemoved(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOTEMPTY", "EEXIST", "ENOENT", "EBUSY", "EACCES")) return false;
    throw error;
  }
}
