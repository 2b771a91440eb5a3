/** @file A worker thread: settles the shards it is sent, one after another, with an engine of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { AppError, type ErrorCode, messageOf } from "../../../shared/errors.ts";
import { type ShardMessage, type ShardMode, type ShardOutcome, settleShard } from "../../../shared/sweeps/shard.ts";
import { openDeps, type Place } from "./place.ts";

export interface ShardJob {
  readonly id: number;
  readonly message: ShardMessage;
  readonly mode: ShardMode;
}

/** Errors lose their class on the way between threads. */
export interface SentError {
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly context: Readonly<Record<string, unknown>>;
}

export type ShardReply =
  | { readonly id: number; readonly outcome: ShardOutcome }
  | { readonly id: number; readonly error: SentError };

export async function serveShards(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new TypeError("this is a worker thread's file");
  const { platform, service } = await openDeps(workerData as Place); // given by threads.ts
  port.on("message", async ({ id, message, mode }: ShardJob) => {
    try {
      const outcome = await settleShard(message, mode, { store: platform.store, service });
      port.postMessage({ id, outcome } satisfies ShardReply);
    } catch (error) {
      port.postMessage({ id, error: sent(error) } satisfies ShardReply);
    }
  });
  port.postMessage("ready");
}

function sent(error: unknown): SentError {
  if (error instanceof AppError) return { code: error.code, message: error.message, context: { ...error.context } };
  return { code: null, message: messageOf(error), context: {} };
}
