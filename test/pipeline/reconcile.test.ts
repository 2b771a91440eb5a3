/** @file Reconciliation over a real directory: exactly what has no explanation is found, however keys are ordered. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failureKey } from "../../shared/pipeline/layout.ts";
import { reconcile } from "../../shared/pipeline/reconcile.ts";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";

let folder: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "backlight-reconcile-"));
  store = await openDirectoryStore(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const bytes = new Uint8Array([1]);
const put = (key: string) => store.put(key, bytes, { contentType: "image/png" });
const explained = (image: string, digit = "a") => put(`explanations/${image}/${digit.repeat(64)}.json`);
/** Directories tell milliseconds apart: what comes after this is newer. */
const tick = () => new Promise((resolve) => setTimeout(resolve, 15));

async function look(over: ObjectStore = store, imagesMax = 1000, graceMilliseconds = 0) {
  const found: string[] = [];
  const result = await reconcile(over, {
    bucket: "b",
    imagesMax,
    graceMilliseconds,
    enqueue: async (uploads) => void found.push(...uploads.map(({ key }) => key)),
  });
  return { ...result, found: found.sort() };
}

/** Pages of two, as a large bucket has pages of a thousand. */
const paged = (whole: ObjectStore): ObjectStore => ({
  ...whole,
  list: (options) => whole.list({ ...options, limit: 2 }),
});

/** Names whose folders sort otherwise than they do themselves. */
const awkward = [
  "images/a",
  "images/a b.png",
  "images/a!.png",
  "images/a.jpg",
  "images/a-1",
  "images/a0",
  "images/b/c.png",
  "images/é.png",
];

describe("reconciliation", () => {
  it("finds exactly the images without a result, whatever their names", async () => {
    for (const missing of awkward) {
      for (const key of awkward) await put(key);
      await tick();
      for (const key of awkward) if (key !== missing) await explained(key);
      expect((await look()).found).toEqual([missing]);
      expect((await look(paged(store))).found).toEqual([missing]);
      for (const key of awkward) await store.delete(`explanations/${key}/${"a".repeat(64)}.json`);
    }
  });

  it("takes a result that is older than its image for another image's", async () => {
    await put("images/a.png");
    await tick();
    await explained("images/a.png");
    expect((await look()).found).toEqual([]);
    await tick();
    await put("images/a.png");
    expect((await look()).found).toEqual(["images/a.png"]);
    await tick();
    await explained("images/a.png", "b");
    expect((await look()).found).toEqual([]);
  });

  it("takes a recorded failure for an answer, and a picture without a document for none", async () => {
    for (const key of ["images/bad.png", "images/half.png"]) await put(key);
    await tick();
    await put(failureKey("images/bad.png", "etag/1"));
    await put(`explanations/images/half.png/${"a".repeat(64)}.overlay.png`);
    expect((await look()).found).toEqual(["images/half.png"]);
  });

  it("leaves alone what is young enough to be on its way", async () => {
    await put("images/new.png");
    expect((await look(store, 1000, 60_000)).found).toEqual([]);
    expect((await look(store, 1000, 0)).found).toEqual(["images/new.png"]);
  });

  it("goes on where it stopped, and begins anew after the end", async () => {
    const keys = Array.from({ length: 7 }, (_, i) => `images/${i}.png`);
    for (const key of keys) await put(key);
    const seen: string[] = [];
    for (const complete of [false, false, false, true]) {
      const part = await look(paged(store), 2);
      expect(part.complete).toBe(complete);
      seen.push(...part.found);
    }
    expect(seen).toEqual(keys);
    expect((await look(paged(store), 2)).found).toEqual(keys.slice(0, 2));
  });
});
