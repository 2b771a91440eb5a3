/**
 * @file The orchestrator: one step of a sweep, from whatever state its ledger is in. Called again and again until it
 * says that the sweep is over; by a Workflow, a loop, or both at once. Forgets nothing by being killed: it keeps
 * nothing.
 */
import { AppError, messageOf } from "../errors.ts";
import { isPassing } from "../pipeline/upload.ts";
import type { ObjectStore } from "../storage/store.ts";
import { closeMore } from "./close.ts";
import type { ToleratedFailures } from "./definition.ts";
import { type Counts, countOf, planKey, type Run, resumeKey, stopKey } from "./layout.ts";
import { currentRun, isReported, readSweepRecord } from "./lifecycle.ts";
import { planMore } from "./plan.ts";
import {
  type Counted,
  countSettled,
  type Progress,
  rateOf,
  readProgress,
  withFailing,
  withSample,
  withTrouble,
  writeProgress,
} from "./progress.ts";
import { type Plan, type ResumeRecord, readRecord, type StopRecord, type SweepRecord } from "./records.ts";
import { reportMore } from "./report.ts";
import { steady } from "./retry.ts";
import type { ShardMessage } from "./shard.ts";
import { stopRun } from "./stop.ts";

export interface AdvanceOptions {
  /**
   * Hands up to `enqueueMax` shards to workers, all or none; rejects while they cannot be taken. Each is settled by
   * `settleShard`, perhaps more than once.
   */
  readonly enqueue: (shards: readonly ShardMessage[]) => Promise<void>;
  readonly manifestLinesMax: number;
  /** A shard handed out so long ago is handed out again: its message may be lost. */
  readonly stallMilliseconds: number;
  /** The run to drive, until it is over or a later one was begun. Whichever is the last, where it is left out. */
  readonly run?: number;
  readonly now?: () => number;
  readonly signal?: AbortSignal | undefined;
}

export interface Advanced {
  /** `waiting`: shards cannot be handed out now, as the status explains. */
  readonly phase: "planning" | "running" | "waiting" | "stopping" | "reporting" | "over";
  /** When the next step is of use. */
  readonly waitMilliseconds: number;
}

/** A step and what is to be noted of it. */
interface Step {
  readonly advanced: Advanced;
  readonly progress: Progress;
}

/** Chapters planned in one step: some thousand calls to the store at most. */
export const chaptersMax = 500;
/** What a queue takes at once. */
export const enqueueMax = 100;

/** Between looks at shards under way. */
const waitMin = 250;
const waitMax = 30_000;
const waitUnknown = 1_000;

const at = (phase: Advanced["phase"], waitMilliseconds = 0): Advanced => ({ phase, waitMilliseconds });

/** Makes a step. What it throws is in the sweep's status too, unless storage fails altogether. */
export async function advance(bucket: ObjectStore, id: string, options: AdvanceOptions): Promise<Advanced> {
  const { now = Date.now, signal } = options;
  // A report reads a thousand records in a step: one failed call must not undo the step.
  const store = steady(bucket);
  const sweep = await readSweepRecord(store, id, signal);
  const run = await currentRun(store, id, signal);
  if (options.run !== undefined && run.run > options.run) return at("over");
  if (await isReported(store, run, signal)) return at("over");
  const before = await readProgress(store, run, signal);
  try {
    const { advanced, progress } = await step(store, sweep, run, before, options);
    if (advanced.phase !== "over") await writeProgress(store, run, { ...progress, at: now() }, signal);
    return advanced;
  } catch (error) {
    const why = `its last step failed: ${messageOf(error)}`;
    const noted = { ...before, at: now(), trouble: withTrouble(before.trouble, why, now()) };
    // Where even this fails, whoever asks for the status is told that storage fails.
    if (signal?.aborted !== true) await writeProgress(store, run, noted, signal).catch(() => {});
    throw error;
  }
}

