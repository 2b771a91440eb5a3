/** @file What only a directory can do wrong: links, files of other people, names, crashes, and other processes. */
import { execFile } from "node:child_process";
import * as fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { directoryStore, openDirectoryStore } from "../../shared/storage/directory.ts";
import { pathOf, segmentOf } from "../../shared/storage/directory-names.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { bytesOf, fails, found, textAt, type, write } from "./contract/check.ts";

let folder: string;
let root: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), "backlight-tree-"));
  root = path.join(folder, "bucket");
  store = await openDirectoryStore(root);
});
afterEach(() => fs.rm(folder, { recursive: true }));

const keysOf = async (prefix = ""): Promise<readonly string[]> =>
  (await store.list({ prefix })).objects.map(({ key }) => key);

/** Every file below the root, the store's own included. */
async function allFiles(): Promise<readonly string[]> {
  const entries = await fs.readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((each) => each.isFile())
    .map((each) => path.relative(root, path.join(each.parentPath, each.name)));
}

describe("a directory store's tree", () => {
  it("holds each object as the file of its name", async () => {
    await write(store, "images/my cat.jpg", "miau");
    expect(await fs.readFile(path.join(root, "images/my cat.jpg"), "utf8")).toBe("miau");
  });

  it("serves and lists files that were put there by other means, with the digest of their content", async () => {
    await fs.mkdir(path.join(root, "images"));
    await fs.writeFile(path.join(root, "images/cat.jpg"), "miau");
    const info = await store.head("images/cat.jpg");
    expect(info).toMatchObject({ size: 4, contentType: "application/octet-stream", metadata: {} });
    expect(info?.etag).toBe(await write(store, "same", "miau"));
    expect(await keysOf("images/")).toEqual(["images/cat.jpg"]);
    expect(await textAt(store, "images/cat.jpg")).toBe("miau");
    expect(await store.put("images/cat.jpg", bytesOf("x"), { ...type, onlyIfAbsent: true })).toEqual({
      outcome: "exists",
    });
  });

  it("notices that a file was changed by other means", async () => {
    const etag = await write(store, "a", "one");
    await fs.writeFile(path.join(root, "a"), "two");
    const info = await store.head("a");
    expect(info?.etag).not.toBe(etag);
    expect(await store.put("a", bytesOf("x"), { ...type, ifMatch: etag })).toEqual({ outcome: "changed" });
    expect(await store.get("a", { ifMatch: etag })).toEqual({ outcome: "changed" });
  });

  it("keeps what it knows of its objects when the tree is copied with its times", async () => {
    await store.put("a/b", bytesOf("x"), { contentType: "image/png", metadata: { note: "kept" } });
    const copy = path.join(folder, "copy");
    await promisify(execFile)("cp", ["-a", root, copy]);
    expect(await (await openDirectoryStore(copy)).head("a/b")).toMatchObject({
      contentType: "image/png",
      metadata: { note: "kept" },
    });
  });

  it("leaves nothing behind: no draft, no facts, no empty folder", async () => {
    await write(store, "a/b/c", "1");
    await store.put("a/b/c", bytesOf("2"), type);
    await store.put("a/b/c", bytesOf("3"), { ...type, onlyIfAbsent: true });
    await store.put("a/b/c", bytesOf("3"), { ...type, ifMatch: "0" });
    expect((await allFiles()).length).toBe(2); // The object and its facts.
    await store.delete("a/b/c");
    expect(await allFiles()).toEqual([]);
    expect(await fs.readdir(root)).toEqual([".%store"]);
  });

  it("says so where a key would be a file and a folder at once", async () => {
    await write(store, "a", "1");
    const below = await fails(store.put("a/b", bytesOf("2"), type), "storage-failed");
    expect(below.message).toBe(
      `cannot write "a/b" in ${store.name}: an object lies where a folder of this key would be`,
    );
    expect(below.context["transient"]).toBe(false);
    expect(await store.head("a/b")).toBeNull();
    await write(store, "c/d", "1");
    for (const options of [{}, { onlyIfAbsent: true }]) {
      const above = await fails(store.put("c", bytesOf("2"), { ...type, ...options }), "storage-failed");
      expect(above.message).toContain("other objects lie below this key");
    }
    expect(await store.head("c")).toBeNull();
    expect(await store.get("c")).toBeNull();
    await store.delete("c");
    expect(await textAt(store, "c/d")).toBe("1");
  });

  it("never follows a link, out of the root or inside", async () => {
    const outside = path.join(folder, "outside");
    await fs.mkdir(outside);
    await fs.writeFile(path.join(outside, "secret"), "secret");
    await fs.symlink(outside, path.join(root, "folder"));
    await fs.symlink(path.join(outside, "secret"), path.join(root, "file"));
    await write(store, "inside", "x");
    await fs.symlink(path.join(root, "inside"), path.join(root, "other"));
    for (const key of ["folder/secret", "file", "other"]) {
      const error = await fails(store.get(key), "storage-failed");
      expect(error.message).toContain("symbolic link");
      expect(error.message).not.toContain(folder);
      await fails(store.head(key), "storage-failed");
    }
    await fails(store.put("folder/new", bytesOf("x"), type), "storage-failed");
    await fails(store.delete("folder/secret"), "storage-failed");
    expect(await keysOf()).toEqual(["inside"]);
    await store.put("file", bytesOf("replaced"), type);
    expect(await textAt(store, "file")).toBe("replaced");
    expect(await fs.readFile(path.join(outside, "secret"), "utf8")).toBe("secret");
    expect(await fs.readdir(outside)).toEqual(["secret"]);
  });

  it("passes over pipes without waiting for their writer", async () => {
    await promisify(execFile)("mkfifo", [path.join(root, "pipe")]);
    expect(await store.get("pipe")).toBeNull();
    expect(await keysOf()).toEqual([]);
  });

  it("hides its own folder from keys and listings", async () => {
    await write(store, "a", "x");
    expect(await keysOf()).toEqual(["a"]);
    await write(store, ".%store/drafts/x", "a key like any other");
    expect(await keysOf()).toEqual([".%store/drafts/x", "a"]);
    expect(await store.list({ prefix: "", delimiter: "/" })).toMatchObject({ prefixes: [".%store/"] });
  });

  it("removes drafts of processes that died, not those of the living", async () => {
    const drafts = path.join(root, ".%store/drafts");
    await fs.writeFile(path.join(drafts, "old"), "x");
    await fs.utimes(path.join(drafts, "old"), 0, 0);
    await fs.writeFile(path.join(drafts, "new"), "x");
    await openDirectoryStore(root);
    expect(await fs.readdir(drafts)).toEqual(["new"]);
  });

  it("reads the version it opened though it is replaced and removed meanwhile", async () => {
    await write(store, "a", "one");
    const object = await found(store, "a");
    await store.put("a", bytesOf("two"), type);
    await store.delete("a");
    expect(await new Response(object.body).text()).toBe("one");
  });

  it("never shows a version without what was written with it, whoever replaces it", async () => {
    const writer = path.join(import.meta.dirname, "directory-writer.ts");
    let isWriting = true;
    const writing = promisify(execFile)(process.execPath, ["--import", "tsx", writer, root, "400"]).finally(() => {
      isWriting = false;
    });
    let looks = 0;
    while (isWriting) {
      const infos = await Promise.all([1, 2, 3].map(() => store.head("a")));
      for (const info of infos.filter((each) => each !== null)) {
        expect(info).toMatchObject({ contentType: "image/png", metadata: { note: "x" } });
        looks += 1;
      }
    }
    await writing;
    expect(looks).toBeGreaterThan(100);
  });

  it("lets one of many stores over the same directory create an object", async () => {
    const stores = await Promise.all(Array.from({ length: 8 }, () => openDirectoryStore(root)));
    for (let round = 0; round < 20; round++) {
      const results = await Promise.all(
        stores.map((each, i) => each.put(`r/${round}`, bytesOf(`${i}`), { ...type, onlyIfAbsent: true })),
      );
      const winners = results.flatMap(({ outcome }, i) => (outcome === "written" ? [i] : []));
      expect(winners.length).toBe(1);
      expect(await textAt(store, `r/${round}`)).toBe(`${winners[0]}`);
    }
  });

  it("makes and removes the same folders at once without losing an object", async () => {
    const work = Array.from({ length: 40 }, async (_, i) => {
      await store.put(`x/y/${i}`, bytesOf("x"), type);
      if (i % 2 === 0) await store.delete(`x/y/${i}`);
    });
    await Promise.all(work);
    expect((await keysOf("x/")).length).toBe(20);
  });

  it("fails, and does not say that it is empty, when the root is gone", async () => {
    await fs.rm(root, { recursive: true });
    await fails(store.list({ prefix: "" }), "storage-failed");
  });
});

