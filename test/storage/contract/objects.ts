/** @file The part of the contract about one object: writing, reading whole and in part, removing, giving up. */
import assert from "node:assert/strict";
import { readBytes, readObject } from "../../../shared/storage/body.ts";
import { keyBytesMax } from "../../../shared/storage/keys.ts";
import type { ObjectStore } from "../../../shared/storage/store.ts";
import { assertSame, bytesOf, type Check, fails, found, readAll, textAt, type, write } from "./check.ts";

const megabyte = 1_048_576;

/** Bytes that repeat with no power of two, so that a lost or doubled block shows. */
function patterned(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) % 251;
  return bytes;
}

/** Names that have broken some encoder: of URLs, of headers, of XML, of file names. */
const oddNames: readonly string[] = [
  "with space.jpg",
  " leading and trailing ",
  "a+b=c&d;e,f.jpg",
  "100%.jpg",
  "%2e%2e%2fetc",
  "%25",
  "%+",
  "question?mark#hash",
  `quotes'"<&>.jpg`,
  "back\\slash..\\..",
  "colon:star*pipe|",
  "grüße-ñ-e\u0301-é.jpg",
  "猫/写真.jpg",
  "🐈‍⬛ cat 🏳️‍🌈.png",
  "\u{10ffff}\ufffd\ue000",
  ".hidden/..double/trailing./...",
  "~!@$^()[]{}`",
  "CON/nul.txt",
  "constructor/__proto__",
];

