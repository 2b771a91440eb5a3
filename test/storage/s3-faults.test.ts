/** @file What the S3 store makes of servers that fail: one of our own does, for no real one fails on demand. */
import { once } from "node:events";
import http from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { s3Store } from "../../shared/storage/s3.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { bytesOf, fails, found, readAll, type } from "./contract/check.ts";

let server: http.Server | undefined;
afterEach(async () => {
  if (server === undefined) return;
  server.closeAllConnections();
  server.close();
  await once(server, "close");
  server = undefined;
});

const storeAt = (port: number): ObjectStore =>
  s3Store({
    bucket: "images",
    endpoint: `http://127.0.0.1:${port}`,
    region: "auto",
    credentials: { accessKeyId: "key-id", secretAccessKey: "secret" },
  });

/** A store over a server that answers like this. */
async function storeOver(answer: http.RequestListener): Promise<ObjectStore> {
  server = http.createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return storeAt(address.port);
}

const refusal = (code: string): string => `<Error><Code>${code}</Code><Message>of AKIASECRET</Message></Error>`;

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly transient: boolean;
  readonly why: string;
}

const answers: readonly Answer[] = [
  { status: 500, code: "InternalError", transient: true, why: "InternalError (500)" },
  { status: 503, code: "SlowDown", transient: true, why: "SlowDown (503)" },
  { status: 429, code: "TooManyRequests", transient: true, why: "TooManyRequests (429)" },
  { status: 409, code: "ConditionalRequestConflict", transient: true, why: "ConditionalRequestConflict (409)" },
  { status: 400, code: "RequestTimeout", transient: true, why: "RequestTimeout (400)" },
  { status: 400, code: "InvalidArgument", transient: false, why: "InvalidArgument (400)" },
  { status: 403, code: "AccessDenied", transient: false, why: "AccessDenied (403)" },
  { status: 404, code: "NoSuchBucket", transient: false, why: "NoSuchBucket (404)" },
  { status: 301, code: "PermanentRedirect", transient: false, why: "PermanentRedirect (301)" },
  { status: 507, code: "key AKIASECRET has no room", transient: true, why: "HTTP status 507" },
];

describe("the S3 store and a server that fails", () => {
  it.each(answers)("takes $status $code for transient: $transient", async ({ status, code, transient, why }) => {
    const store = await storeOver((_, response) => response.writeHead(status).end(refusal(code)));
    const error = await fails(store.put("a/b", bytesOf("x"), type), "storage-failed");
    expect(error.context).toEqual({ store: "s3:images", operation: "put", key: "a/b", status, transient });
    const advice = transient ? "; the same call may succeed later" : "";
    expect(error.message).toBe(`cannot write "a/b" in s3:images: ${why}${advice}`);
  });

  it("tries three times before it gives up", async () => {
    let tries = 0;
    const store = await storeOver((_, response) => {
      tries += 1;
      response.writeHead(503).end();
    });
    await fails(store.head("a"), "storage-failed");
    expect(tries).toBe(3);
  });

  it("does not show a fault that a second try cures", async () => {
    let tries = 0;
    const store = await storeOver((_, response) => {
      tries += 1;
      if (tries === 1) response.destroy();
      else response.writeHead(200, { etag: '"1"' }).end();
    });
    expect(await store.put("a", bytesOf("x"), type)).toEqual({ outcome: "written", etag: "1" });
  });

  it("takes a closed port for a fault that passes, within seconds", async () => {
    await storeOver(() => {});
    const address = server?.address();
    if (address === null || typeof address !== "object") throw new Error("no port was given");
    server?.close();
    server = undefined;
    const start = performance.now();
    const error = await fails(storeAt(address.port).get("a"), "storage-failed");
    expect(error.context).toMatchObject({ status: null, transient: true });
    expect(error.message).toBe('cannot read "a" in s3:images: ECONNREFUSED; the same call may succeed later');
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it("fails a body that ends early, however it ends", async () => {
    const cut = await storeOver((_, response) => {
      response.writeHead(200, { "content-length": "100", etag: '"1"' });
      response.write("x".repeat(50), () => setTimeout(() => response.destroy(), 50));
    });
    const error = await fails(readAll(await found(cut, "a")), "storage-failed");
    expect(error.context).toMatchObject({ operation: "get", transient: true });
  });

  it("gives up a server that says nothing as soon as the signal fires", async () => {
    const store = await storeOver(() => {});
    const start = performance.now();
    await fails(store.get("a", { signal: AbortSignal.timeout(200) }), "cancelled");
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it("does not try again once the signal has fired", async () => {
    const abort = new AbortController();
    let tries = 0;
    const store = await storeOver((_, response) => {
      tries += 1;
      response.writeHead(503).end(() => abort.abort());
    });
    await fails(store.head("a", { signal: abort.signal }), "cancelled");
    // Longer than the pauses between three tries.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(tries).toBe(1);
  });

  it("refuses an endpoint with a password, and does not show it", () => {
    const open = (endpoint: string) => () => s3Store({ bucket: "images", region: "auto", endpoint });
    expect(open("https://key:hunter2@s3.example")).toThrow(/^cannot use the S3 endpoint(?!.*hunter2)/);
    expect(open("ftp://s3.example")).toThrow(/http or https/);
    expect(open("s3.example")).toThrow(/http or https/);
  });
});
