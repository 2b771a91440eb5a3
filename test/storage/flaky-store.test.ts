/** @file The flaky store: what tests of retries rely on. */
import { describe, expect, it } from "vitest";
import { isTransient } from "../../shared/storage/call.ts";
import { flakyStore } from "../support/flaky-store.ts";
import { bytesOf, fails, type } from "./contract/check.ts";
import { temporaryStore } from "./temporary-store.ts";

const open = temporaryStore();

describe("the flaky store", () => {
  it("fails every third call before it took effect", async () => {
    const store = flakyStore(open(), { every: 3, when: "before" });
    await store.put("a", bytesOf("x"), type);
    await store.put("b", bytesOf("x"), type);
    const error = await fails(store.put("c", bytesOf("x"), type), "storage-failed");
    expect(isTransient(error)).toBe(true);
    expect(error.context).toEqual({ store: store.name, operation: "put", key: "c", status: 503, transient: true });
    expect(await store.head("c")).toBeNull();
    expect(store.counts).toEqual({ calls: 4, failures: 1 });
  });

  it("loses every third answer after the call took effect", async () => {
    const store = flakyStore(open(), { every: 3, when: "after" });
    await store.delete("d");
    await store.delete("d");
    await fails(store.put("d", bytesOf("x"), type), "storage-failed");
    expect((await store.head("d"))?.size).toBe(1);
  });

  it("takes turns", async () => {
    const store = flakyStore(open(), { every: 1, when: "alternately" });
    await fails(store.put("e", bytesOf("x"), type), "storage-failed");
    expect(await open().head("e")).toBeNull();
    await fails(store.put("e", bytesOf("x"), type), "storage-failed");
    expect(await open().head("e")).not.toBeNull();
    await fails(store.get("e"), "storage-failed");
    await fails(store.get("e"), "storage-failed");
    await fails(store.list({ prefix: "e" }), "storage-failed");
    await fails(store.head("e"), "storage-failed");
    expect(store.counts).toEqual({ calls: 6, failures: 6 });
  });
});
