/** @file Sweeps on Node: driven by the process that serves, one shard at a time, as inference is serial in it. */
import { setTimeout as pause } from "node:timers/promises";
import { isPassing } from "../../shared/pipeline/upload.ts";
import { driveSweep } from "../../shared/sweeps/drive.ts";
import type { Run } from "../../shared/sweeps/layout.ts";
import { settleShard } from "../../shared/sweeps/shard.ts";
import type { Deps } from "../deps.ts";
import { manifestLinesMax } from "../sweeps/limits.ts";

export interface NodeSweeps {
  /** Drives a sweep until it is over, unless it is being driven; does not wait for it. */
  start(run: Run, deps: Deps): void;
  /** Stops driving; the ledger says where to go on. */
  stop(): Promise<void>;
}

/** Between tries while storage is away: however long that lasts, the sweep goes on afterwards. */
const outageMilliseconds = 10_000;

export function nodeSweeps(): NodeSweeps {
  /** By id; `again` where it was started while it was driven, whose last step may not have seen what for. */
  const driven = new Map<string, { again: boolean }>();
  const working = new Set<Promise<void>>();
  const stopping = new AbortController();
  const { signal } = stopping;

  async function drive(sweep: string, { platform, service, log }: Deps): Promise<void> {
    const state = { again: false };
    driven.set(sweep, state);
    while (!signal.aborted) {
      state.again = false;
      try {
        await driveSweep(platform.store, sweep, {
          settle: (message, mode) => settleShard(message, mode, { store: platform.store, service, signal }),
          workers: 1,
          manifestLinesMax,
          signal,
        });
        log({ event: "sweep", sweep, phase: "over" });
        if (!state.again) break;
      } catch (error) {
        if (signal.aborted) break;
        log({ event: "sweep", sweep, failed: String(error) });
        if (!isPassing(error) && !state.again) break;
        await pause(outageMilliseconds, undefined, { signal }).catch(() => {}); // stopped: the loop ends
      }
    }
    driven.delete(sweep);
  }

  return {
    start({ sweep }, deps) {
      const known = driven.get(sweep);
      if (known !== undefined) {
        known.again = true;
        return;
      }
      const work = drive(sweep, deps).finally(() => working.delete(work));
      working.add(work);
    },
    async stop() {
      stopping.abort();
      await Promise.all(working);
    },
  };
}
