/** @file The end of a run that was stopped: a record for every shard that will not be tried any more. */
import type { ObjectStore } from "../storage/store.ts";
import type { Run } from "./layout.ts";
import { countSettled, type Progress } from "./progress.ts";
import type { Plan, SweepItem, SweepRecord, TaskRecord } from "./records.ts";
import { recordShard } from "./shard.ts";
import { chapterReader } from "./sources.ts";

/** Shards closed in one step: two calls to the store each, and one where somebody had settled it. */
export const closedMax = 500;
/** Records written at once: a Worker has six connections. */
const writesAtOnce = 6;

/** Closes shards, so that everything planned is accounted for; whether all are. What somebody settled stays so. */
export async function closeMore(
  store: ObjectStore,
  { definition }: SweepRecord,
  run: Run,
  plan: Plan,
  before: Progress,
  signal: AbortSignal | undefined,
): Promise<{ readonly progress: Progress; readonly isDone: boolean }> {
  const counted = await countSettled(store, run, before, signal);
  const items = chapterReader(store, run, plan, signal);
  const open: number[] = [];
  for (let shard = counted.settled; shard < plan.shards && open.length < closedMax; shard += 1) {
    if (!counted.beyond.has(shard)) open.push(shard);
  }
  for (let i = 0; i < open.length; i += writesAtOnce) {
    await Promise.all(
      open.slice(i, i + writesAtOnce).map(async (shard) => {
        const tasks = (await items(shard)).flatMap((item) => dropped(item, definition.questions.length));
        await recordShard(store, { ...run, shard }, tasks, 0, signal);
      }),
    );
  }
  const { settled, settledCounts } = await countSettled(store, run, before, signal);
  return { progress: { ...before, settled, counts: settledCounts, inFlight: [] }, isDone: settled >= plan.shards };
}

function dropped(item: SweepItem, questions: number): readonly TaskRecord[] {
  const base = { key: item.key, ...(item.line !== undefined && { line: item.line }) };
  if (item.problem !== undefined) {
    return [{ ...base, question: 0, outcome: "failed", code: "dataset-invalid", why: item.problem, final: true }];
  }
  const asked = item.questions ?? Array.from({ length: questions }, (_, i) => i);
  return asked.map((question) => ({ ...base, question, outcome: "dropped" }));
}
