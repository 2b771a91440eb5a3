/** @file What a sweep's ledger says of it, for who asks while it runs: some six calls to the store, however large. */
import type { ObjectStore } from "../storage/store.ts";
import type { SweepDefinition } from "./definition.ts";
import {
  addCounts,
  type Counts,
  countOf,
  noCounts,
  planKey,
  type Run,
  reportKey,
  shardKey,
  stopKey,
} from "./layout.ts";
import { currentRun, readSweepRecord } from "./lifecycle.ts";
import { type Counted, countSettled, type Progress, rateOf, readProgress, withFailing } from "./progress.ts";
import { type Plan, readRecord, type ShardRecord, type StopRecord, type SweepRecord } from "./records.ts";
import type { Report } from "./report-document.ts";
import { steady } from "./retry.ts";

export interface SweepStatus {
  readonly id: string;
  readonly state: "planning" | "running" | "waiting" | "stopping" | "reporting" | "complete" | "cancelled" | "aborted";
  /** Why it was stopped, what it waits for, or what is remarkable. */
  readonly note: string | null;
  /** 0, and one more for each redrive. */
  readonly run: number;
  readonly model: string;
  readonly questions: SweepDefinition["questions"];
  /** Of the first run; null until all images are known. */
  readonly planned: {
    readonly items: number;
    readonly tasks: number;
    readonly bytes: number;
    readonly problems: number;
    readonly duplicates: number;
  } | null;
  /** Together all tasks that were planned. `dropped` are those a stopped run did not try. */
  readonly counts: Counts & { readonly pending: number; readonly running: number };
  /** Tasks a second of late, and the seconds that are left at this rate; null while nothing can be said. */
  readonly rate: number | null;
  readonly etaSeconds: number | null;
  readonly lastFailures: readonly { readonly key: string; readonly code: string; readonly why: string }[];
  readonly report: string | null;
  readonly createdAt: string;
}

/** Failures told. */
const failuresMax = 5;
/** A step takes up to 5 minutes, and the pause after it half a one. */
const quietMilliseconds = 10 * 60_000;

/** Throws `not-found`. */
export async function sweepStatus(
  bucket: ObjectStore,
  id: string,
  { now = Date.now, signal }: { readonly now?: () => number; readonly signal?: AbortSignal } = {},
): Promise<SweepStatus> {
  const store = steady(bucket);
  const [sweep, run] = await Promise.all([readSweepRecord(store, id, signal), currentRun(store, id, signal)]);
  const [plan, first, stop, report, progress] = await Promise.all([
    readRecord<Plan>(store, planKey(run), signal),
    readRecord<Plan>(store, planKey({ sweep: id, run: 0 }), signal),
    readRecord<StopRecord>(store, stopKey(run), signal),
    readRecord<Report>(store, reportKey(id), signal),
    readProgress(store, run, signal),
  ]);
  const counted = await countSettled(store, run, progress, signal);
  const isOver = report?.final === true && report.run === run.run;
  // A run's report counts everything before the next run, which tries again what failed or was dropped.
  const earlier = run.run === 0 || report === null || isOver ? noCounts : settledForGood(report, plan);
  const counts = isOver ? report.counts : addCounts(earlier, counted.counts);
  const open = (plan?.tasks ?? 0) - countOf(counted.counts);
  const running = isOver || plan === null || stop !== null ? 0 : Math.min(open, tasksUnderWay(progress, counted, plan));
  const rate = isOver || stop !== null ? null : rateOf(progress.samples, now(), counted.counts);
  return {
    id,
    state: isOver ? (stop?.state ?? "complete") : stateOf(stop, progress, counted, plan),
    note: joined([
      stop?.why ?? noteOf(first, sweep.definition),
      ...(isOver ? [] : [troubleNote(progress), quietNote(progress.at ?? startOf(sweep, run), now())]),
    ]),
    run: run.run,
    model: sweep.model.name,
    questions: sweep.definition.questions,
    planned: first && {
      items: first.items,
      tasks: first.tasks,
      bytes: first.bytes,
      problems: first.problems,
      duplicates: first.duplicates,
    },
    counts: { ...counts, pending: isOver ? 0 : Math.max(0, open - running), running },
    rate: rate === null ? null : Math.round(100 * rate) / 100,
    etaSeconds: rate === null ? null : Math.round(open / rate),
    lastFailures: await lastFailures(store, run, withFailing(progress.failing, counted.marks), signal),
    report: isOver ? reportKey(id) : null,
    createdAt: sweep.createdAt,
  };
}

/** Of a run that is not over. */
function stateOf(
  stop: StopRecord | null,
  { trouble }: Progress,
  { settled }: Counted,
  plan: Plan | null,
): SweepStatus["state"] {
  if (stop !== null) return "stopping";
  if (trouble !== null) return "waiting";
  if (plan === null) return "planning";
  return settled >= plan.shards ? "reporting" : "running";
}

/** About so many tasks are in the shards that are handed out. */
function tasksUnderWay({ inFlight }: Progress, { settled, beyond }: Counted, { tasks, shards }: Plan): number {
  const open = inFlight.filter(([shard]) => shard >= settled && !beyond.has(shard));
  return Math.round((open.length * tasks) / Math.max(1, shards));
}

/** Of a report's counts those that the next run, whose plan is given, leaves as they are. */
function settledForGood({ counts }: Report, plan: Plan | null): Counts {
  const retried = plan?.tasks ?? counts.failed + counts.dropped;
  return { ...counts, dropped: 0, failed: Math.max(0, counts.failed + counts.dropped - retried) };
}

const joined = (notes: readonly (string | null)[]): string | null =>
  notes.filter((note) => note !== null).join("; ") || null;

const timeText = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`;

function troubleNote({ trouble }: Progress): string | null {
  if (trouble === null) return null;
  const { why, since, times } = trouble;
  return `${why} (${times === 1 ? "once" : `${times} times`}, since ${timeText(since)})`;
}

/** When a run that had no step yet was begun, as far as it is known here. */
const startOf = ({ createdAt }: SweepRecord, { run }: Run): number | null => (run === 0 ? Date.parse(createdAt) : null);

/** Of an orchestrator that died nothing else tells. */
const quietNote = (at: number | null, now: number): string | null =>
  at === null || now - at < quietMilliseconds
    ? null
    : `nobody has driven it on since ${timeText(at)}: start it again with its id, and it goes on`;

function noteOf(plan: Plan | null, { source }: SweepDefinition): string | null {
  if (plan === null) return null;
  const where = source.kind === "prefix" ? `below "${source.prefix}"` : `in "${source.key}"`;
  if (plan.items === 0) return `there is no image ${where}`;
  const notes = [
    ...(plan.problems > 0 ? [`${plan.problems} lines ${where} cannot be read and are among the failures`] : []),
    ...(plan.duplicates > 0 ? [`${plan.duplicates} lines ${where} repeat another and were left out`] : []),
  ];
  return notes.length === 0 ? null : notes.join("; ");
}

async function lastFailures(
  store: ObjectStore,
  run: Run,
  failing: readonly number[],
  signal: AbortSignal | undefined,
): Promise<SweepStatus["lastFailures"]> {
  const records = await Promise.all(
    failing.map((shard) => readRecord<ShardRecord>(store, shardKey(run, shard), signal)),
  );
  return records
    .flatMap((record) => record?.tasks ?? [])
    .filter(({ outcome }) => outcome === "failed")
    .slice(-failuresMax)
    .map(({ key, code = "internal", why = "" }) => ({ key, code, why }));
}
