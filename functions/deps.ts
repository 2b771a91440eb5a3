/** @file What the app is made of: built once a process or isolate from its platform's parts. */

import type { Decoding } from "../shared/explanation/input.ts";
import type { FetchFunction } from "../shared/fetching/fetch-image.ts";
import { Engine, type StreamingRuntime } from "../shared/pipeline/engine.ts";
import { ExplainerShelf } from "../shared/pipeline/explainers.ts";
import { Gate } from "../shared/pipeline/gate.ts";
import { ModelCatalogue } from "../shared/pipeline/models.ts";
import { ExplanationService } from "../shared/pipeline/service.ts";
import type { ObjectStore } from "../shared/storage/store.ts";
import type { Run } from "../shared/sweeps/layout.ts";
import { Metrics } from "./metrics.ts";
import type { Settings } from "./settings.ts";
import { version } from "./version.ts";

/** What differs from platform to platform. */
export interface Platform {
  /** For results: `workerd`, `node v20.20.2`. */
  readonly name: string;
  readonly store: ObjectStore;
  readonly runtime: StreamingRuntime;
  readonly decoding: Decoding;
  /** The longest side of pictures in pixels. */
  readonly pictureSide: number;
  readonly fetch: FetchFunction;
  /** Whether the caller may come in now; always, where the platform has no rate limit. */
  readonly admit: (caller: string) => Promise<boolean>;
  /** Estimated bytes of sessions kept, and the largest model compiled here. */
  readonly sessionBytesMax: number;
  readonly compileBytesMax: number;
  /** Has somebody drive a run of a sweep to its end, unless somebody does; absent where nobody can. */
  readonly startSweep?: (run: Run) => Promise<void>;
}

/** One event of the log: a JSON line. Never a query string, a key or a signature. */
export type Log = (event: Readonly<Record<string, unknown>>) => void;

export interface Deps {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly service: ExplanationService;
  readonly metrics: Metrics;
  readonly log: Log;
}

/**
 * Callers that wait for the one at work, each with its image's bytes in memory (up to 10 MB): more would not fit an
 * isolate of 128 MB beside engine and decoder.
 */
const waitingMax = 2;
/** A cold explanation takes about this long. */
const retryAfterSeconds = 2;

export function createDeps(platform: Platform, settings: Settings, log: Log): Deps {
  const { store, runtime, decoding, pictureSide, sessionBytesMax, compileBytesMax } = platform;
  const gate = new Gate({ name: "this function", workersMax: 1, waitingMax, retryAfterSeconds });
  const metrics = new Metrics();
  metrics.gauge("engine_heap_bytes", () => runtime.memory().heapBytes);
  metrics.gauge("engine_peak_bytes", () => runtime.memory().peakBytes);
  metrics.gauge("waiting_requests", () => gate.load.waiting);
  const service = new ExplanationService({
    store,
    models: new ModelCatalogue(store),
    explainers: new ExplainerShelf(store, { compileBytesMax }),
    engine: new Engine(store, runtime, { sessionBytesMax }),
    decoding,
    pictureSide,
    gate,
    version,
    platform: platform.name,
  });
  return { platform, settings, service, metrics, log };
}
