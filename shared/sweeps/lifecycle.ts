/** @file Starting, cancelling and redriving sweeps: each decided by one conditional write. */
import { canonicalJson } from "../digest.ts";
import { AppError } from "../errors.ts";
import type { ModelCatalogue } from "../pipeline/models.ts";
import type { ListPage, ObjectStore } from "../storage/store.ts";
import type { SweepDefinition } from "./definition.ts";
import {
  checkSweepId,
  planKey,
  type Run,
  redrivePrefix,
  reportKey,
  resumeKey,
  runKey,
  stopKey,
  sweepKey,
} from "./layout.ts";
import { type Plan, type ResumeRecord, readRecord, type StopRecord, type SweepRecord, writeRecord } from "./records.ts";
import { retried } from "./retry.ts";
import { stopRun } from "./stop.ts";

export interface LifecycleDeps {
  readonly store: ObjectStore;
  readonly models: ModelCatalogue;
  readonly signal?: AbortSignal | undefined;
}

/** `sweep-2026-11-23-` and eight random digits. */
export const newSweepId = (now = new Date()): string =>
  `sweep-${now.toISOString().slice(0, 10)}-${crypto.randomUUID().slice(0, 8)}`;

/**
 * Starts a sweep, or finds the one of this id that asks the same: of two started at once one is written and both go on
 * with it. Throws `request-invalid` where the id is another sweep's, `not-found` for model or manifest.
 */
export async function createSweep(
  { store, models, signal }: LifecycleDeps,
  id: string,
  definition: SweepDefinition,
): Promise<{ readonly sweep: SweepRecord; readonly created: boolean }> {
  checkSweepId(id);
  const [question] = definition.questions;
  if (question === undefined) throw new TypeError("a definition has a question");
  const model = await models.get(question.model, signal);
  const record: SweepRecord = {
    schema: 1,
    id,
    definition,
    model: { name: model.name, sha256: model.sha256, card: model.cardSha256 },
    manifestEtag: await manifestEtag(store, definition, signal),
    createdAt: new Date().toISOString(),
  };
  const { outcome } = await retried(
    () => writeRecord(store, sweepKey(id), record, { onlyIfAbsent: true, signal }),
    signal,
  );
  if (outcome === "written") return { sweep: record, created: true };
  const sweep = await readSweepRecord(store, id, signal);
  if (canonicalJson(sweep.definition) === canonicalJson(definition)) {
    // A lost answer to our own write looks the same.
    return { sweep, created: sweep.createdAt === record.createdAt };
  }
  throw new AppError(
    "request-invalid",
    `cannot start the sweep "${id}": there is one of this id that asks something else; choose another id`,
    { id, reason: "exists" },
  );
}

export async function manifestEtag(
  store: ObjectStore,
  { source }: SweepDefinition,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  if (source.kind === "prefix") return null;
  const info = await retried(() => store.head(source.key, { signal }), signal);
  if (info === null) throw new AppError("not-found", `there is no manifest "${source.key}"`, { key: source.key });
  return info.etag;
}

/** Throws `not-found`. */
export async function readSweepRecord(store: ObjectStore, id: string, signal?: AbortSignal): Promise<SweepRecord> {
  const sweep = await retried(() => readRecord<SweepRecord>(store, sweepKey(checkSweepId(id)), signal), signal);
  if (sweep !== null) return sweep;
  throw new AppError("not-found", `there is no sweep "${id}"`, { id });
}

/** The run a sweep is in: the last of its redrives, or the first. */
export async function currentRun(store: ObjectStore, id: string, signal?: AbortSignal): Promise<Run> {
  const prefix = redrivePrefix(id);
  let cursor: string | null = null;
  let run = 0;
  do {
    const page: ListPage = await retried(
      () => store.list({ prefix, delimiter: "/", cursor: cursor ?? undefined, signal }),
      signal,
    );
    for (const each of page.prefixes) run = Math.max(run, Number(each.slice(prefix.length, -1)) || 0);
    cursor = page.cursor;
  } while (cursor !== null);
  return { sweep: id, run };
}

/** Has what was handed out up to now handed out again: queues may have lost it. What is settled stays so. */
export async function resumeRun(store: ObjectStore, run: Run, now = Date.now(), signal?: AbortSignal): Promise<void> {
  const record: ResumeRecord = { at: now };
  await retried(() => writeRecord(store, resumeKey(run), record, { signal }), signal);
}

/** Stops a sweep; one that is complete stays so. */
export async function cancelSweep(store: ObjectStore, id: string, signal?: AbortSignal): Promise<void> {
  await readSweepRecord(store, id, signal);
  const run = await currentRun(store, id, signal);
  if (await isReported(store, run, signal)) return;
  await stopRun(store, run, { state: "cancelled", why: "it was cancelled by request" }, signal);
}

/** What is looked at of a report here. */
interface ReportedRun {
  readonly run: number;
  readonly final: boolean;
  readonly planned: object | null;
}

/** A run's final report; null until it is written. */
async function reportOf({ sweep, run }: Run, store: ObjectStore, signal?: AbortSignal): Promise<ReportedRun | null> {
  const report = await retried(() => readRecord<ReportedRun>(store, reportKey(sweep), signal), signal);
  return report?.final === true && report.run === run ? report : null;
}

/** Whether a run's final report is written, after which the run is over. */
export const isReported = async (store: ObjectStore, run: Run, signal?: AbortSignal): Promise<boolean> =>
  (await reportOf(run, store, signal)) !== null;

/**
 * Begins a run through what did not succeed. Of two redrives at once one is written, and both are it. Throws
 * `request-invalid` while the run before is not over, or where it was stopped before it was planned.
 */
export async function redriveSweep(store: ObjectStore, id: string, signal?: AbortSignal): Promise<Run> {
  await readSweepRecord(store, id, signal);
  const run = await currentRun(store, id, signal);
  const refuse = (why: string): AppError =>
    new AppError("request-invalid", `cannot redrive the sweep "${id}": ${why}`, { id, reason: "not-over" });
  const report = await reportOf(run, store, signal);
  if (report === null) throw refuse("it is not over; cancel it first, or wait for its report");
  const plan = await retried(() => readRecord<Plan>(store, planKey(run), signal), signal);
  // One that was sealed while the run was being stopped is of images that its report knows nothing of.
  if (plan === null || report.planned === null) {
    const stop = await retried(() => readRecord<StopRecord>(store, stopKey(run), signal), signal);
    throw refuse(`it ended before its images were known (${stop?.why ?? "no reason is kept"}); start another one`);
  }
  const next = { sweep: id, run: run.run + 1 };
  const record = { schema: 1, at: new Date().toISOString() };
  await retried(() => writeRecord(store, runKey(next), record, { onlyIfAbsent: true, signal }), signal);
  return next;
}
