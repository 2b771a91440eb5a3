/** @file The worker threads of a sweep: an engine each, since one engine computes on one core. */
import { Worker } from "node:worker_threads";
import { AppError } from "../../../shared/errors.ts";
import type { ShardMessage, ShardMode, ShardOutcome } from "../../../shared/sweeps/shard.ts";
import type { Place } from "./place.ts";
import type { ShardJob, ShardReply } from "./thread.ts";

export interface Threads {
  /** Called by no more at once than there are threads. */
  settle(message: ShardMessage, mode: ShardMode): Promise<ShardOutcome>;
  stop(): Promise<void>;
}

interface Waiting {
  readonly resolve: (outcome: ShardOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Starts the threads; rejects where one cannot start. */
export async function startThreads(count: number, place: Place): Promise<Threads> {
  const waiting = new Map<number, Waiting>();
  const workers = await Promise.all(Array.from({ length: count }, () => startWorker(place, waiting)));
  const idle = [...workers];
  let next = 0;
  return {
    async settle(message, mode) {
      const worker = idle.pop();
      if (worker === undefined) throw new TypeError("there are as many shards at once as threads");
      const id = next;
      next += 1;
      try {
        return await new Promise<ShardOutcome>((resolve, reject) => {
          waiting.set(id, { resolve, reject });
          worker.postMessage({ id, message, mode } satisfies ShardJob);
        });
      } finally {
        waiting.delete(id);
        idle.push(worker);
      }
    },
    stop: async () => void (await Promise.all(workers.map((worker) => worker.terminate()))),
  };
}

async function startWorker(place: Place, waiting: Map<number, Waiting>): Promise<Worker> {
  const worker = new Worker(new URL("./thread.mjs", import.meta.url), { workerData: place });
  await new Promise<void>((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
  });
  worker.on("message", (reply: ShardReply) => {
    const asker = waiting.get(reply.id);
    if ("outcome" in reply) return asker?.resolve(reply.outcome);
    const { code, message, context } = reply.error;
    asker?.reject(code === null ? new Error(message) : new AppError(code, message, context));
  });
  // A thread that dies takes its shard with it, which is an error of the sweep: there is no telling what killed it.
  worker.on("error", (error) => {
    for (const { reject } of waiting.values()) reject(error);
  });
  return worker;
}
