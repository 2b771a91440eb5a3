/**
 * @file What an inference runtime is to the rest: create a session from a model's bytes, run it on plain tensors. Knows
 * nothing of any engine (web.ts and native.ts do) and nothing of explainers.
 */
import { AppError } from "../errors.ts";

/** The array an element type is kept in. float16 is its bit pattern, bool is 0 or 1, int64 is never rounded. */
export interface TensorArrays {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  readonly float16: Uint16Array;
  readonly int8: Int8Array;
  readonly int16: Int16Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly uint8: Uint8Array;
  readonly uint16: Uint16Array;
  readonly uint32: Uint32Array;
  readonly uint64: BigUint64Array;
  readonly bool: Uint8Array;
  readonly string: readonly string[];
}

/** A tensor outside a session: row-major, owned by whoever holds it. */
export type RunTensor = {
  [K in keyof TensorArrays]: { readonly dtype: K; readonly dims: readonly number[]; readonly data: TensorArrays[K] };
}[keyof TensorArrays];

export type Feeds = Readonly<Record<string, RunTensor>>;

/** A weights file a model refers to, by the path the model gives it. */
export interface ExternalData {
  readonly path: string;
  readonly data: Uint8Array;
}

export interface CreateOptions {
  readonly external?: readonly ExternalData[];
  /** What the model is called in errors; `the model` by default. */
  readonly label?: string;
  readonly signal?: AbortSignal | undefined;
}

/** A loaded model. Runs of one session must not overlap: `SessionPool` serialises them. */
export interface Session {
  /** Names of the tensors to feed, and of those returned, in the model's order. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Returns every output. Throws `runtime-failed`, or `cancelled` when the signal was aborted before or during it. */
  run(feeds: Feeds, signal?: AbortSignal): Promise<Record<string, RunTensor>>;
  /** Bytes of the engine's heap, which all its sessions share and which never shrinks; absent where not observable. */
  heapBytes?(): number;
  /** Frees the session; a second call does nothing. */
  release(): Promise<void>;
}

export interface Runtime {
  /** For results and errors: `onnxruntime-web 1.30.0`. */
  readonly name: string;
  /** Throws `runtime-failed` where the engine refuses the model; the message is the engine's, with what to do. */
  create(model: Uint8Array, options?: CreateOptions): Promise<Session>;
}

/** Throws `cancelled` once the signal is aborted: called between steps, because a step itself cannot be stopped. */
export function checkCancelled(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) {
    throw new AppError("cancelled", `${what} was cancelled`, {}, { cause: signal.reason });
  }
}

/** The tensor under this name, of this type, or an error that says what is there instead. */
export function tensorNamed<K extends keyof TensorArrays>(
  tensors: Feeds,
  name: string,
  dtype: K,
): Extract<RunTensor, { readonly dtype: K }> {
  const found = tensors[name];
  if (found === undefined || found.dtype !== dtype) {
    const have = Object.entries(tensors).map(([n, t]) => `"${n}" (${t.dtype})`);
    throw new AppError(
      "runtime-failed",
      `expected output "${name}" of type ${dtype}; the model returned ${have.join(", ")}`,
    );
  }
  return found as Extract<RunTensor, { readonly dtype: K }>; // dtype was just compared; TypeScript cannot narrow by K
}
