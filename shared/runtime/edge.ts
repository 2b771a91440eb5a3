/**
 * @file The stock onnxruntime-web in workerd: its wasm comes as a compiled module, its heap has a ceiling, and weights
 * stream from storage into it. One engine an isolate. Only a bundler that makes modules of wasm imports can load this.
 */

import engine from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
import * as ort from "onnxruntime-web/wasm";
import { externalReferences } from "../onnx/external.ts";
import { wrapSession } from "./onnxruntime.ts";
import type { CreateOptions, ExternalData, Runtime, Session } from "./runtime.ts";
import { readWeights, type StreamedWeights, type TensorRange } from "./streamed-weights.ts";

const MEBI = 2 ** 20;

/**
 * An isolate has 128 MB, and a JPEG of 4 megapixels takes 42 MB while it is decoded, beside PNG's encoder with 12.
 * Most explainers stay below 72 MB (ResNet-18 at its automatic layers has 70); one that needs more, such as MobileNetV2
 * down to its input with 80, leaves room for pictures of 2 megapixels. Wasm memory never shrinks: without a ceiling one
 * large model would leave every later request in this isolate too little; with it the engine reports that it is out of
 * memory, that request fails, and the next one works.
 */
export const HEAP_BYTES_MAX = 80 * MEBI;

/** Wasm memory comes in pages of this size. */
const PAGE_BYTES = 65_536;

/** Sizes the engine's allocator asks for, each smaller, before it reports that there is no memory. */
const ALLOCATOR_ATTEMPTS = 3;

/** A weights file that is read when the session is made, and again where the engine wants tensors twice. */
export interface WeightsStream {
  readonly path: string;
  open(): Promise<ReadableStream<Uint8Array>>;
}

export interface EdgeCreateOptions extends Omit<CreateOptions, "external"> {
  readonly external?: readonly (ExternalData | WeightsStream)[];
}

/** Bytes this module is the cause of. Pixels and codecs come on top (edge-codecs.ts). */
export interface EdgeMemory {
  /** The engine's heap. */
  readonly heapBytes: number;
  /** Weights held in JavaScript: not 0 only while a session is made. */
  readonly weightBytes: number;
  /** The largest sum of both so far. */
  readonly peakBytes: number;
}

export interface EdgeRuntime extends Runtime {
  /** As of any runtime; a weights file may also be a stream, which is held tensor by tensor only. */
  create(model: Uint8Array, options?: EdgeCreateOptions): Promise<Session>;
  memory(): EdgeMemory;
}

let heap: WebAssembly.Memory | undefined;
let turn: Promise<unknown> = Promise.resolve();
let peakBytes = 0;
/** Weights of the sessions being made. */
const loading = new Set<StreamedWeights>();

const heapBytes = (): number => heap?.buffer.byteLength ?? 0;
const weightBytes = (): number => [...loading].reduce((sum, weights) => sum + weights.heldBytes(), 0);
const note = (): void => {
  peakBytes = Math.max(peakBytes, heapBytes() + weightBytes());
};

/** onnxruntime-web as a runtime of this isolate. Never fails by itself: the engine starts with the first session. */
export function edgeRuntime(): EdgeRuntime {
  const name = `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common}`;
  return {
    name,
    create: (model, options) =>
      wrapSession(name, ort.Tensor, () => inTurn(() => create(model, options)), options, heapBytes),
    memory() {
      note();
      return { heapBytes: heapBytes(), weightBytes: weightBytes(), peakBytes };
    },
  };
}

/**
 * Tensors are let go of as the engine reads them. Where it fuses (BatchNormalization into a convolution whose weights
 * the backward pass needs too) it reads some twice; then the file is read anew and kept until the session is made.
 */