export const objectChecks: readonly Check[] = [
  {
    name: "gives back bytes, content type, cache control and metadata as they were written",
    async run(store, at) {
      const metadata = { source: "images/cat.jpg", "explainer-key": "sha256:00ff", note: 'a "b" = c; d' };
      const written = await store.put(`${at}cat.png`, bytesOf("miau"), {
        contentType: "image/png",
        cacheControl: "public, max-age=60",
        metadata,
      });
      assert(written.outcome === "written");
      const { info, range, body } = await found(store, `${at}cat.png`);
      assert.deepEqual(await readBytes(body, { bytesMax: 4, what: "it" }), bytesOf("miau"));
      assert.deepEqual(range, { offset: 0, length: 4 });
      const { modified, ...rest } = info;
      assert.deepEqual(rest, {
        key: `${at}cat.png`,
        size: 4,
        etag: written.etag,
        contentType: "image/png",
        cacheControl: "public, max-age=60",
        metadata,
      });
      assert(Math.abs(Date.now() - modified.getTime()) < 60_000, `modified ${modified.toISOString()}`);
      assert.deepEqual(await store.head(`${at}cat.png`), info);
    },
  },
  {
    name: "holds an empty object",
    async run(store, at) {
      await write(store, `${at}empty`, "");
      assert.equal((await store.head(`${at}empty`))?.size, 0);
      assert.equal(await textAt(store, `${at}empty`), "");
      assert.equal(await textAt(store, `${at}empty`, { range: { offset: 0, length: 10 } }), "");
    },
  },
  {
    name: "holds five megabytes",
    async run(store, at) {
      const bytes = patterned(5 * megabyte + 17);
      await store.put(`${at}large`, bytes, type);
      const object = await found(store, `${at}large`);
      assert.equal(object.info.size, bytes.length);
      assertSame(await readAll(object), bytes);
    },
  },
  {
    name: "writes the part of a buffer that a view shows",
    async run(store, at) {
      await store.put(`${at}view`, bytesOf("0123456789").subarray(3, 6), type);
      assert.equal(await textAt(store, `${at}view`), "345");
    },
  },
  {
    name: "keeps odd names apart, and lists each as it was given",
    async run(store, at) {
      for (const name of oddNames) await write(store, at + name, name);
      for (const name of oddNames) {
        assert.equal(await textAt(store, at + name), name);
        assert.equal((await store.head(at + name))?.key, at + name);
      }
      const { objects } = await store.list({ prefix: at });
      assert.deepEqual(new Set(objects.map(({ key }) => key)), new Set(oddNames.map((name) => at + name)));
      for (const name of oddNames) await store.delete(at + name);
      assert.deepEqual((await store.list({ prefix: at })).objects, []);
    },
  },
  {
    name: `holds keys of ${keyBytesMax} bytes, of one segment and of many`,
    async run(store, at) {
      const long = `${at}${"é".repeat(Math.floor((keyBytesMax - at.length) / 2))}`;
      const deep = (at + "ab/".repeat(400)).slice(0, keyBytesMax - 1) + "x";
      for (const key of [long, deep]) await write(store, key, key.slice(-3));
      for (const key of [long, deep]) assert.equal(await textAt(store, key), key.slice(-3));
      const { objects } = await store.list({ prefix: at });
      assert.deepEqual(objects.map(({ key }) => key).sort(), [long, deep].sort());
    },
  },
  {
    name: "reads a range, cut to what there is",
    async run(store, at) {
      const key = `${at}digits`;
      await write(store, key, "0123456789");
      const part = async (offset: number, length?: number) => {
        const { range, info, body } = await found(store, key, { range: { offset, length } });
        const bytes = await readBytes(body, { bytesMax: 10, what: key });
        assert.equal(bytes.length, range.length);
        assert.equal(info.size, 10);
        return [new TextDecoder().decode(bytes), range.offset];
      };
      assert.deepEqual(await part(0, 3), ["012", 0]);
      assert.deepEqual(await part(4, 2), ["45", 4]);
      assert.deepEqual(await part(7), ["789", 7]);
      assert.deepEqual(await part(8, 100), ["89", 8]);
      assert.deepEqual(await part(9, 1), ["9", 9]);
      assert.deepEqual(await part(10, 1), ["", 10]);
      assert.deepEqual(await part(500), ["", 10]);
      await fails(store.get(key, { range: { offset: -1 } }), "request-invalid");
      await fails(store.get(key, { range: { offset: 0, length: 0 } }), "request-invalid");
    },
  },
  {
    name: "says null where there is nothing, and removes twice without complaint",
    async run(store, at) {
      const key = `${at}short-lived`;
      assert.equal(await store.head(key), null);
      assert.equal(await store.get(key), null);
      assert.equal(await store.get(key, { range: { offset: 0, length: 1 }, ifMatch: "0" }), null);
      await store.delete(key);
      await write(store, key, "here");
      await store.delete(key);
      await store.delete(key);
      assert.equal(await store.head(key), null);
      await write(store, key, "here again");
      assert.equal(await textAt(store, key), "here again");
    },
  },
  {
    name: "replaces bytes, content type and metadata together",
    async run(store, at) {
      const key = `${at}twice`;
      await store.put(key, bytesOf("first"), { contentType: "text/plain", metadata: { turn: "1" } });
      await store.put(key, bytesOf("second!"), { contentType: "text/html" });
      const { info, body } = await found(store, key);
      assert.deepEqual([info.size, info.contentType, info.metadata], [7, "text/html", {}]);
      assert.deepEqual(await readBytes(body, { bytesMax: 7, what: key }), bytesOf("second!"));
    },
  },
  {
    name: "refuses keys that no store could hold, in every call",
    async run(store, at) {
      const wrong = [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "../../etc/passwd",
        "a/./b",
        "a\0b",
        "a\nb",
        "a\u0085b",
        "a\ud800b",
        "a\uffff",
        at + "x".repeat(keyBytesMax),
      ];
      for (const key of wrong) {
        await fails(store.head(key), "request-invalid");
        await fails(store.get(key), "request-invalid");
        await fails(store.put(key, bytesOf("x"), type), "request-invalid");
        await fails(store.delete(key), "request-invalid");
      }
      for (const prefix of ["/", "a//", "../", "a/./b", "a\0"]) await fails(store.list({ prefix }), "request-invalid");
    },
  },
  {
    name: "refuses content types and metadata that a header cannot carry",
    async run(store, at) {
      const put = (options: Partial<Parameters<ObjectStore["put"]>[2]>) =>
        fails(store.put(`${at}x`, bytesOf("x"), { ...type, ...options }), "request-invalid");
      await put({ contentType: "" });
      await put({ contentType: "text/plain\r\nx: y" });
      await put({ cacheControl: "ü" });
      await put({ metadata: { Upper: "x" } });
      await put({ metadata: { "a b": "x" } });
      await put({ metadata: { a: "x\n" } });
      await put({ metadata: { a: " x" } });
      await put({ metadata: { a: "x".repeat(2048) } });
      await put({ onlyIfAbsent: true, ifMatch: "x" });
      assert.equal(await store.head(`${at}x`), null);
    },
  },
  {
    name: "stops reading where a byte cap is exceeded",
    async run(store, at) {
      await store.put(`${at}large`, patterned(5 * megabyte), type);
      let passed = 0;
      const count = new TransformStream<Uint8Array, Uint8Array>(
        {
          transform(chunk, out) {
            passed += chunk.length;
            out.enqueue(chunk);
          },
        },
        { highWaterMark: 1 },
        { highWaterMark: 0 },
      );
      const { body } = await found(store, `${at}large`);
      const limit = { bytesMax: 100_000, what: "it" };
      await fails(readBytes(body.pipeThrough(count), limit), "image-too-large");
      assert(passed > limit.bytesMax && passed < megabyte, `${passed} bytes were read`);
      const again = await found(store, `${at}large`);
      const error = await fails(readObject(again, { ...limit, code: "storage-failed" }), "storage-failed");
      assert.deepEqual(error.context, { bytes: 5 * megabyte, bytesMax: 100_000 });
    },
  },
  {
    name: "does nothing once the signal has fired",
    async run(store, at) {
      const key = `${at}given-up`;
      const signal = AbortSignal.abort();
      await fails(store.put(key, bytesOf("x"), { ...type, signal }), "cancelled");
      assert.equal(await store.head(key), null);
      await write(store, key, "x");
      await fails(store.head(key, { signal }), "cancelled");
      await fails(store.get(key, { signal }), "cancelled");
      await fails(store.list({ prefix: at, signal }), "cancelled");
      await fails(store.delete(key, { signal }), "cancelled");
      assert.equal(await textAt(store, key), "x");
    },
  },
  {
    name: "breaks a body off when the signal fires",
    async run(store, at) {
      await store.put(`${at}large`, patterned(5 * megabyte), type);
      const abort = new AbortController();
      const { body } = await found(store, `${at}large`, { signal: abort.signal });
      const reader = body.getReader();
      assert.equal((await reader.read()).done, false);
      abort.abort();
      await fails(readToEnd(reader), "cancelled");
    },
  },
  {
    name: "lets a body be cancelled, and serves the next call",
    async run(store, at) {
      await store.put(`${at}large`, patterned(megabyte), type);
      // More often than a client has connections: one that is not let go is missed.
      for (let i = 0; i < 60; i++) await (await found(store, `${at}large`)).body.cancel();
      const { body } = await found(store, `${at}large`, { range: { offset: megabyte - 1 } });
      assert.equal((await readBytes(body, { bytesMax: 1, what: "it" })).length, 1);
    },
  },
];

async function readToEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}
