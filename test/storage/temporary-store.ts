/** @file A directory store that is there for the tests of one file. */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll } from "vitest";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";

/** Call at the top of a test file; the store can be had once its tests run. */
export function temporaryStore(): () => ObjectStore {
  let folder = "";
  let store: ObjectStore | null = null;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "backlight-store-"));
    store = await openDirectoryStore(path.join(folder, "bucket"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  return () => {
    if (store === null) throw new Error("the tests have not begun");
    return store;
  };
}
