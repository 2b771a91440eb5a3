/** @file What a request carries through the app, and how its work outlives it. */
import type { Context } from "hono";
import type { Timings } from "../../shared/explanation/document.ts";

/** Set on the way, for the log line at the end. */
export interface RequestVariables {
  requestId: string;
  /** The id of the result. */
  result: string;
  outcome: string;
  /** Milliseconds by stage, where something was computed. */
  timings: Timings;
}

export interface RequestEnv {
  Variables: RequestVariables;
}

/** Waits for work that goes on although the client goes away, where the platform can promise that. */
export function keepAlive<T>(c: Context<RequestEnv>, work: Promise<T>): Promise<T> {
  try {
    c.executionCtx.waitUntil(work.catch(() => undefined));
  } catch {
    // Node has no execution context, and needs none: nothing stops there when a client goes.
  }
  return work;
}
