/** @file Going through a whole prefix, page by page. */
import type { CallOptions, ListedObject, ObjectStore } from "./store.ts";

export interface ListAllOptions extends CallOptions {
  readonly prefix: string;
  readonly startAfter?: string | undefined;
}

/** Every object below the prefix in the order of keys; a page is asked for when the one before is used up. */
export async function* listAll(store: ObjectStore, options: ListAllOptions): AsyncGenerator<ListedObject> {
  let cursor: string | null = null;
  do {
    const page = await store.list({ ...options, cursor: cursor ?? undefined });
    yield* page.objects;
    cursor = page.cursor;
  } while (cursor !== null);
}
