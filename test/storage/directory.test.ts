/** @file The contract on a directory, and what only a directory can do wrong. */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { directoryStore, openDirectoryStore } from "../../shared/storage/directory.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { contract, runCheck } from "./contract.ts";

let folder = "";
let store: ObjectStore;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "backlight-store-"));
  store = await openDirectoryStore(path.join(folder, "bucket"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("the store over a directory", () => {
  it.each(contract)("$name", (check) => runCheck(check, store));
});

describe("the store over a directory whose file system takes A for a", () => {
  it.each(contract)("$name", (check) => runCheck(check, directoryStore(path.join(folder, "bucket"), true)));
});
