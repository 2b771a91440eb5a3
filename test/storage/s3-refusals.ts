/** @file What every S3 server must be understood to say when it refuses: a table that the tests of both servers run. */
import { inspect } from "node:util";
import { expect } from "vitest";
import { isTransient } from "../../shared/storage/call.ts";
import { s3Store } from "../../shared/storage/s3.ts";
import type { ObjectStore, StorageFailure } from "../../shared/storage/store.ts";
import type { S3Server } from "../support/s3-servers.ts";
import { bytesOf, fails, type } from "./contract/check.ts";

export interface Refusal {
  readonly name: string;
  readonly run: (server: S3Server) => Promise<void>;
}

const operations: Readonly<Record<StorageFailure["operation"], (store: ObjectStore) => Promise<unknown>>> = {
  head: (store) => store.head("a"),
  get: (store) => store.get("a"),
  put: (store) => store.put("a", bytesOf("x"), type),
  list: (store) => store.list({ prefix: "a" }),
  delete: (store) => store.delete("a"),
};

/** Every call fails for good, as unauthorized or forbidden, and tells nothing of the credentials. */
async function refusesAll(server: S3Server, credentials: S3Server["credentials"]): Promise<void> {
  const store = s3Store({ ...server, credentials });
  for (const [operation, run] of Object.entries(operations)) {
    const error = await fails(run(store), "storage-failed");
    const { status, ...rest } = error.context;
    expect(rest).toEqual({ store: "s3:images", operation, key: "a", transient: false });
    expect([401, 403]).toContain(status);
    expect(isTransient(error)).toBe(false);
    const shown = inspect(error, { depth: 20, showHidden: true });
    for (const secret of Object.values(credentials)) expect(shown).not.toContain(secret);
  }
}

export const refusals: readonly Refusal[] = [
  {
    name: "refuses a wrong secret for good, and shows no credential",
    run: (server) => refusesAll(server, { ...server.credentials, secretAccessKey: "not-the-secret" }),
  },
  {
    name: "refuses an unknown key for good, and shows no credential",
    run: (server) => refusesAll(server, { accessKeyId: "unknown-key-id", secretAccessKey: "unknown-secret" }),
  },
  {
    name: "tells a missing bucket from a missing object",
    async run(server) {
      const store = s3Store({ ...server, bucket: "no-such-bucket" });
      for (const operation of ["get", "put", "list"] as const) {
        const error = await fails(operations[operation](store), "storage-failed");
        expect(error.context).toMatchObject({ operation, status: 404, transient: false });
        expect(error.message).toContain("NoSuchBucket");
      }
    },
  },
];
