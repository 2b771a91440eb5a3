/** @file The part of the contract about listings: order, pages, prefixes, folders. */
import assert from "node:assert/strict";
import { listAll } from "../../../shared/storage/list-all.ts";
import type { ListOptions, ListPage, ObjectStore } from "../../../shared/storage/store.ts";
import { bytesOf, type Check, fails, type, write } from "./check.ts";

/** In the order of their UTF-8 bytes: capitals first, "-" and "." before "/", and U+10000 after U+FFFD. */
const inOrder: readonly string[] = [
  "A",
  "B/1",
  "Z",
  "a",
  "b-c",
  "b.c",
  "b/1",
  "b/10",
  "b/2",
  "b/c/d/e",
  "b0",
  "c d",
  "c%d",
  "é",
  "\ufffd",
  "\u{10000}",
];

const fill = async (store: ObjectStore, at: string, names: readonly string[]): Promise<void> => {
  await Promise.all(names.map((name) => write(store, at + name, name)));
};

const keysOf = async (store: ObjectStore, options: ListOptions): Promise<readonly string[]> =>
  (await store.list(options)).objects.map(({ key }) => key);

/** All pages; each but the last must say where the next begins, and none may be over its limit. */
async function pagesOf(store: ObjectStore, options: ListOptions & { readonly limit: number }) {
  const pages: ListPage[] = [];
  let cursor: string | null = null;
  do {
    const page: ListPage = await store.list({ ...options, cursor: cursor ?? undefined });
    assert(page.objects.length + page.prefixes.length <= options.limit);
    pages.push(page);
    assert(pages.length < 1000, "the pages do not end");
    cursor = page.cursor;
  } while (cursor !== null);
  return pages;
}

