/**
 * @file Where a sweep's ledger is in the bucket. The one place that spells its keys.
 *
 * sweeps/definitions/<name>.json     what schedules start
 * sweeps/<id>/sweep.json             what was asked; whoever writes it starts the sweep
 * sweeps/<id>/report.json, .html, results.jsonl, failures.jsonl
 * sweeps/<id>/                       and below it, of run 0; sweeps/<id>/redrives/<run>/ of the later ones:
 *   run.json                         of a redrive: whoever writes it starts it
 *   plan/<chapter>.json              the images, up to 1,000 a file, each file naming where the next begins
 *   plan.json                        the seal: how many there are
 *   shards/<shard>.json              what became of a shard, written once
 *   done/<shard>.<counts>            a shard's counts in a key, so that a listing adds them up
 *   stop.json                        why nothing more is to be done
 *   resume.json                      when somebody had it driven on: what was handed out before is handed out again
 *   progress.json                    a cache: what was handed out, and what is known to be done
 */
import { AppError } from "../errors.ts";

export const sweepPrefix = "sweeps/";
export const definitionPrefix = `${sweepPrefix}definitions/`;

/** A sweep's id: part of keys, URLs and of a Workflow instance's name, which has 100 characters. */
const sweepId = /^[a-z0-9][a-z0-9-]{0,63}$/;

/** Throws `request-invalid` for what is no id. */
export function checkSweepId(id: string): string {
  if (sweepId.test(id) && id !== "definitions") return id;
  throw new AppError(
    "request-invalid",
    `"${id}" cannot name a sweep: an id has 1 to 64 lower-case letters, digits and "-", and begins with no "-"`,
    { id },
  );
}

export const sweepFolder = (id: string): string => `${sweepPrefix}${id}/`;
export const sweepKey = (id: string): string => `${sweepFolder(id)}sweep.json`;
export const redrivePrefix = (id: string): string => `${sweepFolder(id)}redrives/`;

/** One go through images of a sweep: run 0 through all, each redrive through what did not succeed before. */
export interface Run {
  readonly sweep: string;
  readonly run: number;
}

export const runFolder = ({ sweep, run }: Run): string =>
  run === 0 ? sweepFolder(sweep) : `${redrivePrefix(sweep)}${run}/`;

/** So many digits that names stand in the order of their numbers. */
const digits = 8;
const padded = (index: number): string => String(index).padStart(digits, "0");

export const runKey = (run: Run): string => `${runFolder(run)}run.json`;
export const chapterKey = (run: Run, chapter: number): string => `${runFolder(run)}plan/${padded(chapter)}.json`;
export const planKey = (run: Run): string => `${runFolder(run)}plan.json`;
export const shardKey = (run: Run, shard: number): string => `${runFolder(run)}shards/${padded(shard)}.json`;
export const stopKey = (run: Run): string => `${runFolder(run)}stop.json`;
export const resumeKey = (run: Run): string => `${runFolder(run)}resume.json`;
export const progressKey = (run: Run): string => `${runFolder(run)}progress.json`;
export const reportFolder = sweepFolder;
export const reportKey = (id: string): string => `${sweepFolder(id)}report.json`;

/** What became of tasks: each is in exactly one of these once its shard is settled. */
export interface Counts {
  readonly succeeded: number;
  readonly skipped: number;
  readonly failed: number;
  /** Not tried any more, because the run was stopped. */
  readonly dropped: number;
}

export const noCounts: Counts = { succeeded: 0, skipped: 0, failed: 0, dropped: 0 };

export const addCounts = (a: Counts, b: Counts): Counts => ({
  succeeded: a.succeeded + b.succeeded,
  skipped: a.skipped + b.skipped,
  failed: a.failed + b.failed,
  dropped: a.dropped + b.dropped,
});

export const countOf = ({ succeeded, skipped, failed, dropped }: Counts): number =>
  succeeded + skipped + failed + dropped;

export const donePrefix = (run: Run): string => `${runFolder(run)}done/`;

export const doneKey = (run: Run, shard: number, { succeeded, skipped, failed, dropped }: Counts): string =>
  `${donePrefix(run)}${padded(shard)}.${succeeded}.${skipped}.${failed}.${dropped}`;

/** The last key that a shard's mark could have: a listing that starts after it begins with the next shard. */
export const afterDone = (run: Run, shard: number): string => `${donePrefix(run)}${padded(shard)}.~`;

/** What a mark's key says, or null for a key that is none. */
export function readDoneKey(key: string): { readonly shard: number; readonly counts: Counts } | null {
  const found = /\/(\d+)\.(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(key);
  if (found === null) return null;
  const [, shard = 0, succeeded = 0, skipped = 0, failed = 0, dropped = 0] = found.map(Number);
  return { shard, counts: { succeeded, skipped, failed, dropped } };
}