async function step(
  store: ObjectStore,
  sweep: SweepRecord,
  run: Run,
  before: Progress,
  options: AdvanceOptions,
): Promise<Step> {
  const { signal } = options;
  let progress: Progress = { ...before, trouble: null };
  const stop = await readRecord<StopRecord>(store, stopKey(run), signal);
  // What a redrive is for is in the ledger, and stays there only when it is planned: also if it is stopped at once.
  const isPlanned = stop === null || run.run > 0;
  const plan = isPlanned
    ? await tryPlan(store, sweep, run, options)
    : await readRecord<Plan>(store, planKey(run), signal);
  if (plan === "stopped") return { advanced: at("stopping"), progress };
  if (plan === null && isPlanned) return { advanced: at("planning"), progress };
  if (plan !== null && stop === null) {
    const driven = await drive(store, sweep, run, plan, before, options);
    if (driven !== null) return driven;
  }
  if (plan !== null && stop !== null) {
    const closed = await closeMore(store, sweep, run, plan, progress, signal);
    ({ progress } = closed);
    if (!closed.isDone) return { advanced: at("stopping"), progress };
  }
  const isDone = await reportMore(store, sweep, run, { final: true, signal });
  return { advanced: at(isDone ? "over" : "reporting"), progress };
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

/** Hands out shards; null when all are settled, and no more failed than is tolerated. */
async function drive(
  store: ObjectStore,
  { definition }: SweepRecord,
  run: Run,
  plan: Plan,
  before: Progress,
  { enqueue, stallMilliseconds, now = Date.now, signal }: AdvanceOptions,
): Promise<Step | null> {
  const counted = await countSettled(store, run, before, signal);
  const why = tooManyFailures(counted.counts, plan.tasks, definition.toleratedFailures);
  if (why !== null) {
    await stopRun(store, run, { state: "aborted", why }, signal);
    return { advanced: at("stopping"), progress: { ...before, trouble: null } };
  }
  if (counted.settled >= plan.shards) return null;
  const time = now();
  const open = before.inFlight.filter(([shard]) => shard >= counted.settled && !counted.beyond.has(shard));
  const resumed = (await readRecord<ResumeRecord>(store, resumeKey(run), signal))?.at ?? 0;
  const isStalled = (since: number): boolean => time - since > stallMilliseconds || since <= resumed;
  const stalled = open.filter(([, since]) => isStalled(since)).map(([shard]) => shard);
  const fresh: number[] = [];
  let { next } = before;
  for (; next < plan.shards && open.length + fresh.length < definition.maxConcurrency; next += 1) {
    if (next >= counted.settled && !counted.beyond.has(next)) fresh.push(next);
  }
  // Handed out first, noted then: what is lost between is handed out twice, never not at all.
  const { taken, refused } = await handOut([...stalled, ...fresh], run, enqueue);
  const left = fresh.find((shard) => !taken.has(shard));
  const inFlight = [
    ...open.map(([shard, since]) => [shard, taken.has(shard) ? time : since] as const),
    ...fresh.filter((shard) => taken.has(shard)).map((shard) => [shard, time] as const),
  ];
  const trouble = refused === null ? null : withTrouble(before.trouble, refused, time);
  const progress: Progress = {
    ...before,
    settled: counted.settled,
    counts: counted.settledCounts,
    next: left ?? next,
    inFlight,
    samples: withSample(before.samples, time, counted.counts),
    failing: withFailing(before.failing, counted.marks),
    trouble,
  };
  if (trouble !== null) return { advanced: at("waiting", pauseAfter(trouble.times)), progress };
  return { advanced: at("running", waitFor(progress, counted, plan, time)), progress };
}

/** Which shards were taken, and why the others were not. A queue is full, throttled or away for a while. */
async function handOut(
  shards: readonly number[],
  run: Run,
  enqueue: AdvanceOptions["enqueue"],
): Promise<{ readonly taken: ReadonlySet<number>; readonly refused: string | null }> {
  const taken = new Set<number>();
  for (let i = 0; i < shards.length; i += enqueueMax) {
    const some = shards.slice(i, i + enqueueMax);
    try {
      await enqueue(some.map((shard) => ({ ...run, shard })));
    } catch (error) {
      return { taken, refused: `its queue takes no shards: ${messageOf(error)}` };
    }
    for (const shard of some) taken.add(shard);
  }
  return { taken, refused: null };
}

/** Twice as long from try to try. */
const pauseAfter = (times: number): number => Math.min(waitMax, waitUnknown * 2 ** (times - 1));

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
