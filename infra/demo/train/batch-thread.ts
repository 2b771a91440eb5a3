/** @file Batches of training scenes made on a thread beside the training, some steps ahead of it. */
import { Worker } from "node:worker_threads";
import type { MadeBatch } from "./batch-worker.ts";
import type { Batch, BatchSource } from "./batches.ts";
import { stepsOf, type TrainingPlan } from "./plan.ts";

/** Batches asked for before they are needed: enough that a slow scene holds nothing up, little memory. */
const ahead = 4;

export interface BatchThread {
  /** Any order works; steps that follow one another are ready sooner. */
  readonly next: BatchSource;
  /** Ends the thread. Batches not made by then never come: who waits for one is told. */
  readonly close: () => Promise<void>;
}

/** Starts the thread that makes a plan's batches. */
export function openBatches(plan: TrainingPlan): BatchThread {
  const worker = new Worker(new URL("./batch-worker.mjs", import.meta.url), { workerData: plan });
  const waiting = new Map<number, { resolve: (batch: Batch) => void; reject: (cause: unknown) => void }>();
  const asked = new Map<number, Promise<Batch>>();
  let ended: Error | undefined;
  const end = (cause: Error): void => {
    ended ??= cause;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
    asked.clear();
  };
  worker.on("message", ({ step, batch }: MadeBatch) => {
    waiting.get(step)?.resolve(batch);
    waiting.delete(step);
  });
  worker.on("error", (cause) => end(cause instanceof Error ? cause : new Error(String(cause))));
  worker.on("exit", () => end(new Error("the thread that makes scenes has ended")));

  const ask = (step: number): Promise<Batch> => {
    const known = asked.get(step);
    if (known !== undefined) return known;
    const promise = new Promise<Batch>((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      waiting.set(step, { resolve, reject });
      worker.postMessage(step);
    });
    promise.catch(() => undefined); // whoever waits for it is told; a batch asked for ahead may have nobody yet
    asked.set(step, promise);
    return promise;
  };
  const last = stepsOf(plan) - 1;
  return {
    next: (step) => {
      const batch = ask(step);
      for (let later = step + 1; later <= Math.min(step + ahead, last); later += 1) ask(later);
      asked.delete(step);
      return batch;
    },
    close: async () => {
      await worker.terminate();
    },
  };
}
