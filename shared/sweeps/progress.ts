/**
 * @file How far a run is, found by listing the marks of settled shards: never more than the ones not counted before.
 */
import { compareKeys } from "../storage/keys.ts";
import type { ListPage, ObjectStore } from "../storage/store.ts";
import {
  addCounts,
  afterDone,
  type Counts,
  countOf,
  donePrefix,
  noCounts,
  progressKey,
  type Run,
  readDoneKey,
} from "./layout.ts";
import { readRecord, writeRecord } from "./records.ts";

/** `progress.json`: a cache. Without it everything is counted anew, and shards are handed out again. */
export interface Progress {
  /** Shards before this one are settled, and `counts` are theirs. */
  readonly settled: number;
  readonly counts: Counts;
  /** The next shard to hand out. */
  readonly next: number;
  /** Handed out and not known to be settled: the shard, and when. */
  readonly inFlight: readonly (readonly [number, number])[];
  /** Of late: when, and how many tasks were settled. The rate comes from them. */
  readonly samples: readonly (readonly [number, number])[];
  /** The last shards with failures, the newest last. */
  readonly failing: readonly number[];
  /** When the orchestrator's last step was; null before there was one. */
  readonly at: number | null;
  /** What keeps it from going on; null after a step that did. */
  readonly trouble: Trouble | null;
}

export interface Trouble {
  readonly why: string;
  /** Of the first of so many steps, one after another. */
  readonly since: number;
  readonly times: number;
}

const nothing: Progress = {
  settled: 0,
  counts: noCounts,
  next: 0,
  inFlight: [],
  samples: [],
  failing: [],
  at: null,
  trouble: null,
};

/** The same trouble goes on, whatever words it has today. */
export const withTrouble = (known: Trouble | null, why: string, now: number): Trouble => ({
  why,
  since: known?.since ?? now,
  times: (known?.times ?? 0) + 1,
});

/** Shards remembered for their failures. */
const failingMax = 3;

/** The last shards with failures, with those found now. */
export const withFailing = (failing: Progress["failing"], marks: readonly Mark[]): Progress["failing"] => {
  const found = marks
    .filter(({ counts }) => counts.failed > 0)
    .toSorted((a, b) => a.at.getTime() - b.at.getTime())
    .map(({ shard }) => shard);
  return [...new Set([...failing.filter((shard) => !found.includes(shard)), ...found])].slice(-failingMax);
};

export const readProgress = async (store: ObjectStore, run: Run, signal?: AbortSignal): Promise<Progress> => ({
  ...nothing,
  ...(await readRecord<Progress>(store, progressKey(run), signal)),
});

export const writeProgress = (store: ObjectStore, run: Run, progress: Progress, signal?: AbortSignal) =>
  writeRecord(store, progressKey(run), progress, { signal });

/** A settled shard, and when its mark was written. */
export interface Mark {
  readonly shard: number;
  readonly counts: Counts;
  readonly at: Date;
}

export interface Counted {
  readonly counts: Counts;
  /** Shards before this one are all settled, and these are their counts. */
  readonly settled: number;
  readonly settledCounts: Counts;
  /** Settled shards from there on, and all that were listed now. */
  readonly beyond: ReadonlySet<number>;
  readonly marks: readonly Mark[];
}

/** A page has 1,000 marks: one slow shard among a hundred thousand does not make a poll long. */
export const pagesMax = 20;

/** Counts on from what is known. */
export async function countSettled(
  store: ObjectStore,
  run: Run,
  known: Pick<Progress, "settled" | "counts">,
  signal?: AbortSignal,
): Promise<Counted> {
  let { settled, counts: settledCounts } = known;
  let counts = settledCounts;
  const beyond = new Set<number>();
  const marks: Mark[] = [];
  let cursor: string | null = null;
  const startAfter = settled === 0 ? undefined : afterDone(run, settled - 1);
  for (let page = 0; page < pagesMax; page += 1) {
    const found: ListPage = await store.list({
      prefix: donePrefix(run),
      ...(cursor === null ? { startAfter } : { cursor, startAfter }),
      signal,
    });
    for (const { key, modified } of found.objects.toSorted((a, b) => compareKeys(a.key, b.key))) {
      const mark = readDoneKey(key);
      if (mark === null || mark.shard < settled || beyond.has(mark.shard)) continue;
      counts = addCounts(counts, mark.counts);
      marks.push({ ...mark, at: modified });
      if (mark.shard === settled) {
        settled += 1;
        settledCounts = addCounts(settledCounts, mark.counts);
      } else {
        beyond.add(mark.shard);
      }
    }
    ({ cursor } = found);
    if (cursor === null) break;
  }
  return { counts, settled, settledCounts, beyond, marks };
}

/** Samples kept, and how far back they reach: the rate of the last minutes, not of the days before a restart. */
const samplesMax = 12;
const sampleWindowMilliseconds = 10 * 60_000;

export function withSample(samples: Progress["samples"], now: number, counts: Counts): Progress["samples"] {
  const kept = samples.filter(([at, tasks]) => now - at < sampleWindowMilliseconds && tasks <= countOf(counts));
  const last = kept.at(-1);
  if (last !== undefined && last[1] === countOf(counts)) return kept;
  return [...kept, [now, countOf(counts)] as const].slice(-samplesMax);
}

/** Tasks a second; null while nothing can be said. */
export function rateOf(samples: Progress["samples"], now: number, counts: Counts): number | null {
  const [first] = samples;
  if (first === undefined || now - first[0] < 200) return null;
  const tasks = countOf(counts) - first[1];
  return tasks <= 0 ? null : tasks / ((now - first[0]) / 1000);
}
