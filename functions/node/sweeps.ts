/** @file Sweeps on Node: driven by the process that serves, one shard at a time, as inference is serial in it. */
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

export function nodeSweeps(): NodeSweeps {
  const driven = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  const { signal } = stopping;
  return {
    start({ sweep }, deps) {
      if (driven.has(sweep)) return;
      const { platform, service, log } = deps;
      const drive = driveSweep(platform.store, sweep, {
        settle: (message, mode) => settleShard(message, mode, { store: platform.store, service, signal }),
        workers: 1,
        manifestLinesMax,
        signal,
      })
        .then(() => log({ event: "sweep", sweep, phase: "over" }))
        .catch((error: unknown) => {
          if (!signal.aborted) log({ event: "sweep", sweep, failed: String(error) });
        })
        .finally(() => driven.delete(sweep));
      driven.set(sweep, drive);
    },
    async stop() {
      stopping.abort();
      await Promise.all(driven.values());
    },
  };
}
