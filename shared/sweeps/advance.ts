/**
 * @file The orchestrator: one step of a sweep, from whatever state its ledger is in. Called again and again until it
 * says that the sweep is over; by a Workflow, a loop, or both at once. Forgets nothing by being killed: it keeps
 * nothing.
 */
import { AppError } from "../errors.ts";
import { isPassing } from "../pipeline/upload.ts";
import type { ObjectStore } from "../storage/store.ts";
import type { ToleratedFailures } from "./definition.ts";
import { type Counts, countOf, planKey, type Run, resumeKey, shardKey, stopKey } from "./layout.ts";
import { currentRun, isReported, readSweepRecord } from "./lifecycle.ts";
import { planMore, type tasksOf } from "./plan.ts";
import {
  type Counted,
  countSettled,
  type Progress,
  rateOf,
  readProgress,
  withFailing,
  withSample,
  writeProgress,
} from "./progress.ts";
import {
  type Plan,
  type ResumeRecord,
  readRecord,
  type ShardRecord,
  type StopRecord,
  type SweepRecord,
  type TaskRecord,
} from "./records.ts";
import { reportMore } from "./report.ts";
import { steady } from "./retry.ts";
import { recordShard, type ShardMessage } from "./shard.ts";
import { chapterReader } from "./sources.ts";
import { stopRun } from "./stop.ts";

export interface AdvanceOptions {
  /** Hands shards to workers; each is settled by `settleShard`, perhaps more than once. */
  readonly enqueue: (shards: readonly ShardMessage[]) => Promise<void>;
  readonly manifestLinesMax: number;
  /** A shard handed out so long ago is handed out again: its message may be lost. */
  readonly stallMilliseconds: number;
  readonly now?: () => number;
  readonly signal?: AbortSignal | undefined;
}

export interface Advanced {
  readonly phase: "planning" | "running" | "stopping" | "reporting" | "over";
  /** When the next step is of use. */
  readonly waitMilliseconds: number;
}

/** Chapters planned, shards closed in one step: some thousand calls to the store at most. */
export const chaptersMax = 500;
export const closedMax = 500;

/** Between looks at shards under way. */
const waitMin = 250;
const waitMax = 30_000;
const waitUnknown = 1_000;

export async function advance(bucket: ObjectStore, id: string, options: AdvanceOptions): Promise<Advanced> {
  const { signal } = options;
  // A report reads a thousand records in a step: one failed call must not undo the step.
  const store = steady(bucket);
  const sweep = await readSweepRecord(store, id, signal);
  const run = await currentRun(store, id, signal);
  if (await isReported(store, run, signal)) return { phase: "over", waitMilliseconds: 0 };
  const stop = await readRecord<StopRecord>(store, stopKey(run), signal);
  // What a redrive is for is in the ledger, and stays there only when it is planned: also if it is stopped at once.
  const isPlanned = stop === null || run.run > 0;
  const plan = isPlanned
    ? await tryPlan(store, sweep, run, options)
    : await readRecord<Plan>(store, planKey(run), signal);
  if (plan === "stopped") return { phase: "stopping", waitMilliseconds: 0 };
  if (plan === null && isPlanned) return { phase: "planning", waitMilliseconds: 0 };
  if (plan !== null) {
    const left =
      stop === null ? await drive(store, sweep, run, plan, options) : await close(store, sweep, run, plan, signal);
    if (left !== null) return left;
  }
  const isDone = await reportMore(store, sweep, run, { final: true, signal });
  return isDone ? { phase: "over", waitMilliseconds: 0 } : { phase: "reporting", waitMilliseconds: 0 };
}

/** What is wrong with the source itself ends the run, with the reason. */
async function tryPlan(
  store: ObjectStore,
  sweep: SweepRecord,
  run: Run,
  { manifestLinesMax, signal }: AdvanceOptions,
): Promise<Plan | null | "stopped"> {
  try {
    return await planMore(store, sweep, run, { chaptersMax, manifestLinesMax, signal });
  } catch (error) {
    if (!(error instanceof AppError) || isPassing(error)) throw error;
    await stopRun(store, run, { state: "aborted", why: error.message }, signal);
    return "stopped";
  }
}

