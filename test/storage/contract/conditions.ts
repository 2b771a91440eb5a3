/** @file The part of the contract about conditions: ETags in both directions, and writers that race. */
import assert from "node:assert/strict";
import type { PutResult } from "../../../shared/storage/store.ts";
import { assertSame, bytesOf, type Check, found, readAll, textAt, type, write } from "./check.ts";

const writers = 16;
const rounds = 8;

/** The numbers of the writers that wrote. */
const winnersOf = (results: readonly PutResult[]): readonly number[] =>
  results.flatMap(({ outcome }, i) => (outcome === "written" ? [i] : []));

const countOf = (results: readonly PutResult[], outcome: PutResult["outcome"]): number =>
  results.filter((result) => result.outcome === outcome).length;

export const conditionChecks: readonly Check[] = [
  {
    name: "gives an unquoted ETag, the same in every answer, that changes with the content",
    async run(store, at) {
      const etag = await write(store, `${at}a`, "one");
      assert.match(etag, /^[!#-~]+$/);
      assert.equal((await store.head(`${at}a`))?.etag, etag);
      const object = await found(store, `${at}a`);
      await object.body.cancel();
      assert.equal(object.info.etag, etag);
      assert.equal((await store.list({ prefix: `${at}a` })).objects[0]?.etag, etag);
      const second = await store.put(`${at}a`, bytesOf("two"), type);
      assert(second.outcome === "written" && second.etag !== etag);
    },
  },
  {
    name: "reads by ETag: not what is known already, not what has changed",
    async run(store, at) {
      const key = `${at}a`;
      const etag = await write(store, key, "one");
      const other = "0123456789abcdef0123456789abcdef";
      assert.deepEqual(await store.get(key, { ifNoneMatch: etag }), { outcome: "not-modified" });
      assert.equal(await textAt(store, key, { ifNoneMatch: other }), "one");
      assert.equal(await textAt(store, key, { ifMatch: etag }), "one");
      assert.deepEqual(await store.get(key, { ifMatch: other }), { outcome: "changed" });
      assert.equal(await textAt(store, key, { ifMatch: etag, range: { offset: 1, length: 1 } }), "n");
      assert.equal(await textAt(store, key, { ifMatch: etag, range: { offset: 9 } }), "");
      assert.deepEqual(await store.get(key, { ifMatch: other, range: { offset: 9 } }), { outcome: "changed" });
      assert.deepEqual(await store.get(key, { ifNoneMatch: etag, range: { offset: 0, length: 1 } }), {
        outcome: "not-modified",
      });
    },
  },
  {
    name: "creates only what is not there",
    async run(store, at) {
      await write(store, `${at}a`, "one");
      const again = await store.put(`${at}a`, bytesOf("two"), { ...type, onlyIfAbsent: true });
      assert.deepEqual(again, { outcome: "exists" });
      assert.equal(await textAt(store, `${at}a`), "one");
      await store.delete(`${at}a`);
      await write(store, `${at}a`, "three");
    },
  },
  {
    name: "replaces only what is as it was",
    async run(store, at) {
      const key = `${at}a`;
      assert.deepEqual(await store.put(key, bytesOf("x"), { ...type, ifMatch: "0" }), { outcome: "changed" });
      assert.equal(await store.head(key), null);
      const first = await write(store, key, "one");
      const second = await store.put(key, bytesOf("two"), { ...type, ifMatch: first });
      assert(second.outcome === "written" && second.etag !== first);
      assert.deepEqual(await store.put(key, bytesOf("x"), { ...type, ifMatch: first }), { outcome: "changed" });
      assert.equal(await textAt(store, key), "two");
    },
  },
  {
    name: `lets exactly one of ${writers} racing writers create an object`,
    async run(store, at) {
      for (let round = 0; round < rounds; round++) {
        const key = `${at}new/${round}`;
        const bytesBy = (writer: number) => bytesOf(`writer ${writer}\n`.repeat(1000 * (round % 2) + 1));
        const results = await Promise.all(
          Array.from({ length: writers }, (_, i) => store.put(key, bytesBy(i), { ...type, onlyIfAbsent: true })),
        );
        const [winner = -1, ...others] = winnersOf(results);
        assert.deepEqual([others, countOf(results, "exists")], [[], writers - 1]);
        assertSame(await readAll(await found(store, key)), bytesBy(winner));
      }
    },
  },
  {
    name: `lets exactly one of ${writers} racing writers replace an object`,
    async run(store, at) {
      const key = `${at}one`;
      let ifMatch = await write(store, key, "start");
      for (let round = 0; round < rounds; round++) {
        const results = await Promise.all(
          Array.from({ length: writers }, (_, i) => store.put(key, bytesOf(`${round}/${i}`), { ...type, ifMatch })),
        );
        const [winner = -1, ...others] = winnersOf(results);
        assert.deepEqual([others, countOf(results, "changed")], [[], writers - 1]);
        assert.equal(await textAt(store, key), `${round}/${winner}`);
        ifMatch = (await store.head(key))?.etag ?? "";
      }
    },
  },
  {
    name: "shows readers the object before or after a write, never between",
    async run(store, at) {
      const key = `${at}flicker`;
      const versions = [bytesOf("a".repeat(300_000)), bytesOf("b".repeat(200_000))];
      const put = (i: number) =>
        store.put(key, versions[i % 2] ?? bytesOf(""), {
          contentType: "text/plain",
          metadata: { version: `${i % 2}` },
        });
      await put(0);
      const writing = (async () => {
        for (let i = 1; i < 20; i++) await put(i);
      })();
      for (let i = 0; i < 20; i++) {
        const object = await found(store, key);
        assertSame(await readAll(object), versions[Number(object.info.metadata["version"])]);
      }
      await writing;
    },
  },
];
