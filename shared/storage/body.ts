/** @file Bodies: watched while they stream, and read whole under a cap that counts what really arrives. */
import { AppError, type ErrorCode } from "../errors.ts";
import { attempt, type Call, storageFailed } from "./call.ts";
import type { FoundObject } from "./store.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

/**
 * A store's body with the promises of `FoundObject`: it fails with our errors, ends when the signal fires, and fails
 * with a transient `storage-failed` where it holds another number of bytes than announced. Reads nothing ahead.
 */
export function watchBody(source: ReadableStream<Uint8Array>, length: number, call: Call): ReadableStream<Bytes> {
  const reader = source.getReader();
  let left = length;
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        try {
          const { done, value } = await attempt(call, () => reader.read());
          left -= value?.length ?? 0;
          if (done ? left !== 0 : left < 0) throw storageFailed(call, lengthFault(length, length - left));
          if (done) return controller.close();
          // Chunks of files and sockets are never shared memory, which the platforms' types do not say.
          controller.enqueue(value as Bytes);
        } catch (error) {
          // Whoever holds the connection must let go; a failure to do so would hide the error itself.
          reader.cancel(error).catch(() => {});
          throw error;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

const lengthFault = (announced: number, arrived: number) => ({
  why: `${announced} bytes were announced, ${arrived} arrived`,
  status: null,
  transient: true,
});

export const emptyBody = (): ReadableStream<Bytes> => new ReadableStream({ start: (controller) => controller.close() });

/** How to read a body whole. */
export interface ReadLimit {
  /** More bytes than this are an error; reading stops at the chunk that exceeds it. */
  readonly bytesMax: number;
  /** What is read, for the message: `the image "images/cat.jpg"`. */
  readonly what: string;
  /** By default `image-too-large`. */
  readonly code?: ErrorCode;
}

/** Reads any body, however long it says it is. Throws the limit's code, and cancels the body, when there is more. */
export async function readBytes(body: ReadableStream<Uint8Array>, limit: ReadLimit): Promise<Bytes> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunksOf(body)) {
    length += chunk.length;
    if (length > limit.bytesMax) throw tooLarge(limit, null);
    chunks.push(chunk);
  }
  return joined(chunks, length);
}

/** Reads an opened object into one buffer of its size: at no time are there two copies of it. */
export async function readObject({ body, range }: FoundObject, limit: ReadLimit): Promise<Bytes> {
  if (range.length > limit.bytesMax) {
    await body.cancel();
    throw tooLarge(limit, range.length);
  }
  return joined(chunksOf(body), range.length);
}

async function joined(chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[], length: number): Promise<Bytes> {
  const all = new Uint8Array(length);
  let at = 0;
  for await (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** The chunks of a body, which is cancelled when the loop is left early. Not every platform's streams iterate. */
async function* chunksOf<T>(body: ReadableStream<T>): AsyncGenerator<T> {
  const reader = body.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      ended = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!ended) reader.cancel().catch(() => {});
  }
}

function tooLarge({ bytesMax, what, code = "image-too-large" }: ReadLimit, bytes: number | null): AppError {
  const has = bytes === null ? "it has more bytes" : `it has ${bytes} bytes`;
  return new AppError(code, `cannot read ${what}: ${has}, of which ${bytesMax} are allowed`, { bytes, bytesMax });
}
