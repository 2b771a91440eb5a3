/** @file The same app on Node, over a directory or an S3; new images are found by looking, as there are no events. */
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { uploadEvent } from "../../shared/pipeline/events.ts";
import { reconcile } from "../../shared/pipeline/reconcile.ts";
import type { Run } from "../../shared/sweeps/layout.ts";
import { createDeps, type Deps, type Log, type Platform } from "../deps.ts";
import { createApp } from "../http/app.ts";
import { consumeDeadLetters, consumeUploads, type QueueMessage } from "../queue/uploads.ts";
import type { Settings } from "../settings.ts";
import { nodeSweeps } from "./sweeps.ts";

export interface ServerOptions {
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  readonly log: Log;
  /** Looks for unexplained images this often; never where absent. */
  readonly watchSeconds?: number;
}

export interface Server {
  readonly url: URL;
  readonly deps: Deps;
  /** Stops taking requests, and resolves when those under way are answered. */
  stop(): Promise<void>;
}

/** Rejects where the port is taken. */
export async function startServer(platform: Platform, settings: Settings, options: ServerOptions): Promise<Server> {
  const sweeps = nodeSweeps();
  const startSweep = async (run: Run): Promise<void> => sweeps.start(run, deps);
  const deps: Deps = createDeps({ ...platform, startSweep }, settings, options.log);
  const app = createApp(deps);
  const { host: hostname, port } = options;
  const server = serve({ fetch: (request) => app.fetch(request), hostname, port });
  const address = await new Promise<AddressInfo>((resolve, reject) => {
    server.once("error", reject);
    // A server that listens on a port has this kind of address.
    server.once("listening", () => resolve(server.address() as AddressInfo));
  });
  const watching = new AbortController();
  const watched = options.watchSeconds === undefined ? null : watch(deps, options.watchSeconds, watching.signal);
  return {
    url: new URL(`http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${address.port}/`),
    deps,
    async stop() {
      watching.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      await Promise.all([closed, watched, sweeps.stop()]);
      await deps.service.options.engine.close();
    },
  };
}

/** How many images one look settles before the next. */
const imagesMax = 10_000;
/** Tries before an upload's failure is recorded, as the deployed queue has them. */
const attemptsMax = 5;

/** Looks for images without an explanation and explains them, one after another, until the signal. */
async function watch(deps: Deps, seconds: number, signal: AbortSignal): Promise<void> {
  const { store } = deps.platform;
  const attempts = new Map<string, number>();
  while (!signal.aborted) {
    try {
      await reconcile(store, {
        bucket: deps.settings.bucket,
        imagesMax,
        graceMilliseconds: 0,
        signal,
        enqueue: async (uploads) => {
          for (const upload of uploads) {
            if (signal.aborted) return;
            const id = `${upload.key} ${upload.etag}`;
            const attempt = (attempts.get(id) ?? 0) + 1;
            attempts.set(id, attempt);
            const message: QueueMessage = {
              id,
              attempts: attempt,
              body: uploadEvent(upload),
              ack: () => attempts.delete(id),
              retry: () => undefined, // the next look finds it again
            };
            await (attempt > attemptsMax ? consumeDeadLetters : consumeUploads)([message], deps);
          }
        },
      });
    } catch (error) {
      if (!signal.aborted) deps.log({ event: "reconciliation", failed: String(error) });
    }
    await pause(seconds * 1000, signal);
  }
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
