/**
 * @file The report: every shard's record read once, in order, and added up; and the proof that all that was planned is
 * accounted for. Made in parts of bounded size, so that neither memory nor an invocation's calls limit a sweep.
 */
import { AppError } from "../errors.ts";
import type { ObjectStore } from "../storage/store.ts";
import { type Counts, countOf, planKey, type Run, reportFolder, shardKey, stopKey } from "./layout.ts";
import {
  type Plan,
  readRecord,
  type ShardRecord,
  type StopRecord,
  type SweepRecord,
  type TaskRecord,
  writeRecord,
} from "./records.ts";
import type { Report } from "./report-document.ts";
import { reportPage } from "./report-page.ts";
import { retried } from "./retry.ts";
import { addTask, classesOf, newTally, questionReport, type Tally } from "./tally.ts";

export interface ReportOptions {
  /** Everything must be there, and the sweep is over then. Otherwise what is there is reported, as `partial-…`. */
  readonly final: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Shards and tasks of one part: some thousand reads, and some megabytes of lines. */
export const partShardsMax = 1_000;
export const partTasksMax = 20_000;
/** Records read at once: a Worker has six connections. */
const readsAtOnce = 6;

/** `report-progress.json`: the sums so far, and where the next part begins. */
interface Parts {
  readonly run: number;
  readonly at: { readonly run: number; readonly shard: number };
  readonly part: number;
  readonly tally: Tally;
  readonly failureFiles: readonly string[];
  readonly resultFiles: readonly string[];
  /** Of the run being read: its tasks, and those left to the next run. */
  readonly seen: number;
  readonly left: number;
}

/** Makes the next part; whether the report is whole. Throws where the ledger does not add up. */
export async function reportMore(
  store: ObjectStore,
  sweep: SweepRecord,
  run: Run,
  { final, signal }: ReportOptions,
): Promise<boolean> {
  const folder = `${reportFolder(sweep.id)}${final ? "" : "partial-"}`;
  const progressName = `${folder}report-progress.json`;
  const known = final ? await readRecord<Parts>(store, progressName, signal) : null;
  let parts: Parts = known?.run === run.run ? known : firstParts(run, sweep);
  const results: string[] = [];
  const failures: string[] = [];
  let tasks = 0;
  let shards = 0;
  let { seen, left } = parts;
  let { run: at, shard } = parts.at;
  for (; at <= run.run; at += 1, shard = 0) {
    const here = { sweep: sweep.id, run: at };
    const plan = await readRecord<Plan>(store, planKey(here), signal);
    const isLast = at === run.run;
    while (plan !== null && shard < plan.shards && shards < partShardsMax && tasks < partTasksMax) {
      const until = Math.min(plan.shards, shard + readsAtOnce);
      const numbers = Array.from({ length: until - shard }, (_, i) => shard + i);
      const read = (n: number): Promise<ShardRecord | null> =>
        retried(() => readRecord<ShardRecord>(store, shardKey(here, n), signal), signal);
      const records = await Promise.all(numbers.map(read));
      for (const [i, record] of records.entries()) {
        if (record === null && final) throw incomplete(sweep.id, `shard ${shard + i} of run ${at} has no record`);
        for (const task of record?.tasks ?? []) {
          seen += 1;
          if (!isLast && isOpen(task)) left += 1;
          else take(parts.tally, task, results, failures);
        }
        tasks += record?.tasks.length ?? 0;
      }
      shards += numbers.length;
      shard = until;
    }
    if (plan !== null && shard < plan.shards) break;
    if (final) await prove(store, here, plan, { seen, left, isLast }, signal);
    [seen, left] = [0, 0];
  }
  const resultFile = await writeLines(store, folder, "results", parts.part, results, signal);
  const failureFile = await writeLines(store, folder, "failures", parts.part, failures, signal);
  parts = {
    ...parts,
    at: { run: at, shard },
    part: parts.part + 1,
    seen,
    left,
    resultFiles: [...parts.resultFiles, ...resultFile],
    failureFiles: [...parts.failureFiles, ...failureFile],
  };
  if (at <= run.run && final) {
    await writeRecord(store, progressName, parts, { signal });
    return false;
  }
  await finish(store, sweep, run, parts, folder, { final, signal });
  return true;
}

const firstParts = (run: Run, { definition }: SweepRecord): Parts => ({
  run: run.run,
  at: { run: 0, shard: 0 },
  part: 0,
  tally: newTally(definition.questions.length),
  failureFiles: [],
  resultFiles: [],
  seen: 0,
  left: 0,
});

/** What the next run tries again: its record counts. */
const isOpen = ({ outcome, final }: TaskRecord): boolean =>
  (outcome === "failed" && final !== true) || outcome === "dropped";

function take(tally: Tally, task: TaskRecord, results: string[], failures: string[]): void {
  addTask(tally, task);
  results.push(JSON.stringify(task));
  if (task.outcome === "failed") failures.push(JSON.stringify(task));
}

/** All that was planned has a record, and all that was left over is planned in the next run. */
async function prove(
  store: ObjectStore,
  run: Run,
  plan: Plan | null,
  { seen, left, isLast }: { readonly seen: number; readonly left: number; readonly isLast: boolean },
  signal: AbortSignal | undefined,
): Promise<void> {
  const planned = plan?.tasks ?? 0;
  if (seen !== planned)
    throw incomplete(run.sweep, `run ${run.run} planned ${planned} tasks and has records of ${seen}`);
  if (isLast) return;
  const next = await readRecord<Plan>(store, planKey({ ...run, run: run.run + 1 }), signal);
  if (next === null || next.tasks === left) return; // a run that was stopped while it was planned has no plan
  throw incomplete(run.sweep, `run ${run.run} left ${left} tasks, and the next one planned ${next.tasks}`);
}

const incomplete = (id: string, why: string): AppError =>
  new AppError("storage-failed", `the ledger of the sweep "${id}" does not add up: ${why}`, { transient: false });

/** `results.jsonl`, and `results.1.jsonl` and so on where there are more parts. The first one is always there. */
async function writeLines(
  store: ObjectStore,
  folder: string,
  kind: string,
  part: number,
  lines: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  if (lines.length === 0 && part > 0) return [];
  const key = `${folder}${kind}${part === 0 ? "" : `.${part}`}.jsonl`;
  const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
  await store.put(key, bytes, { contentType: "application/jsonl", signal });
  return [nameOf(key)];
}

const nameOf = (key: string): string => key.slice(key.lastIndexOf("/") + 1);

/** The document comes last: who finds it finds all. */
async function finish(
  store: ObjectStore,
  sweep: SweepRecord,
  run: Run,
  { tally, resultFiles, failureFiles }: Parts,
  folder: string,
  { final, signal }: ReportOptions,
): Promise<void> {
  const [plan, stop] = await Promise.all([
    readRecord<Plan>(store, planKey({ sweep: sweep.id, run: 0 }), signal),
    readRecord<StopRecord>(store, stopKey(run), signal),
  ]);
  if (final) proveSum(sweep.id, tally.counts, plan);
  const page = `${folder}report.html`;
  const report: Report = {
    schema: 1,
    id: sweep.id,
    run: run.run,
    final,
    state: final ? (stop?.state ?? "complete") : "running",
    note: stop?.why ?? null,
    model: sweep.model,
    definition: sweep.definition,
    createdAt: sweep.createdAt,
    writtenAt: new Date().toISOString(),
    planned: plan && {
      items: plan.items,
      tasks: plan.tasks,
      bytes: plan.bytes,
      problems: plan.problems,
      duplicates: plan.duplicates,
    },
    counts: tally.counts,
    classes: classesOf(tally),
    questions: tally.questions.map((each, i) => {
      const question = sweep.definition.questions[i];
      if (question === undefined) throw new TypeError("a tally has the definition's questions");
      return questionReport(each, question);
    }),
    files: { results: resultFiles, failures: failureFiles, page: nameOf(page) },
  };
  const html = new TextEncoder().encode(reportPage(report, tally));
  await store.put(page, html, { contentType: "text/html; charset=utf-8", signal });
  await writeRecord(store, `${folder}report.json`, report, { signal });
}

/**
 * succeeded + skipped + failed + dropped = planned; where a later run was never planned, what it was for is missing.
 */
function proveSum(id: string, counts: Counts, plan: Plan | null): void {
  if (plan === null || countOf(counts) === plan.tasks) return;
  throw incomplete(id, `${plan.tasks} tasks were planned, and ${countOf(counts)} are accounted for`);
}