describe("a name in the tree", () => {
  const keys = [
    "a/B.jpg",
    "100%",
    "%41",
    "a\\..\\b",
    "É/é/e\u0301",
    "x".repeat(700),
    `${"é".repeat(120)}/b`,
    "🐈".repeat(90),
  ];

  it.each([false, true])("leads back to its key (file system folds case: %s)", (foldsCase) => {
    for (const key of keys) {
      const names = pathOf(key, foldsCase);
      for (const name of names) {
        expect(Buffer.byteLength(name)).toBeLessThan(255);
        expect(name).not.toMatch(/[\\/:]|^\.{1,2}$/);
      }
      if (!key.includes("/")) expect(segmentOf(names, foldsCase)).toBe(key);
    }
  });

  it("is unlike every other key's, even where case and accents are folded", () => {
    const similar = ["a", "A", "é", "É", "e\u0301", "E\u0301", "%41", "%61", "ß", "SS", "ss"];
    const folded = similar.map((key) => pathOf(key, true).join("/").normalize("NFKD").toLowerCase());
    expect(new Set(folded).size).toBe(similar.length);
  });

  it("that the store would not have written is not a key's", () => {
    expect(segmentOf(["%61"], false)).toBeNull();
    expect(segmentOf(["%zz"], false)).toBeNull();
    expect(segmentOf(["%ff"], false)).toBeNull();
    expect(segmentOf(["%2f"], false)).toBeNull();
    expect(segmentOf(["%2e%2e"], false)).toBeNull();
    expect(segmentOf(["IMG.JPG"], true)).toBeNull();
    expect(segmentOf(["IMG.JPG"], false)).toBe("IMG.JPG");
  });

  it("keeps capitals apart on such a file system", async () => {
    const folding = directoryStore(root, true);
    await write(folding, "Cat.jpg", "one");
    await write(folding, "cat.jpg", "two");
    expect((await fs.readdir(root)).filter((name) => name !== ".%store").sort()).toEqual(["%43at.jpg", "cat.jpg"]);
  });
});
