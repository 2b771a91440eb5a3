/** @file A store that fails now and then, as networks do: before a call took effect, or after. For tests of retries. */
import { type Call, storageFailed } from "../../shared/storage/call.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";

export interface FlakyOptions {
  /** Every call of this number fails: 7 is the 7th, the 14th and so on, of all operations together. */
  readonly every: number;
  /** `before`: nothing happened. `after`: the call took effect and its answer was lost. `alternately`: by turns. */
  readonly when: "before" | "after" | "alternately";
}

/** A flaky view of a store, and how often it was called and failed. */
export interface FlakyStore extends ObjectStore {
  readonly counts: { readonly calls: number; readonly failures: number };
}

/** Wraps a store. What fails is `storage-failed` and transient, exactly as the stores themselves say it. */
export function flakyStore(store: ObjectStore, { every, when }: FlakyOptions): FlakyStore {
  const counts = { calls: 0, failures: 0 };

  async function maybe<T>(operation: Call["operation"], key: string, work: () => Promise<T>): Promise<T> {
    counts.calls += 1;
    if (counts.calls % every !== 0) return work();
    counts.failures += 1;
    const isAfter = when === "after" || (when === "alternately" && counts.failures % 2 === 0);
    // An answer that is lost may have held a body, which nobody will read.
    if (isAfter) await cancelBody(await work());
    const call: Call = { store: store.name, operation, key, signal: undefined, explain: () => fault };
    throw storageFailed(call, fault);
  }

  return {
    name: store.name,
    counts,
    head: (key, options) => maybe("head", key, () => store.head(key, options)),
    get: (key, options) => maybe("get", key, () => store.get(key, options)),
    put: (key, bytes, options) => maybe("put", key, () => store.put(key, bytes, options)),
    list: (options) => maybe("list", options.prefix, () => store.list(options)),
    delete: (key, options) => maybe("delete", key, () => store.delete(key, options)),
  };
}

const fault = { why: "it is flaky on purpose", status: 503, transient: true };

async function cancelBody(result: unknown): Promise<void> {
  if (typeof result !== "object" || result === null || !("body" in result)) return;
  if (result.body instanceof ReadableStream) await result.body.cancel();
}
