/**
 * @file A weights file that is read as a stream and let go of tensor by tensor, so that an isolate never holds a model
 * twice: once in JavaScript and once in the engine's heap. Knows no engine; edge.ts hands the file to one.
 */
import { AppError } from "../errors.ts";

/** Bytes of one tensor in the file. */
export interface TensorRange {
  readonly offset: number;
  readonly length: number;
}

export interface StreamedWeightsOptions {
  /** For errors: the file's name. */
  readonly path: string;
  /** Keeps tensors that were read, for an engine that reads some twice. */
  readonly keep: boolean;
  /** Called at every read of a tensor, before earlier ones are let go: the moment when most memory is held. */
  readonly onRead?: () => void;
  readonly signal?: AbortSignal | undefined;
}

export interface StreamedWeights {
  /** To the engine a whole file; it answers only for the ranges, and only `byteLength` and `subarray` work. */
  readonly file: Uint8Array;
  /** Bytes of tensors held now. */
  heldBytes(): number;
  /** True once the engine asked for a tensor that had been let go of: it needs `keep`. */
  missed(): boolean;
  /** Lets go of everything. */
  release(): void;
}

interface Held {
  readonly length: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Reads still to come; several tensors may be the same bytes. */
  reads: number;
}

/**
 * Reads the ranges from the stream and drops the rest. Throws `model-missing-data` where the stream ends before the
 * last range does, and what the stream throws.
 */
export async function readWeights(
  stream: ReadableStream<Uint8Array>,
  ranges: readonly TensorRange[],
  options: StreamedWeightsOptions,
): Promise<StreamedWeights> {
  const held = new Map<string, Held>();
  const keyOf = (offset: number, length: number): string => `${offset}+${length}`;
  for (const { offset, length } of ranges) {
    const known = held.get(keyOf(offset, length));
    if (known !== undefined) known.reads += 1;
    else held.set(keyOf(offset, length), { length, bytes: new Uint8Array(length), reads: 1 });
  }
  await fill(stream, ranges, ({ offset, length }) => held.get(keyOf(offset, length))?.bytes, options);

  let missed = false;
  let last: string | undefined;
  const letGo = (key: string): void => {
    const tensor = held.get(key);
    held.delete(key);
    if (tensor !== undefined) free(tensor.bytes.buffer);
  };
  const file = new Uint8Array(0);
  Object.defineProperties(file, {
    byteLength: { value: Math.max(0, ...ranges.map(({ offset, length }) => offset + length)) },
    subarray: {
      value(start: number, end: number): Uint8Array {
        options.onRead?.();
        // The engine has copied the tensor read before this one.
        if (last !== undefined) letGo(last);
        last = undefined;
        const key = keyOf(start, end - start);
        const tensor = held.get(key);
        if (tensor === undefined) {
          missed = true;
          throw new RangeError(`bytes ${start} to ${end} of ${options.path} are no longer held`);
        }
        tensor.reads -= 1;
        if (tensor.reads <= 0 && !options.keep) last = key;
        return tensor.bytes;
      },
    },
  });
  return {
    file,
    heldBytes: () => [...held.values()].reduce((sum, { length }) => sum + length, 0),
    missed: () => missed,
    release: () => [...held.keys()].forEach(letGo),
  };
}

/** Copies the stream's bytes to where they belong. Ranges may overlap. */
async function fill(
  stream: ReadableStream<Uint8Array>,
  ranges: readonly TensorRange[],
  bytesOf: (range: TensorRange) => Uint8Array | undefined,
  { path, signal }: StreamedWeightsOptions,
): Promise<void> {
  const end = Math.max(0, ...ranges.map(({ offset, length }) => offset + length));
  const reader = stream.getReader();
  let position = 0;
  try {
    while (position < end) {
      if (signal?.aborted)
        throw new AppError("cancelled", `reading ${path} was cancelled`, {}, { cause: signal.reason });
      const { done, value: chunk } = await reader.read();
      if (done) break;
      for (const range of ranges) {
        const from = Math.max(position, range.offset);
        const to = Math.min(position + chunk.length, range.offset + range.length);
        if (from < to) bytesOf(range)?.set(chunk.subarray(from - position, to - position), from - range.offset);
      }
      position += chunk.length;
    }
  } finally {
    // What comes behind the last tensor is not wanted; a stream that failed cannot be cancelled any more.
    await reader.cancel().catch(() => undefined);
  }
  if (position >= end) return;
  throw new AppError(
    "model-missing-data",
    `cannot read the weights in "${path}": it has ${position} bytes where the model refers to ${end}; ` +
      "it is truncated or belongs to another model",
    { path, bytes: position, expected: end },
  );
}

/**
 * Gives the memory back at once. The garbage collector would too, but it does not run inside the engine's call that
 * needs the memory. ES2024: workerd has it, Node 20 does not.
 */
const free = (buffer: ArrayBuffer & { transfer?: (length: number) => ArrayBuffer }): void => {
  buffer.transfer?.(0);
};
