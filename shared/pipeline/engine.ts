/**
 * @file Sessions of served explainers: opened with weights streamed from the bucket, kept while they fit, run singly.
 */
import { AppError } from "../errors.ts";
import { externalReferences } from "../onnx/external.ts";
import { bytesPerWeightByte, SessionPool } from "../runtime/pool.ts";
import type { Feeds, RunTensor, Session } from "../runtime/runtime.ts";
import type { ObjectStore } from "../storage/store.ts";
import type { ServedExplainer } from "./explainers.ts";
import { modelFolder } from "./layout.ts";
import { type ServedModel, weightsKey } from "./models.ts";

/** A weights file that is read while the session is made; it may be opened twice. */
export interface WeightsStream {
  readonly path: string;
  open(): Promise<ReadableStream<Uint8Array>>;
}

/** The inference runtime as the pipeline needs it: weights come as streams, memory can be read. */
export interface StreamingRuntime {
  readonly name: string;
  create(
    model: Uint8Array,
    options: {
      readonly external: readonly WeightsStream[];
      readonly label: string;
      readonly signal?: AbortSignal;
    },
  ): Promise<Session>;
  /** Bytes of the engine's heap, which never shrinks, and the most this and the weights took together so far. */
  memory(): { readonly heapBytes: number; readonly peakBytes: number };
}

export interface EngineOptions {
  /** Idle sessions are released while all together are estimated beyond this. */
  readonly sessionBytesMax: number;
}

export interface EngineRun {
  readonly outputs: Readonly<Record<string, RunTensor>>;
  /** Making the session; 0 where there was one. */
  readonly loadMs: number;
  /** Forward and backward pass together. */
  readonly runMs: number;
}

export class Engine {
  readonly #store: ObjectStore;
  readonly #runtime: StreamingRuntime;
  readonly #pool: SessionPool;

  constructor(store: ObjectStore, runtime: StreamingRuntime, options: EngineOptions) {
    this.#store = store;
    this.#runtime = runtime;
    this.#pool = new SessionPool({ bytesMax: options.sessionBytesMax });
  }

  get runtime(): StreamingRuntime {
    return this.#runtime;
  }

  /** Feeds the explainer's inputs; throws `stale` where the model's weights were replaced meanwhile. */
  async run(explainer: ServedExplainer, model: ServedModel, feeds: Feeds, signal?: AbortSignal): Promise<EngineRun> {
    const start = performance.now();
    let loadMs = 0;
    const make = async () => {
      const references = externalReferences(explainer.bytes);
      const locations = [...new Set(references.map(({ location }) => location))];
      const session = await this.#runtime.create(explainer.bytes, {
        external: locations.map((location) => ({ path: location, open: () => this.#open(model, location, signal) })),
        label: `the explainer of ${model.name}`,
        ...(signal && { signal }),
      });
      loadMs = performance.now() - start;
      const weightBytes = references.reduce((sum, { length = 0 }) => sum + length, 0);
      return { session, bytes: bytesPerWeightByte * weightBytes };
    };
    // The model's ETag belongs to the key: a session over replaced weights is another one.
    return this.#pool.use(
      `${explainer.digest} ${model.weightsEtag}`,
      make,
      async (session) => {
        const begin = performance.now();
        const outputs = await session.run(feeds, signal);
        return { outputs, loadMs, runMs: performance.now() - begin };
      },
      signal,
      bytesPerWeightByte * model.bytes,
    );
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #open(
    model: ServedModel,
    location: string,
    signal: AbortSignal | undefined,
  ): Promise<ReadableStream<Uint8Array>> {
    const key = `${modelFolder(model.name)}${location}`;
    const ifMatch = key === weightsKey(model.name) ? model.weightsEtag : undefined;
    const found = await this.#store.get(key, { ifMatch, signal });
    if (found?.outcome === "found") return found.body;
    throw new AppError("stale", `the model "${model.name}" was replaced while it was loaded: ask again`, { key });
  }
}
