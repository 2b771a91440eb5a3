/**
 * @file The plan: a chain of chapters, each written once and naming where the next begins, then the seal. Whoever
 * plans, how often and from where does not matter: of two planners the first to write a chapter decides what is in it.
 */
import type { ObjectStore } from "../storage/store.ts";
import { chapterKey, planKey, type Run } from "./layout.ts";
import {
  type Chapter,
  noSums,
  type Plan,
  type PlanSums,
  type Position,
  readRecord,
  type SweepItem,
  type SweepRecord,
  writeRecord,
} from "./records.ts";
import { batchOf, type Found, type Source, type SourceOptions, shardsPerChapter, sourceOf } from "./sources.ts";

export interface PlanOptions extends SourceOptions {
  /** Chapters written in one go, so that it ends within an invocation's time and calls. */
  readonly chaptersMax: number;
  readonly now?: () => number;
}

/** Plans on from where it stopped; the plan once it is sealed, null while there is more to do. */
export async function planMore(
  store: ObjectStore,
  sweep: SweepRecord,
  run: Run,
  options: PlanOptions,
): Promise<Plan | null> {
  const { signal, now = Date.now } = options;
  const sealed = await readRecord<Plan>(store, planKey(run), signal);
  if (sealed !== null) return sealed;
  const batch = batchOf(sweep.definition, run);
  const size = batch * shardsPerChapter(batch);
  const source = sourceOf(store, sweep, run, options);
  const { limit } = sweep.definition;
  let chapter = await chaptersThere(store, run, signal);
  let last = chapter === 0 ? null : await readRecord<Chapter>(store, chapterKey(run, chapter - 1), signal);
  let maker: ChapterMaker | null = null;
  for (let made = 0; last?.next !== null && made < options.chaptersMax; made += 1, chapter += 1) {
    maker ??= chapterMaker(source, last, {
      size,
      questions: sweep.definition.questions.length,
      limit: run.run === 0 ? limit : null,
    });
    const mine = await maker();
    const { outcome } = await writeRecord(store, chapterKey(run, chapter), mine, { onlyIfAbsent: true, signal });
    last = outcome === "written" ? mine : await readRecord<Chapter>(store, chapterKey(run, chapter), signal);
    // Another planner's chapter may end elsewhere: the source is read on from there.
    if (outcome !== "written" && last?.next !== mine.next) maker = null;
  }
  if (last === null || last.next !== null) return null;
  const plan: Plan = {
    schema: 1,
    ...last.sums,
    chapters: chapter,
    shards: Math.ceil(last.sums.items / batch),
    batch,
    sealedAt: new Date(now()).toISOString(),
  };
  const { outcome } = await writeRecord(store, planKey(run), plan, { onlyIfAbsent: true, signal });
  return outcome === "written" ? plan : readRecord<Plan>(store, planKey(run), signal);
}

/** Chapters are written one after another, so that their count is found by halving. */
async function chaptersThere(store: ObjectStore, run: Run, signal: AbortSignal | undefined): Promise<number> {
  const isThere = async (chapter: number): Promise<boolean> =>
    (await store.head(chapterKey(run, chapter), { signal })) !== null;
  if (!(await isThere(0))) return 0;
  let [there, missing] = [0, 1];
  while (await isThere(missing)) [there, missing] = [missing, 2 * missing];
  while (missing - there > 1) {
    const middle = Math.floor((there + missing) / 2);
    if (await isThere(middle)) there = middle;
    else missing = middle;
  }
  return missing;
}

type ChapterMaker = () => Promise<Chapter>;

interface ChapterShape {
  readonly size: number;
  readonly questions: number;
  readonly limit: number | null;
}

/** Cuts what follows a chapter into chapters. One item is read ahead, which tells whether a chapter is the last. */
function chapterMaker(source: Source, last: Chapter | null, { size, questions, limit }: ChapterShape): ChapterMaker {
  let sums = last?.sums ?? noSums;
  const found = source(last?.next ?? null);
  let ahead: Promise<IteratorResult<Found>> | null = null;
  return async () => {
    const items: SweepItem[] = [];
    let position: Position | null = last?.next ?? null;
    const isFull = (): boolean => items.length === size || (limit !== null && sums.items >= limit);
    for (;;) {
      ahead ??= found.next();
      const { done, value } = await ahead;
      if (done === true || (limit !== null && sums.items >= limit)) {
        await found.return(undefined);
        return { schema: 1, items, next: null, sums };
      }
      if (isFull()) return { schema: 1, items, next: position, sums };
      ahead = null;
      ({ position } = value);
      if (value.item !== null) items.push(value.item);
      sums = withItem(sums, value.item, questions);
    }
  };
}

function withItem(sums: PlanSums, item: SweepItem | null, questions: number): PlanSums {
  if (item === null) return { ...sums, duplicates: sums.duplicates + 1 };
  return {
    items: sums.items + 1,
    tasks: sums.tasks + tasksOf(item, questions),
    bytes: sums.bytes + (item.bytes ?? 0),
    problems: sums.problems + (item.problem === undefined ? 0 : 1),
    duplicates: sums.duplicates,
  };
}

/** A line that cannot be read is one task, which fails. */
export const tasksOf = (item: SweepItem, questions: number): number =>
  item.problem === undefined ? (item.questions?.length ?? questions) : 1;