async function create(model: Uint8Array, options: EdgeCreateOptions = {}): Promise<ort.InferenceSession> {
  for (const keep of [false, true]) {
    const streamed: StreamedWeights[] = [];
    try {
      const externalData = await openExternal(model, options, keep, streamed);
      return await start(() =>
        ort.InferenceSession.create(model, {
          executionProviders: ["wasm"],
          graphOptimizationLevel: "all",
          logSeverityLevel: 4,
          // As in web.ts: prepacking keeps a second copy of some weights and gains no time.
          extra: { session: { disable_prepacking: "1" } },
          externalData,
        }),
      );
    } catch (error) {
      if (keep || !streamed.some((weights) => weights.missed())) throw error;
    } finally {
      note();
      for (const weights of streamed) {
        weights.release();
        loading.delete(weights);
      }
    }
  }
  throw new TypeError("the second attempt keeps all tensors");
}

async function openExternal(
  model: Uint8Array,
  { external = [], signal }: EdgeCreateOptions,
  keep: boolean,
  streamed: StreamedWeights[],
): Promise<{ path: string; data: Uint8Array }[]> {
  const references = external.some((file) => "open" in file) ? externalReferences(model) : [];
  const files: { path: string; data: Uint8Array }[] = [];
  for (const file of external) {
    if (!("open" in file)) {
      files.push({ path: file.path, data: file.data });
      continue;
    }
    const ranges = references.flatMap(({ location, offset, length }): readonly TensorRange[] =>
      location === file.path && length !== undefined ? [{ offset, length }] : [],
    );
    const weights = await readWeights(await file.open(), ranges, { path: file.path, keep, onRead: note, signal });
    streamed.push(weights);
    loading.add(weights);
    files.push({ path: file.path, data: weights.file });
  }
  return files;
}

/** One after another: the engine knows the weights files of one model only, and two at a time need more memory. */
function inTurn<T>(make: () => Promise<T>): Promise<T> {
  const mine = turn.then(make);
  turn = mine.catch(() => undefined);
  return mine;
}

/** The first session starts the engine. A model that is refused says nothing about the engine. */
async function start<T>(make: () => Promise<T>): Promise<T> {
  if (heap !== undefined) return make();
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.logLevel = "error";
  // Keeps the engine from looking for its file; these bytes are never compiled.
  ort.env.wasm.wasmBinary = new ArrayBuffer(1);
  return withModule(make);
}

/**
 * The engine asks to compile its bytes, which an edge runtime forbids; it is given an instance of the module that was
 * compiled at deployment instead. On the way its memory is seen and given a ceiling.
 */
async function withModule<T>(make: () => Promise<T>): Promise<T> {
  const { instantiate } = WebAssembly;
  const answer = async (source: BufferSource | WebAssembly.Module, imports: WebAssembly.Imports = {}) => {
    if (source instanceof WebAssembly.Module) return instantiate(source, imports);
    for (const value of Object.values(imports).flatMap((names) => Object.values(names))) {
      if (value instanceof WebAssembly.Memory) heap = limited(value, HEAP_BYTES_MAX);
    }
    return { module: engine, instance: new WebAssembly.Instance(engine, imports) };
  };
  WebAssembly.instantiate = answer as typeof instantiate; // an overloaded function and a wrapper of it
  try {
    return await make();
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}

/**
 * Grows in small steps and never beyond the ceiling. The engine's allocator asks for a fifth more than its heap has,
 * then a tenth, then a twentieth, each time if that is more than it needs, and gives up after the third refusal.
 */
function limited(memory: WebAssembly.Memory, bytesMax: number): WebAssembly.Memory {
  const grow = memory.grow.bind(memory);
  let refusals = 0;
  memory.grow = (pages) => {
    const bytes = memory.buffer.byteLength + pages * PAGE_BYTES;
    if (refusals < ALLOCATOR_ATTEMPTS - 1 || bytes > bytesMax) {
      refusals = (refusals + 1) % ALLOCATOR_ATTEMPTS;
      throw new RangeError(`the engine's heap may not grow to ${bytes} bytes`);
    }
    refusals = 0;
    return grow(pages);
  };
  return memory;
}
