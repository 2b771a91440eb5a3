/**
 * @file A sweep driven to its end by one process: the orchestrator in a loop, and workers that take shards from a list.
 */
import { isPassing } from "../pipeline/upload.ts";
import type { ObjectStore } from "../storage/store.ts";
import { type Advanced, advance } from "./advance.ts";
import { currentRun, resumeRun } from "./lifecycle.ts";
import type { ShardMessage, ShardMode, ShardOutcome } from "./shard.ts";

export interface DriveOptions {
  /** Settles a shard; called by as many at once as there are workers. */
  readonly settle: (message: ShardMessage, mode: ShardMode) => Promise<ShardOutcome>;
  readonly workers: number;
  readonly manifestLinesMax: number;
  /** Called after every step. */
  readonly onStep?: (advanced: Advanced) => Promise<void> | void;
  readonly signal?: AbortSignal | undefined;
}

/** Tries of a shard before what fails in it is recorded, as many as a queue's. */
const triesMax = 6;
/** Before the second try, and twice as long before each that follows: half a minute in all. */
const retryMilliseconds = 1_000;
/** Steps that may fail one after another, each with a pause: an outage of some minutes. */
const failedStepsMax = 20;
const failedStepMilliseconds = 500;
/** Nothing is lost within a process: a shard that takes so long is only slow. */
const stallMilliseconds = 3_600_000;

interface Waiting {
  readonly message: ShardMessage;
  readonly attempt: number;
}

/** Resolves when the sweep is over. Rejects when the signal fires, and where storage fails for long. */
export async function driveSweep(store: ObjectStore, id: string, options: DriveOptions): Promise<void> {
  const { settle, workers, manifestLinesMax, onStep, signal } = options;
  const waiting: Waiting[] = [];
  const underWay = new Set<Promise<void>>();
  let fault: unknown;
  let wake = (): void => {};

  const work = async ({ message, attempt }: Waiting): Promise<void> => {
    try {
      await settle(message, attempt < triesMax ? "explain" : "last");
    } catch (error) {
      if (isPassing(error) && attempt < triesMax) {
        await wait(retryMilliseconds * 2 ** (attempt - 1), null, signal);
        if (!signal?.aborted) waiting.push({ message, attempt: attempt + 1 });
      } else {
        fault ??= error;
        wake();
      }
    }
  };
  const start = (): void => {
    while (underWay.size < workers) {
      const next = waiting.shift();
      if (next === undefined) return;
      const done: Promise<void> = work(next).finally(() => {
        underWay.delete(done);
        start();
        if (waiting.length < workers) wake();
      });
      underWay.add(done);
    }
  };
  const enqueue = async (shards: readonly ShardMessage[]): Promise<void> => {
    waiting.push(...shards.map((message) => ({ message, attempt: 1 })));
    start();
  };

  try {
    // What a process before this one had handed out died with it.
    await resumeRun(store, await currentRun(store, id, signal), Date.now(), signal);
    for (let failed = 0; ; ) {
      signal?.throwIfAborted();
      if (fault !== undefined) throw fault;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      try {
        const advanced = await advance(store, id, { enqueue, manifestLinesMax, stallMilliseconds, signal });
        failed = 0;
        await onStep?.(advanced);
        if (advanced.phase === "over") return;
        if (advanced.waitMilliseconds > 0) await wait(advanced.waitMilliseconds, woken, signal);
      } catch (error) {
        failed += 1;
        if (signal?.aborted || !isPassing(error) || failed > failedStepsMax) throw error;
        await wait(failedStepMilliseconds, null, signal);
      }
    }
  } finally {
    waiting.length = 0;
    await Promise.all(underWay);
  }
}

async function wait(milliseconds: number, woken: Promise<void> | null, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop = (): void => {};
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
    stop = resolve;
    signal?.addEventListener("abort", stop, { once: true });
  });
  await Promise.race(woken === null ? [elapsed] : [elapsed, woken]);
  clearTimeout(timer);
  signal?.removeEventListener("abort", stop);
}
