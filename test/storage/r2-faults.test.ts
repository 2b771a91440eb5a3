/** @file What the R2 store makes of R2's errors: a bucket of our own throws them, for no local R2 does. */
import type { R2Bucket } from "@cloudflare/workers-types";
import { describe, expect, it } from "vitest";
import { r2Store } from "../../shared/storage/r2.ts";
import { fails } from "./contract/check.ts";

/** A store whose bucket fails a head like this. */
const storeThatThrows = (error: unknown) =>
  // The one method that is called.
  r2Store({ head: () => Promise.reject(error) } as unknown as R2Bucket, "images");

describe("the R2 store", () => {
  it.each([
    ["We encountered an internal error. Please try again. (10001)", 500, true, "InternalError (10001)"],
    ["Service unavailable (10043)", 503, true, "ServiceUnavailable (10043)"],
    ["Reduce your rate of requests (10058)", 429, true, "TooManyRequests (10058)"],
    ["Access denied (10003)", 403, false, "AccessDenied (10003)"],
    ["The bucket does not exist (10006)", 404, false, "NoSuchBucket (10006)"],
    ["Locked (10069)", 403, false, "ObjectLockedByBucketPolicy (10069)"],
    ["Network connection lost.", null, true, "head: Network connection lost."],
    ["Unspecified error (0)", null, true, "head: Unspecified error (0)"],
  ])("takes %j for status %s, transient: %s", async (message, status, transient, why) => {
    const error = await fails(storeThatThrows(new Error(`head: ${message}`)).head("a"), "storage-failed");
    expect(error.context).toEqual({ store: "r2:images", operation: "head", key: "a", status, transient });
    const advice = transient ? "; the same call may succeed later" : "";
    expect(error.message).toBe(`cannot look up "a" in r2:images: ${why}${advice}`);
  });

  it("gives up waiting when the signal fires, for R2 itself cannot", async () => {
    const store = r2Store({ head: () => new Promise(() => {}) } as unknown as R2Bucket, "images");
    const error = await fails(store.head("a", { signal: AbortSignal.timeout(20) }), "cancelled");
    expect(error.message).toBe('cannot look up "a" in r2:images: the call was cancelled');
  });
});