export const listChecks: readonly Check[] = [
  {
    name: "lists keys in the order of their UTF-8 bytes, with size and time",
    async run(store, at) {
      await fill(store, at, inOrder.toReversed());
      const { objects, prefixes, cursor } = await store.list({ prefix: at });
      assert.deepEqual(
        objects.map(({ key }) => key),
        inOrder.map((name) => at + name),
      );
      assert.deepEqual([prefixes, cursor], [[], null]);
      for (const { key, size, modified } of objects) {
        assert.equal(size, bytesOf(key.slice(at.length)).length);
        assert(Math.abs(Date.now() - modified.getTime()) < 60_000, key);
      }
    },
  },
  {
    name: "lists nothing where nothing is",
    async run(store, at) {
      assert.deepEqual(await store.list({ prefix: at }), { objects: [], prefixes: [], cursor: null });
      assert.deepEqual(await store.list({ prefix: at, delimiter: "/" }), { objects: [], prefixes: [], cursor: null });
    },
  },
  {
    name: "takes any beginning of a key for a prefix",
    async run(store, at) {
      await fill(store, at, inOrder);
      assert.deepEqual(await keysOf(store, { prefix: `${at}b/1` }), [`${at}b/1`, `${at}b/10`]);
      assert.deepEqual(
        await keysOf(store, { prefix: `${at}b/` }),
        ["b/1", "b/10", "b/2", "b/c/d/e"].map((n) => at + n),
      );
      assert.deepEqual(await keysOf(store, { prefix: `${at}b.` }), [`${at}b.c`]);
      assert.deepEqual(await keysOf(store, { prefix: `${at}b/c/d/e` }), [`${at}b/c/d/e`]);
      assert.deepEqual(await keysOf(store, { prefix: `${at}b/c/d/e/f` }), []);
    },
  },
  {
    name: "pages through everything once, whatever the size of a page",
    async run(store, at) {
      await fill(store, at, inOrder);
      for (const limit of [1, 3, inOrder.length - 1, inOrder.length, 1000]) {
        const pages = await pagesOf(store, { prefix: at, limit });
        assert.deepEqual(
          pages.flatMap(({ objects }) => objects.map(({ key }) => key)),
          inOrder.map((name) => at + name),
        );
        assert(pages.length >= Math.ceil(inOrder.length / limit));
      }
      await fails(store.list({ prefix: at, limit: 0 }), "request-invalid");
      await fails(store.list({ prefix: at, limit: 1001 }), "request-invalid");
    },
  },
  {
    name: "tells what lies below a slash as one prefix",
    async run(store, at) {
      await fill(store, at, inOrder);
      const whole = await store.list({ prefix: at, delimiter: "/" });
      assert.deepEqual(whole.prefixes, [`${at}B/`, `${at}b/`]);
      const files = inOrder.filter((name) => !name.includes("/"));
      assert.deepEqual(
        whole.objects.map(({ key }) => key),
        files.map((name) => at + name),
      );
      const inside = await store.list({ prefix: `${at}b/`, delimiter: "/" });
      assert.deepEqual(inside.prefixes, [`${at}b/c/`]);
      assert.deepEqual(
        inside.objects.map(({ key }) => key),
        ["b/1", "b/10", "b/2"].map((name) => at + name),
      );
      const open = await store.list({ prefix: `${at}b`, delimiter: "/" });
      assert.deepEqual([open.prefixes, open.objects.length], [[`${at}b/`], 3]);
      for (const limit of [1, 2, 5]) {
        const pages = await pagesOf(store, { prefix: at, delimiter: "/", limit });
        assert.deepEqual(
          pages.flatMap(({ prefixes }) => prefixes),
          [`${at}B/`, `${at}b/`],
        );
        assert.deepEqual(
          pages.flatMap(({ objects }) => objects.map(({ key }) => key)),
          files.map((name) => at + name),
        );
      }
    },
  },
  {
    name: "begins after a key, whether it exists or not",
    async run(store, at) {
      await fill(store, at, inOrder);
      const after = (name: string) => keysOf(store, { prefix: at, startAfter: at + name });
      assert.deepEqual((await after("b/10"))[0], `${at}b/2`);
      assert.deepEqual((await after("b/11"))[0], `${at}b/2`);
      assert.deepEqual((await after("b"))[0], `${at}b-c`);
      assert.deepEqual(await after("\u{10000}"), []);
      assert.deepEqual(
        await after("0"),
        inOrder.map((name) => at + name),
      );
      const pages = await pagesOf(store, { prefix: at, startAfter: `${at}b/10`, limit: 2 });
      assert.deepEqual(
        pages.flatMap(({ objects }) => objects.map(({ key }) => key)),
        inOrder.slice(inOrder.indexOf("b/2")).map((name) => at + name),
      );
    },
  },
  {
    name: "tells in each page what was put and removed before it was asked for",
    async run(store, at) {
      await fill(store, at, ["a", "c", "e", "g"]);
      const first = await store.list({ prefix: at, limit: 2 });
      assert(first.cursor !== null);
      await store.put(`${at}d`, bytesOf("d"), type);
      await store.delete(`${at}e`);
      const second = await store.list({ prefix: at, limit: 2, cursor: first.cursor });
      assert.deepEqual(
        second.objects.map(({ key }) => key),
        [`${at}d`, `${at}g`],
      );
      assert.deepEqual(await store.list({ prefix: at, limit: 2, cursor: first.cursor }), second);
    },
  },
  {
    name: "goes through more objects than a page holds",
    isLong: true,
    async run(store, at) {
      const count = 1030;
      const names = Array.from({ length: count }, (_, i) => `${i % 7}/${String(i).padStart(5, "0")}`).sort();
      for (let i = 0; i < count; i += 32) {
        const some = names.slice(i, i + 32);
        await Promise.all(some.map((name) => store.put(at + name, bytesOf(name), type)));
      }
      const seen: string[] = [];
      for await (const { key } of listAll(store, { prefix: at })) seen.push(key);
      assert.deepEqual(
        seen,
        names.map((name) => at + name),
      );
      const first = await store.list({ prefix: at });
      assert(first.objects.length <= 1000 && first.cursor !== null);
    },
  },
];
