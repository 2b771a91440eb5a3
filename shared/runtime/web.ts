/**
 * @file The stock onnxruntime-web, CPU provider compiled to WebAssembly, in Node and browsers: one engine a process,
 * one heap for all its sessions. Knows nothing of explainers.
 */
import * as ort from "onnxruntime-web";
import { wrapSession } from "./onnxruntime.ts";
import type { Runtime } from "./runtime.ts";

export interface WebRuntimeOptions {
  /**
   * Threads of the engine. 1 by default: two lose where the other core is busy, because they spin. The engine starts
   * once a process, so the first session's number holds for all.
   */
  readonly threads?: number;
}

/** The engine's memory, seen when it starts; undefined before, or where it started before us. */
let heap: WebAssembly.Memory | undefined;
let turn: Promise<unknown> = Promise.resolve();

/** onnxruntime-web as a runtime. Never fails by itself: the engine starts with the first session. */
export function webRuntime(options: WebRuntimeOptions = {}): Runtime {
  const name = `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common}`;
  return {
    name,
    async create(model, createOptions) {
      const make = () =>
        ort.InferenceSession.create(model, {
          executionProviders: ["wasm"],
          graphOptimizationLevel: "all",
          // Everything is reported through exceptions; without this the engine also writes to the console.
          logSeverityLevel: 4,
          // Prepacking keeps a second copy of ConvTranspose's and Gemm's weights and gains no time here.
          extra: { session: { disable_prepacking: "1" } },
          ...(createOptions?.external && {
            externalData: createOptions.external.map(({ path, data }) => ({ path, data })),
          }),
        });
      return wrapSession(
        name,
        ort.Tensor,
        () => start(options.threads ?? 1, make),
        createOptions,
        () => heap?.buffer.byteLength ?? 0,
      );
    },
  };
}

/**
 * Sessions are made one at a time: the engine mounts weights files globally, so that makes that overlap lose each
 * other's. The first one starts the engine, and is watched for the heap that is given to it.
 */
function start<T>(threads: number, make: () => Promise<T>): Promise<T> {
  const mine = turn.then(() => (heap === undefined ? startEngine(threads, make) : make()));
  turn = mine.catch(() => undefined); // a model that is refused says nothing about the next
  return mine;
}

function startEngine<T>(threads: number, make: () => Promise<T>): Promise<T> {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.proxy = false;
  ort.env.logLevel = "error";
  return watchHeap(make);
}

/** The engine does not expose its memory, but instantiates its module with it: looked at in passing. */
async function watchHeap<T>(make: () => Promise<T>): Promise<T> {
  const { instantiate, instantiateStreaming } = WebAssembly;
  const look = (imports?: WebAssembly.Imports): void => {
    for (const module of Object.values(imports ?? {})) {
      for (const value of Object.values(module)) if (value instanceof WebAssembly.Memory) heap = value;
    }
  };
  const watched = <F extends (source: never, imports?: WebAssembly.Imports) => unknown>(original: F): F =>
    ((source: never, imports?: WebAssembly.Imports) => {
      look(imports);
      return original(source, imports);
    }) as F; // an overloaded function and a wrapper of it are the same to its callers
  WebAssembly.instantiate = watched(instantiate);
  if (instantiateStreaming) WebAssembly.instantiateStreaming = watched(instantiateStreaming);
  try {
    return await make();
  } finally {
    WebAssembly.instantiate = instantiate;
    if (instantiateStreaming) WebAssembly.instantiateStreaming = instantiateStreaming;
  }
}
