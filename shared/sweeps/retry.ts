/** @file The same call again, a few times, where what went wrong may pass. For calls that may be repeated. */
import { isPassing } from "../pipeline/upload.ts";
import type { ObjectStore } from "../storage/store.ts";

/** With 1 of 20 calls failing, 1 of 3 million is given up. */
const triesMax = 5;
/** Doubles from try to try: short, because what lasts longer is left to the queue. */
const pauseMilliseconds = 40;

export async function retried<T>(work: () => Promise<T>, signal?: AbortSignal | undefined): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === triesMax || signal?.aborted || !isPassing(error)) throw error;
      const pause = pauseMilliseconds * 2 ** (attempt - 1) * (0.5 + 0.5 * Math.random());
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** A store whose calls are tried again. Reading a body is not one of them: whoever reads tries the whole again. */
export const steady = (store: ObjectStore): ObjectStore => ({
  name: store.name,
  head: (key, options) => retried(() => store.head(key, options), options?.signal),
  get: (key, options) => retried(() => store.get(key, options), options?.signal),
  put: (key, bytes, options) => retried(() => store.put(key, bytes, options), options.signal),
  list: (options) => retried(() => store.list(options), options.signal),
  delete: (key, options) => retried(() => store.delete(key, options), options?.signal),
});
