/** @file Ending a run before its time: once, with a reason. */
import type { ObjectStore } from "../storage/store.ts";
import { type Run, stopKey } from "./layout.ts";
import { type StopRecord, writeRecord } from "./records.ts";
import { retried } from "./retry.ts";

/** Whoever stops a run first says why. Nothing is begun any more; what is under way may still be settled. */
export async function stopRun(
  store: ObjectStore,
  run: Run,
  { state, why }: Pick<StopRecord, "state" | "why">,
  signal?: AbortSignal | undefined,
): Promise<void> {
  const record: StopRecord = { state, why, at: new Date().toISOString() };
  await retried(() => writeRecord(store, stopKey(run), record, { onlyIfAbsent: true, signal }), signal);
}
