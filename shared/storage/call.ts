/**
 * @file One call to a store: giving it up, and turning what went wrong into an AppError. What the error of a platform
 * means is told by each store.
 */
import { AppError } from "../errors.ts";
import type { StorageFailure } from "./store.ts";

/** What a call does, on which object of which store. */
export interface Call {
  readonly store: string;
  readonly operation: StorageFailure["operation"];
  readonly key: string;
  readonly signal: AbortSignal | undefined;
  /** What an error of the platform means. Must not repeat text that may hold a credential or a machine path. */
  readonly explain: (error: unknown) => Fault;
}

export interface Fault {
  /** For the message: `AccessDenied (403)`. */
  readonly why: string;
  readonly status: number | null;
  readonly transient: boolean;
}

const verbs: Readonly<Record<Call["operation"], string>> = {
  head: "look up",
  get: "read",
  put: "write",
  list: "list",
  delete: "delete",
};

/** The error for a call that failed. The platform's own error is not its cause: it may quote the request's headers. */
export function storageFailed(call: Call, { why, status, transient }: Fault): AppError {
  const { store, operation, key } = call;
  const context: StorageFailure = { store, operation, key, status, transient };
  const advice = transient ? "; the same call may succeed later" : "";
  return new AppError("storage-failed", `cannot ${verbs[operation]} "${key}" in ${store}: ${why}${advice}`, {
    ...context,
  });
}

/** Whether an error says that the same call may succeed later. */
export const isTransient = (error: unknown): boolean =>
  error instanceof AppError && error.code === "storage-failed" && error.context["transient"] === true;

const cancelled = ({ store, operation, key, signal }: Call): AppError =>
  new AppError(
    "cancelled",
    `cannot ${verbs[operation]} "${key}" in ${store}: the call was cancelled`,
    {},
    {
      cause: signal?.reason,
    },
  );

/**
 * Runs a step of a call. Throws `cancelled` as soon as the signal fires, whether or not the platform stops, and
 * `storage-failed` for what the platform throws. A value that arrives after that goes to `late`, to be let go.
 */
export async function attempt<T>(call: Call, work: () => Promise<T>, late?: (value: T) => unknown): Promise<T> {
  const { signal } = call;
  if (signal?.aborted) throw cancelled(call);
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(cancelled(call));
  });
  signal?.addEventListener("abort", onAbort, { once: true });
  const working = (async () => work())();
  try {
    return await Promise.race([working, aborted]);
  } catch (error) {
    // Nobody waits for the loser of the race any more; its own failure is no news.
    working.then(late, () => {});
    if (error instanceof AppError) throw error;
    throw signal?.aborted ? cancelled(call) : storageFailed(call, call.explain(error));
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/** A text field of an error of unknown make: `name`, `code`, `message`. */
export function textOf(error: unknown, field: string): string | null {
  if (typeof error !== "object" || error === null) return null;
  const value: unknown = Reflect.get(error, field);
  return typeof value === "string" && value !== "" ? value : null;
}
