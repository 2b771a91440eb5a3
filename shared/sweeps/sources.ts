/** @file What a plan is made of: images listed below a prefix, named by a manifest, or left over by an earlier run. */
import { AppError } from "../errors.ts";
import { isImageKey } from "../pipeline/layout.ts";
import { listAll } from "../storage/list-all.ts";
import type { ObjectStore } from "../storage/store.ts";
import type { SweepDefinition } from "./definition.ts";
import { chapterKey, planKey, type Run, shardKey } from "./layout.ts";
import { formatOf, lineReader, linesOf } from "./manifest.ts";
import {
  type Chapter,
  type Plan,
  type Position,
  readRecord,
  type ShardRecord,
  type SweepItem,
  type SweepRecord,
} from "./records.ts";

/** An item, or null for a line that repeats one; and where the source goes on after it. */
export interface Found {
  readonly item: SweepItem | null;
  readonly position: Position;
}

export interface SourceOptions {
  /** A manifest's lines are remembered to find repeated ones, some 100 bytes each. */
  readonly manifestLinesMax: number;
  readonly signal?: AbortSignal | undefined;
}

/** Everything from a position on, in an order that does not change. */
export type Source = (after: Position | null) => AsyncGenerator<Found>;

export function sourceOf(store: ObjectStore, sweep: SweepRecord, run: Run, options: SourceOptions): Source {
  if (run.run > 0) return (after) => leftOver(store, { ...run, run: run.run - 1 }, after, options);
  const { source, sample } = sweep.definition;
  const all: Source =
    source.kind === "prefix"
      ? (after) => listed(store, source.prefix, after, options)
      : (after) => named(store, source.key, sweep, after, options);
  return sample === null ? all : (after) => sampled(all(after), sample);
}

async function* listed(
  store: ObjectStore,
  prefix: string,
  after: Position | null,
  { signal }: SourceOptions,
): AsyncGenerator<Found> {
  const startAfter = after === null ? undefined : String(after);
  for await (const { key, etag, size } of listAll(store, { prefix, startAfter, signal })) {
    if (isImageKey(key)) yield { item: { key, etag, bytes: size }, position: key };
  }
}

async function* named(
  store: ObjectStore,
  key: string,
  { manifestEtag }: SweepRecord,
  after: Position | null,
  { signal, manifestLinesMax }: SourceOptions,
): AsyncGenerator<Found> {
  const found = await store.get(key, { ifMatch: manifestEtag ?? undefined, signal });
  if (found?.outcome !== "found") {
    const what = found === null ? "removed" : "changed";
    throw new AppError("stale", `the manifest "${key}" was ${what} while it was planned: start another sweep`, {
      transient: false,
    });
  }
  const read = lineReader(formatOf(key));
  const seen = new Set<string>();
  let line = 0;
  for await (const text of linesOf(found.body)) {
    line += 1;
    const item = read(text, line);
    if (item === null) continue;
    const same = `${item.key}\n${item.class ?? ""}`;
    const isRepeated = item.problem === undefined && seen.has(same);
    if (item.problem === undefined) seen.add(same);
    if (seen.size > manifestLinesMax) {
      throw new AppError(
        "dataset-invalid",
        `cannot plan the manifest "${key}": it names more than ${manifestLinesMax} images; split it`,
      );
    }
    if (line > Number(after ?? 0)) yield { item: isRepeated ? null : item, position: line };
  }
}

/** Tasks that did not succeed, of a run all of whose shards are settled: an item each. */
async function* leftOver(
  store: ObjectStore,
  run: Run,
  after: Position | null,
  { signal }: SourceOptions,
): AsyncGenerator<Found> {
  const plan = await readRecord<Plan>(store, planKey(run), signal);
  if (plan === null) throw new TypeError("a run is planned before it is driven again");
  const [from = 0, offset = 0] = after === null ? [] : String(after).split(":").map(Number);
  const chapters = chapterReader(store, run, plan, signal);
  for (let shard = from; shard < plan.shards; shard += 1) {
    const record = await readRecord<ShardRecord>(store, shardKey(run, shard), signal);
    if (record === null) throw new TypeError("a run's shards are settled before it is driven again");
    const open = record.tasks.filter((t) => (t.outcome === "failed" && t.final !== true) || t.outcome === "dropped");
    const items = await chapters(shard);
    const left = items.flatMap((item) => {
      const questions = open.filter((t) => t.key === item.key && t.line === item.line).map((t) => t.question);
      // What is there now is explained, whatever was there when it was listed.
      return questions.length === 0 ? [] : [{ ...item, etag: null, questions }];
    });
    for (const [i, item] of left.entries()) {
      if (shard === from && i < offset) continue;
      const isLast = i === left.length - 1;
      yield { item, position: isLast ? `${shard + 1}:0` : `${shard}:${i + 1}` };
    }
  }
}

/** The items of a shard. A chapter is kept for the shard that comes next. */
export function chapterReader(
  store: ObjectStore,
  run: Run,
  { batch }: Pick<Plan, "batch">,
  signal: AbortSignal | undefined,
): (shard: number) => Promise<readonly SweepItem[]> {
  const perChapter = shardsPerChapter(batch);
  let kept: { readonly index: number; readonly items: readonly SweepItem[] } | null = null;
  return async (shard) => {
    const index = Math.floor(shard / perChapter);
    if (kept?.index !== index) {
      const chapter = await readRecord<Chapter>(store, chapterKey(run, index), signal);
      if (chapter === null) throw new AppError("not-found", `there is no shard ${shard} of the sweep "${run.sweep}"`);
      kept = { index, items: chapter.items };
    }
    const first = (shard % perChapter) * batch;
    return kept.items.slice(first, first + batch);
  };
}

/** A chapter is a listing's page. */
export const chapterItemsMax = 1000;

export const shardsPerChapter = (batch: number): number => Math.floor(chapterItemsMax / batch);

/** Images of a redrive's shard: one that kills its isolate takes no other with it. */
const redriveBatch = 1;

export const batchOf = ({ batch }: SweepDefinition, { run }: Run): number => (run === 0 ? batch : redriveBatch);

async function* sampled(source: AsyncGenerator<Found>, share: number): AsyncGenerator<Found> {
  for await (const found of source) {
    if (found.item === null || found.item.problem !== undefined || uniformOf(found.item.key) < share) yield found;
  }
}

/** A number in [0, 1) that a key always has: FNV-1a, then mixed so that similar keys are far apart. */
function uniformOf(key: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
