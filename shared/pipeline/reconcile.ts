/**
 * @file Finds images that have no explanation although they were uploaded: notifications can be missed. Compares
 * listings, reads no image, explains nothing itself.
 */
import { readObject } from "../storage/body.ts";
import { compareKeys } from "../storage/keys.ts";
import { listAll } from "../storage/list-all.ts";
import type { ListedObject, ListPage, ObjectStore } from "../storage/store.ts";
import type { Upload } from "./events.ts";
import {
  explanationPrefix,
  folderOf,
  imageOf,
  imagePrefix,
  isDocumentKey,
  isFailureKey,
  isImageKey,
  reconciliationKey,
} from "./layout.ts";

export interface ReconcileOptions {
  readonly bucket: string;
  /** About how many images are looked at in one go; the next go continues after the last. */
  readonly imagesMax: number;
  /** Younger uploads may still be in the queue. */
  readonly graceMilliseconds: number;
  readonly enqueue: (uploads: readonly Upload[]) => Promise<void>;
  readonly now?: () => number;
  readonly signal?: AbortSignal;
}

export interface Reconciled {
  readonly looked: number;
  readonly enqueued: number;
  /** Whether the end of the bucket was reached; the next go then begins anew. */
  readonly complete: boolean;
}

/** Enqueued at once: what one call to a queue takes. */
const batchMax = 100;
/** The character after the slash: all keys in the folder `k/` are before `k0`. */
const afterSlash = "0";

/** Enqueues what is unexplained among the next images, and remembers where it stopped. */
export async function reconcile(store: ObjectStore, options: ReconcileOptions): Promise<Reconciled> {
  const { bucket, imagesMax, graceMilliseconds, enqueue, signal, now = Date.now } = options;
  let after = await readPosition(store, signal);
  let [looked, enqueued] = [0, 0];
  for (;;) {
    const page = await store.list({ prefix: imagePrefix, startAfter: after, signal });
    const images = page.objects.filter(({ key }) => isImageKey(key));
    const newest = await newestResults(store, images, signal);
    const missing = images.filter(({ key, modified }) => {
      if (modified.getTime() > now() - graceMilliseconds) return false;
      const result = newest.get(key);
      // Of the same instant, or the same second on S3, it may be of what was there before.
      return result === undefined || result <= modified;
    });
    for (let i = 0; i < missing.length; i += batchMax) {
      const batch = missing.slice(i, i + batchMax);
      await enqueue(batch.map(({ key, etag }) => ({ bucket, key, etag })));
      enqueued += batch.length;
    }
    looked += images.length;
    const complete = page.cursor === null;
    after = complete ? undefined : (page.objects.at(-1)?.key ?? after);
    if (complete || looked >= imagesMax) {
      await writePosition(store, after, signal);
      return { looked, enqueued, complete };
    }
  }
}

/** When each image's newest result or failure was written, for images in order of their keys. */
async function newestResults(
  store: ObjectStore,
  images: readonly ListedObject[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Date>> {
  const newest = new Map<string, Date>();
  const note = ({ key, modified }: ListedObject): void => {
    if (!isDocumentKey(key) && !isFailureKey(key)) return;
    const image = imageOf(key);
    const known = newest.get(image);
    if (known === undefined || modified > known) newest.set(image, modified);
  };
  const [first, last] = [images.at(0), images.at(-1)];
  if (first === undefined || last === undefined) return newest;
  const end = `${explanationPrefix}${last.key}${afterSlash}`;
  for await (const object of listAll(store, {
    prefix: explanationPrefix,
    startAfter: `${explanationPrefix}${first.key}`,
    signal,
  })) {
    if (compareKeys(object.key, end) >= 0) break;
    note(object);
  }
  // `a` is before `a.jpg`, but its folder `a/` is behind `a.jpg/`: such few images are looked up singly.
  for (const { key } of images) {
    if (key === last.key || !last.key.startsWith(key)) continue;
    let cursor: string | null = null;
    do {
      const page: ListPage = await store.list({
        prefix: folderOf(key),
        delimiter: "/",
        cursor: cursor ?? undefined,
        signal,
      });
      page.objects.forEach(note);
      cursor = page.cursor;
    } while (cursor !== null);
  }
  return newest;
}

/** Where the last go stopped: an image's key. */
async function readPosition(store: ObjectStore, signal: AbortSignal | undefined): Promise<string | undefined> {
  const found = await store.get(reconciliationKey, { signal });
  if (found?.outcome !== "found") return undefined;
  const bytes = await readObject(found, { bytesMax: positionBytesMax, what: `"${reconciliationKey}"` });
  try {
    const position: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const isKey = typeof position === "object" && position !== null && "after" in position;
    return isKey && typeof position.after === "string" ? position.after : undefined;
  } catch {
    return undefined; // damaged: beginning anew costs a listing and loses nothing
  }
}

/** A key has up to 1,024 bytes. */
const positionBytesMax = 10_000;

async function writePosition(
  store: ObjectStore,
  after: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(after === undefined ? {} : { after }));
  await store.put(reconciliationKey, bytes, { contentType: "application/json", signal });
}
