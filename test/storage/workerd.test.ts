/** @file The contract in workerd itself: R2 by its binding, and an S3 by the client as a Worker bundles it. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3Server, startMiniflareS3 } from "../support/s3-servers.ts";
import { shortContract } from "./contract.ts";

const here = path.join(import.meta.dirname, "workerd");
const wrangler = path.resolve(import.meta.dirname, "../../node_modules/.bin/wrangler");
const silent = { WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", CI: "1", NO_COLOR: "1" };

/** Bundles by wrangler, as a deployment does. */
async function bundled(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "backlight-worker-"));
  try {
    const options = ["deploy", "--dry-run", "--outdir", folder, "-c", path.join(here, "wrangler.toml")];
    await promisify(execFile)(wrangler, options, { env: { ...process.env, ...silent, XDG_CONFIG_HOME: folder } });
    return await readFile(path.join(folder, "worker.js"), "utf8");
  } finally {
    await rm(folder, { recursive: true });
  }
}

let s3: S3Server;
let server: Miniflare;
beforeAll(async () => {
  s3 = await startMiniflareS3();
  server = new Miniflare({
    modules: true,
    script: await bundled(),
    compatibilityDate: "2026-04-01",
    compatibilityFlags: ["nodejs_compat"],
    r2Buckets: ["BUCKET"],
    bindings: { S3: JSON.stringify({ ...s3, stop: undefined }) },
    host: "127.0.0.1",
    port: 0,
    cf: false,
    telemetry: { enabled: false },
  });
  await server.ready;
});
afterAll(async () => {
  await server.dispose();
  await s3.stop();
});

async function outcomeOf(store: "r2" | "s3", check: string): Promise<string> {
  const response = await server.dispatchFetch(`http://localhost/${store}`, { method: "POST", body: check });
  return response.text();
}

describe("in workerd, the store over an R2 binding", () => {
  it.each(shortContract)("$name", async ({ name }) => expect(await outcomeOf("r2", name)).toBe(""));
});

describe("in workerd, the store over an S3", () => {
  it("tells refusals for good from faults that pass", async () => {
    const refused = async (changes: object): Promise<unknown> => {
      const request = { method: "POST", body: JSON.stringify(changes) };
      return (await server.dispatchFetch("http://localhost/refused", request)).json();
    };
    const context = { store: "s3:images", operation: "list", key: "a" };
    expect(await refused({ credentials: { ...s3.credentials, secretAccessKey: "wrong" } })).toEqual({
      message: 'cannot list "a" in s3:images: SignatureDoesNotMatch (403)',
      context: { ...context, status: 403, transient: false },
    });
    expect(await refused({ endpoint: "http://127.0.0.1:1" })).toEqual({
      message: 'cannot list "a" in s3:images: the connection failed; the same call may succeed later',
      context: { ...context, status: null, transient: true },
    });
  });

  it.each(shortContract)("$name", async ({ name }) => expect(await outcomeOf("s3", name)).toBe(""));
});
