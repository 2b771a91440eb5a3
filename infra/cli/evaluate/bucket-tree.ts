/** @file A dataset's files in a bucket: prefixes are folders, objects are files, and every folder is listed once. */
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import type { ObjectStore } from "../../../shared/storage/store.ts";
import { openBucket, parseBucketAddress, readKey } from "../buckets.ts";
import type { Terminal } from "../terminal.ts";
import type { FileTree } from "./file-tree.ts";

/**
 * Names in one folder. A dataset of 100,000 images with a label beside each has 200,000, which are 200 pages and some
 * seconds; at this limit they fill about 100 MB and take a minute, and nobody evaluates so many at once.
 */
const NAMES_MAX = 1_000_000;
/** COCO's largest document has 470 MB, and a JavaScript string cannot hold much more. */
const BYTES_MAX = 512 * 2 ** 20;

/** Reads with the environment's credentials; no call is made before something is asked for. */
export function bucketTree({
  environment,
  signal,
  progress,
}: Pick<Terminal, "environment" | "signal" | "progress">): FileTree {
  const stores = new Map<string, Promise<ObjectStore>>();
  const listings = new Map<string, Promise<readonly string[]>>();
  const locate = async (address: string): Promise<{ readonly store: ObjectStore; readonly key: string }> => {
    const { bucket, key } = parseBucketAddress(address);
    const store = stores.get(bucket) ?? openBucket(bucket, environment);
    stores.set(bucket, store);
    return { store: await store, key };
  };

  async function list(folder: string): Promise<readonly string[]> {
    const { store, key } = await locate(folder);
    progress(`listing ${folder}`);
    return namesBelow(store, key === "" || key.endsWith("/") ? key : `${key}/`, NAMES_MAX, signal);
  }

  function names(folder: string): Promise<readonly string[]> {
    const found = listings.get(folder) ?? list(folder);
    listings.set(folder, found);
    return found;
  }

  async function find(file: string, what: string, first?: number): Promise<Uint8Array | undefined> {
    const { store, key } = await locate(file);
    const limit = { bytesMax: BYTES_MAX, what: `${what} "${file}"`, code: "dataset-invalid" } as const;
    const range = first === undefined ? undefined : { offset: 0, length: first };
    return (await readKey(store, key, limit, { signal, range })) ?? undefined;
  }

  // An object `a` and others below `a/` may be both there: with what is below it, it is a folder.
  const isFolder = async (address: string): Promise<boolean> => (await names(address)).length > 0;

  return {
    isFolder,
    async kind(address, what) {
      if (await isFolder(address)) return "folder";
      const { store, key } = await locate(address);
      const isKey = key !== "" && !key.endsWith("/");
      if (isKey && (await store.head(key, { signal })) !== null) return "file";
      const why = isKey ? "there is no such object, and none below it" : "there is no object below it";
      throw new AppError("not-found", `cannot read ${what} "${address}": ${why}`, { address });
    },
    names,
    async read(file, what, first) {
      const bytes = await find(file, what, first);
      if (bytes !== undefined) return bytes;
      throw new AppError("not-found", `cannot read ${what} "${file}": there is no such object`, { file });
    },
    find,
    join(folder, name) {
      const { bucket, key } = parseBucketAddress(folder);
      return `s3://${bucket}/${path.posix.join(key, name)}`;
    },
    parent(address) {
      const { bucket, key } = parseBucketAddress(address);
      const folder = path.posix.dirname(key);
      return `s3://${bucket}/${folder === "." ? "" : folder}`;
    },
  };
}

/**
 * What stands between `prefix`, which is empty or ends in a slash, and the next slash of its keys: once each, sorted.
 * Throws `dataset-invalid` where there are more than `namesMax`.
 */
export async function namesBelow(
  store: ObjectStore,
  prefix: string,
  namesMax: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const names: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await store.list({ prefix, delimiter: "/", cursor: cursor ?? undefined, signal });
    for (const { key } of page.objects) names.push(key.slice(prefix.length));
    for (const folder of page.prefixes) names.push(folder.slice(prefix.length, -1));
    if (names.length > namesMax) {
      throw new AppError(
        "dataset-invalid",
        `cannot list "${prefix}" in ${store.name}: it holds more than ${namesMax} names; divide it into folders`,
        { prefix, namesMax },
      );
    }
    cursor = page.cursor;
  } while (cursor !== null);
  // Consoles keep an empty folder as an object of the prefix's own name.
  return [...new Set(names)].filter((name) => name !== "").sort();
}
