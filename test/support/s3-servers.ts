/**
 * @file Local buckets for tests: R2 by its binding, and R2's S3 endpoint, both out of miniflare on free loopback ports.
 * The endpoint came after the miniflare that wrangler for Node 20 has, hence a second one under another name.
 */
import type { R2Bucket } from "@cloudflare/workers-types";
import { Miniflare } from "miniflare";
import { Miniflare as MiniflareS3 } from "miniflare-s3";
import type { S3Credentials, S3Options } from "../../shared/storage/s3.ts";

/** Where an S3 can be reached, and how to end it. */
export interface S3Server extends S3Options {
  readonly endpoint: string;
  readonly credentials: S3Credentials;
  readonly stop: () => Promise<void>;
}

/** The parts of miniflare's options that keep it silent, local and in memory. */
const quiet = { host: "127.0.0.1", port: 0, cf: false, telemetry: { enabled: false } } as const;

/** Workerd has to run something. */
const idle = { modules: true, script: "export default { fetch: () => new Response() }" } as const;

/** The binding as Node sees it: miniflare passes every call on to workerd. */
export async function startR2() {
  const server = new Miniflare({ ...quiet, ...idle, compatibilityDate: "2026-04-01", r2Buckets: ["BUCKET"] });
  // Miniflare's type is workerd's with Node's streams and headers in it; the calls are the same.
  const bucket = (await server.getR2Bucket("BUCKET")) as unknown as R2Bucket;
  return { bucket, stop: () => server.dispose() };
}

/** Signatures are checked, conditions enforced. The bucket is empty and gone with the server. */
export async function startMiniflareS3(): Promise<S3Server> {
  const credentials = { accessKeyId: "local-key-id", secretAccessKey: "local-secret-key" };
  const server = new MiniflareS3({
    ...quiet,
    ...idle,
    compatibilityDate: "2026-07-01",
    r2Buckets: { BUCKET: { id: "images", s3Credentials: credentials } },
  });
  const endpoint = new URL("/cdn-cgi/local/r2/s3", await server.ready).href;
  return { endpoint, bucket: "images", region: "auto", credentials, stop: () => server.dispose() };
}