/** Hands out shards; null when all are settled. */
async function drive(
  store: ObjectStore,
  { definition }: SweepRecord,
  run: Run,
  plan: Plan,
  { enqueue, stallMilliseconds, now = Date.now, signal }: AdvanceOptions,
): Promise<Advanced | null> {
  const before = await readProgress(store, run, signal);
  const counted = await countSettled(store, run, before, signal);
  if (counted.settled >= plan.shards) return null;
  const why = tooManyFailures(counted.counts, plan.tasks, definition.toleratedFailures);
  if (why !== null) {
    await stopRun(store, run, { state: "aborted", why }, signal);
    return { phase: "stopping", waitMilliseconds: 0 };
  }
  const at = now();
  const open = before.inFlight.filter(([shard]) => shard >= counted.settled && !counted.beyond.has(shard));
  const resumed = (await readRecord<ResumeRecord>(store, resumeKey(run), signal))?.at ?? 0;
  const isStalled = (since: number): boolean => at - since > stallMilliseconds || since <= resumed;
  const stalled = open.filter(([, since]) => isStalled(since)).map(([shard]) => shard);
  const fresh: number[] = [];
  let { next } = before;
  for (; next < plan.shards && open.length + fresh.length < definition.maxConcurrency; next += 1) {
    if (next >= counted.settled && !counted.beyond.has(next)) fresh.push(next);
  }
  // Handed out first, noted then: what is lost between is handed out twice, never not at all.
  const shards = [...stalled, ...fresh];
  if (shards.length > 0) await enqueue(shards.map((shard) => ({ ...run, shard })));
  const inFlight = [
    ...open.map(([shard, since]) => [shard, stalled.includes(shard) ? at : since] as const),
    ...fresh.map((shard) => [shard, at] as const),
  ];
  const samples = withSample(before.samples, at, counted.counts);
  const failing = withFailing(before.failing, counted.marks);
  const { settled, settledCounts } = counted;
  await writeProgress(store, run, { settled, counts: settledCounts, next, inFlight, samples, failing }, signal);
  return { phase: "running", waitMilliseconds: waitFor({ samples, inFlight }, counted, plan, at) };
}

/** A quarter of the time in which the shards under way will be done. */
function waitFor(
  { samples, inFlight }: Pick<Progress, "samples" | "inFlight">,
  { counts }: Counted,
  { tasks, shards }: Plan,
  now: number,
): number {
  const rate = rateOf(samples, now, counts);
  if (rate === null) return waitUnknown;
  const underWay = (inFlight.length * tasks) / shards;
  return Math.round(Math.min(waitMax, Math.max(waitMin, (1000 * underWay) / rate / 4)));
}

/** Why a run is to be aborted, or null. */
export function tooManyFailures(
  counts: Counts,
  planned: number,
  { count, percent, minimumSample }: ToleratedFailures,
): string | null {
  const settled = countOf(counts);
  if (settled < Math.min(minimumSample, planned)) return null;
  const told = `${counts.failed} of ${settled} failed`;
  if (count !== null && counts.failed > count) return `${told}, and ${count} failures are tolerated`;
  if (percent !== null && counts.failed > (percent / 100) * settled) return `${told}, and ${percent} % are tolerated`;
  return null;
}

/** Records for what will not be tried any more, so that everything planned is accounted for; null when all is. */
async function close(
  store: ObjectStore,
  { definition }: SweepRecord,
  run: Run,
  plan: Plan,
  signal: AbortSignal | undefined,
): Promise<Advanced | null> {
  const before = await readProgress(store, run, signal);
  const counted = await countSettled(store, run, before, signal);
  const items = chapterReader(store, run, plan, signal);
  let closed = 0;
  for (let shard = counted.settled; shard < plan.shards && closed < closedMax; shard += 1) {
    if (counted.beyond.has(shard)) continue;
    closed += 1;
    const known = await readRecord<ShardRecord>(store, shardKey(run, shard), signal);
    const tasks = known?.tasks ?? (await items(shard)).flatMap((item) => dropped(item, definition.questions.length));
    await recordShard(store, { ...run, shard }, tasks, known?.milliseconds ?? 0, signal);
  }
  const after = await countSettled(store, run, before, signal);
  await writeProgress(
    store,
    run,
    { ...before, settled: after.settled, counts: after.settledCounts, inFlight: [] },
    signal,
  );
  return after.settled >= plan.shards ? null : { phase: "stopping", waitMilliseconds: 0 };
}

function dropped(item: Parameters<typeof tasksOf>[0], questions: number): readonly TaskRecord[] {
  const base = { key: item.key, ...(item.line !== undefined && { line: item.line }) };
  if (item.problem !== undefined) {
    return [{ ...base, question: 0, outcome: "failed", code: "dataset-invalid", why: item.problem, final: true }];
  }
  const asked = item.questions ?? Array.from({ length: questions }, (_, i) => i);
  return asked.map((question) => ({ ...base, question, outcome: "dropped" }));
}
