/**
 * @file The deployed Worker on this machine: workerd with a local bucket, queues and rate limit, all as wrangler.toml
 * says. Bucket notifications are not emulated: `upload` puts an object and sends the message the bucket would.
 */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { R2Bucket } from "@cloudflare/workers-types";
import { Log, LogLevel, Miniflare, type WorkerOptions } from "miniflare";
import { r2Store } from "../../shared/storage/r2.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { bundleWorker } from "./bundle.ts";
import { readWorkerOptions } from "./config.ts";
import { keepLoopbackOpen } from "./loopback.ts";

export interface StackOptions {
  /** A Worker other than the deployed one, by its file: its bindings are the same. */
  readonly entry?: string;
  /** A free one by default. */
  readonly port?: number;
  /** Where the bucket is kept; by default a temporary folder that is removed at the end. */
  readonly state?: string;
  /** Variables and secrets over those of wrangler.toml. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Delay of a retry that names none, for tests that cannot wait. */
  readonly retryDelaySeconds?: number;
  /** What the Worker logs, line by line; dropped by default. */
  readonly onLine?: (line: string) => void;
}

/** The bucket as Node sees it: R2's own interface. It takes no Buffer, only plain arrays. */
export type Bucket = Awaited<ReturnType<Miniflare["getR2Bucket"]>>;

/** A message in the form the queue gives it to the Worker. */
export interface QueueMessage {
  readonly id: string;
  readonly timestamp: Date;
  readonly attempts: number;
  readonly body: unknown;
}

export type QueueOutcome = Awaited<ReturnType<Awaited<ReturnType<Miniflare["getWorker"]>>["queue"]>>;

export interface Stack {
  /** Where it listens, on the loopback interface only. */
  readonly url: URL;
  readonly bucket: Bucket;
  /** The same bucket through our own interface, which takes any bytes. */
  readonly store: ObjectStore;
  /** Asks the Worker for a path such as `/v1/models`. */
  fetch(pathAndQuery: string, init?: RequestInit): Promise<Response>;
  /** Puts an object and tells the Worker, as a bucket with a notification rule does. */
  upload(key: string, bytes: Uint8Array, contentType: string): Promise<void>;
  /** Sends to the queue of upload events. */
  send(message: unknown): Promise<void>;
  /** Calls the Worker's queue handler itself with one batch, and returns what it acknowledged. */
  deliver(queue: string, messages: readonly QueueMessage[]): Promise<QueueOutcome>;
  /** Runs the scheduled handler, as the cron trigger does. */
  schedule(cron: string): Promise<void>;
  stop(): Promise<void>;
}

/** Names of wrangler.toml. */
const bucketName = "backlight";
const bucketBinding = "BUCKET";
const uploadsBinding = "UPLOADS";

/** Bundles the Worker and starts workerd. Rejects with wrangler's words where the bundle fails. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const [modules, worker] = await Promise.all([bundleWorker(options.entry), configured(options)]);
  const state = options.state ?? (await mkdtemp(path.join(tmpdir(), "backlight-state-")));
  const miniflare = new Miniflare({
    ...worker,
    modules: modules.modules.map(({ name, type, bytes }) => ({
      type,
      path: name,
      contents: type === "ESModule" ? new TextDecoder().decode(bytes) : bytes,
    })),
    host: "127.0.0.1",
    port: options.port ?? 0,
    r2Persist: path.join(state, "r2"),
    workflowsPersist: path.join(state, "workflows"),
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.ERROR),
    handleRuntimeStdio: (out: NodeJS.ReadableStream, err: NodeJS.ReadableStream) => {
      for (const stream of [out, err]) followLines(stream, options.onLine);
    },
  });
  const letLoopbackClose = keepLoopbackOpen();
  const stop = async (): Promise<void> => {
    await miniflare.dispose();
    letLoopbackClose();
    if (options.state === undefined) rmSync(state, { recursive: true, force: true });
  };
  try {
    const url = await miniflare.ready;
    const bucket = await miniflare.getR2Bucket(bucketBinding);
    const uploads = await miniflare.getQueueProducer(uploadsBinding);
    const fetcher = await miniflare.getWorker();
    const store = r2Store(bucket as unknown as R2Bucket, bucketName); // a proxy of the binding, with its methods
    return {
      url,
      bucket,
      store: { ...store, put: (key, bytes, put) => store.put(key, plain(bytes), put) },
      fetch(pathAndQuery, init) {
        const headers = new Headers(init?.headers);
        // workerd closes a connection whose request had a body; a client that reuses it loses its next request.
        headers.set("connection", "close");
        return fetch(new URL(pathAndQuery, url), { ...init, headers });
      },
      async upload(key, bytes, contentType) {
        const { size, etag } = await bucket.put(key, plain(bytes), { httpMetadata: { contentType } });
        await uploads.send(uploadEvent(key, size, etag));
      },
      send: async (message) => void (await uploads.send(message)),
      deliver: (queue, messages) => fetcher.queue(queue, [...messages]),
      schedule: async (cron) => void (await fetcher.scheduled({ cron })),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Node's Buffer is a Uint8Array that Miniflare's proxy refuses. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The message of an R2 event notification. */
export const uploadEvent = (key: string, size: number, eTag: string) => ({
  account: "local",
  bucket: bucketName,
  action: "PutObject",
  object: { key, size, eTag },
  eventTime: new Date().toISOString(),
});

/** Bindings, queues and limits as wrangler reads them from the configuration that is deployed. */
async function configured(options: StackOptions): Promise<Omit<WorkerOptions, "modules">> {
  const workerOptions = await readWorkerOptions();
  // Miniflare's own types are lost to a package it does not install; wrangler always writes this form.
  const consumers = workerOptions.queueConsumers as Record<string, { retryDelay?: number | undefined }>;
  if (options.retryDelaySeconds !== undefined) {
    for (const consumer of Object.values(consumers)) consumer.retryDelay = options.retryDelaySeconds;
  }
  const { modulesRules: _, ...rest } = workerOptions;
  return { ...rest, bindings: { ...rest.bindings, ...options.variables } };
}

function followLines(stream: NodeJS.ReadableStream, onLine: StackOptions["onLine"]): void {
  let rest = "";
  stream.on("data", (part: Buffer | string) => {
    const lines = (rest + part.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine?.(line);
  });
}
