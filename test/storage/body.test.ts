/** @file Reading bodies: caps, lengths that lie, and letting go. */
import { describe, expect, it } from "vitest";
import { readBytes, readObject, watchBody } from "../../shared/storage/body.ts";
import type { Call } from "../../shared/storage/call.ts";
import type { FoundObject } from "../../shared/storage/store.ts";
import { bytesOf, fails } from "./contract/check.ts";

/** A body of these chunks, and what became of it. */
function bodyOf(...chunks: readonly string[]) {
  const seen = { pulled: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull(controller) {
        const chunk = chunks[seen.pulled++];
        if (chunk === undefined) controller.close();
        else controller.enqueue(bytesOf(chunk));
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, seen };
}

const limit = { bytesMax: 6, what: 'the image "a"' };
const explain = () => ({ why: "it broke", status: 502, transient: true });
const call: Call = { store: "s3:images", operation: "get", key: "a", signal: undefined, explain };

function objectOf(body: FoundObject["body"], length: number): FoundObject {
  const info = { key: "a", size: length, etag: "1", modified: new Date(0), contentType: "a/b", cacheControl: null };
  return { outcome: "found", info: { ...info, metadata: {} }, range: { offset: 0, length }, body };
}

describe("reading a body of unknown length", () => {
  it("joins its chunks, up to and with the cap", async () => {
    expect(await readBytes(bodyOf("abc", "", "def").body, limit)).toEqual(bytesOf("abcdef"));
    expect(await readBytes(bodyOf().body, limit)).toEqual(bytesOf(""));
  });

  it("stops at the chunk that exceeds the cap, and lets the body go", async () => {
    const { body, seen } = bodyOf("abc", "def", "g", "never", "never");
    const error = await fails(readBytes(body, limit), "image-too-large");
    expect(error.message).toBe('cannot read the image "a": it has more bytes, of which 6 are allowed');
    expect(error.context).toEqual({ bytes: null, bytesMax: 6 });
    await expect.poll(() => seen).toEqual({ pulled: 3, cancelled: true });
  });

  it("fails with the code that is asked for", async () => {
    await fails(readBytes(bodyOf("abcdefg").body, { ...limit, code: "fetch-failed" }), "fetch-failed");
  });

  it("passes on what the body fails with", async () => {
    const body = new ReadableStream<Uint8Array>({
      pull: () => {
        throw new RangeError("torn");
      },
    });
    await expect(readBytes(body, limit)).rejects.toThrow(new RangeError("torn"));
  });
});

describe("reading an opened object", () => {
  it("refuses by the announced length, before a byte is read", async () => {
    const { body, seen } = bodyOf("abcdefg");
    const error = await fails(readObject(objectOf(body, 7), limit), "image-too-large");
    expect(error.message).toBe('cannot read the image "a": it has 7 bytes, of which 6 are allowed');
    expect(seen).toEqual({ pulled: 0, cancelled: true });
  });

  it("gives one buffer of exactly its size", async () => {
    const bytes = await readObject(objectOf(bodyOf("ab", "cd").body, 4), limit);
    expect([bytes, bytes.buffer.byteLength]).toEqual([bytesOf("abcd"), 4]);
  });
});

describe("a watched body", () => {
  it.each([
    ["shorter", 7, "7 bytes were announced, 6 arrived"],
    ["longer", 5, "5 bytes were announced, 6 arrived"],
  ])("fails as transient when it is %s than announced", async (_, announced, why) => {
    const { body } = bodyOf("abc", "def", "");
    const error = await fails(new Response(watchBody(body, announced, call)).text(), "storage-failed");
    expect(error.message).toBe(`cannot read "a" in s3:images: ${why}; the same call may succeed later`);
    expect(error.context["transient"]).toBe(true);
  });

  it("turns the platform's error into ours", async () => {
    const body = new ReadableStream<Uint8Array>({
      pull: () => {
        throw new Error("socket with a secret");
      },
    });
    const error = await fails(new Response(watchBody(body, 5, call)).text(), "storage-failed");
    expect(error.message).toBe('cannot read "a" in s3:images: it broke; the same call may succeed later');
    expect(error.cause).toBeUndefined();
  });

  it("reads nothing before it is asked to, and lets go when it is cancelled", async () => {
    const { body, seen } = bodyOf("abc", "def");
    const watched = watchBody(body, 6, call);
    expect(seen.pulled).toBe(0);
    await watched.cancel();
    expect(seen.cancelled).toBe(true);
  });

  it("ends a read that waits when the signal fires, and lets go", async () => {
    const abort = new AbortController();
    let isCancelled = false;
    const silent = new ReadableStream<Uint8Array>({
      pull: () => new Promise(() => {}),
      cancel: () => {
        isCancelled = true;
      },
    });
    const reading = fails(new Response(watchBody(silent, 6, { ...call, signal: abort.signal })).text(), "cancelled");
    abort.abort();
    await reading;
    await expect.poll(() => isCancelled).toBe(true);
  });
});
