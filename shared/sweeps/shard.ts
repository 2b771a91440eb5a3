/**
 * @file One shard settled: every question about each of its images answered, or why not. May be told of the same shard
 * any number of times, by any number of workers at once: its record is written once.
 */
import { AppError, messageOf } from "../errors.ts";
import { resolveTarget } from "../models/labels.ts";
import { documentKey, idText } from "../pipeline/layout.ts";
import { readQuestion } from "../pipeline/question.ts";
import { decodeDocument } from "../pipeline/results.ts";
import type { ExplanationService, Identified } from "../pipeline/service.ts";
import { isPassing } from "../pipeline/upload.ts";
import { readObject } from "../storage/body.ts";
import type { ObjectStore } from "../storage/store.ts";
import { labelTarget, type SweepQuestion } from "./definition.ts";
import { addCounts, type Counts, doneKey, noCounts, planKey, type Run, shardKey, stopKey, sweepKey } from "./layout.ts";
import { planeOf, type ReadResult, summarise } from "./measure.ts";
import {
  type Plan,
  readRecord,
  type ShardRecord,
  type StopRecord,
  type SweepItem,
  type SweepRecord,
  type TaskOutcome,
  type TaskRecord,
  writeRecord,
} from "./records.ts";
import { retried } from "./retry.ts";
import { chapterReader } from "./sources.ts";
import { stopRun } from "./stop.ts";

export interface ShardDeps {
  readonly store: ObjectStore;
  readonly service: ExplanationService;
  readonly signal?: AbortSignal | undefined;
}

/** What a queue carries: a reference of some 100 bytes, however many images the shard has. */
export interface ShardMessage extends Run {
  readonly shard: number;
}

/** Throws `request-invalid` for what is no message of ours. */
export function readShardMessage(body: unknown): ShardMessage {
  if (typeof body === "object" && body !== null && "sweep" in body && "run" in body && "shard" in body) {
    const { sweep, run, shard } = body;
    if (typeof sweep === "string" && isIndex(run) && isIndex(shard)) return { sweep, run, shard };
  }
  throw new AppError("request-invalid", "cannot read the message: a shard is { sweep, run, shard }");
}

const isIndex = (value: unknown): value is number => typeof value === "number" && Number.isInteger(value) && value >= 0;

/**
 * - `explain`: all of it; what may pass is thrown, so that the shard is tried again as a whole, its results kept
 * - `last`: the same, but what may pass is recorded as failed
 * - `give-up`: nothing is computed: what has no result is failed. For shards that kill whoever computes them
 */
export type ShardMode = "explain" | "last" | "give-up";

export type ShardOutcome =
  | { readonly kind: "settled"; readonly counts: Counts; readonly milliseconds: number }
  | { readonly kind: "known"; readonly counts: Counts }
  | { readonly kind: "stopped"; readonly why: string };

/** A document has some kilobytes. */
const documentBytesMax = 4_000_000;
/** Looks for a stop this often between images. */
const stopCheckMilliseconds = 5_000;

/** Settles a shard. Throws what may pass (in `explain`) and what is wrong with the ledger itself. */
export async function settleShard(message: ShardMessage, mode: ShardMode, deps: ShardDeps): Promise<ShardOutcome> {
  const { store, signal } = deps;
  const known = await retried(() => readRecord<ShardRecord>(store, shardKey(message, message.shard), signal), signal);
  if (known !== null) {
    await mark(store, message, known.counts, signal);
    return { kind: "known", counts: known.counts };
  }
  const look = (): Promise<StopRecord | null> =>
    retried(() => readRecord<StopRecord>(store, stopKey(message), signal), signal);
  const stop = await look();
  if (stop !== null) return { kind: "stopped", why: stop.why };
  const start = performance.now();
  const job = await openJob(message, deps);
  if (job.hopeless !== null) {
    await stopRun(store, message, { state: "aborted", why: job.hopeless }, signal);
    return { kind: "stopped", why: job.hopeless };
  }
  const tasks: TaskRecord[] = [];
  let looked = Date.now();
  for (const item of job.items) {
    if (Date.now() - looked > stopCheckMilliseconds) {
      const during = await look();
      if (during !== null) return { kind: "stopped", why: during.why };
      looked = Date.now();
    }
    tasks.push(...(await settleItem(item, job, mode, deps)));
  }
  const counts = await recordShard(store, message, tasks, Math.round(performance.now() - start), signal);
  return { kind: "settled", counts, milliseconds: performance.now() - start };
}

/** Writes the record unless there is one, and the mark of whichever is there. Returns the counts that hold. */
export async function recordShard(
  store: ObjectStore,
  message: ShardMessage,
  tasks: readonly TaskRecord[],
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<Counts> {
  const counts = tasks.reduce((sum, { outcome }) => addCounts(sum, { ...noCounts, [outcome]: 1 }), noCounts);
  const record: ShardRecord = { schema: 1, shard: message.shard, counts, tasks, milliseconds };
  const key = shardKey(message, message.shard);
  const { outcome } = await retried(() => writeRecord(store, key, record, { onlyIfAbsent: true, signal }), signal);
  const holds =
    outcome === "written" ? record : await retried(() => readRecord<ShardRecord>(store, key, signal), signal);
  if (holds === null) throw new AppError("storage-failed", `"${key}" was removed while it was written`);
  await mark(store, message, holds.counts, signal);
  return holds.counts;
}

async function mark(
  store: ObjectStore,
  message: ShardMessage,
  counts: Counts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const key = doneKey(message, message.shard, counts);
  await retried(
    () => store.put(key, new Uint8Array(0), { contentType: "text/plain", onlyIfAbsent: true, signal }),
    signal,
  );
}

interface Job {
  readonly sweep: SweepRecord;
  readonly items: readonly SweepItem[];
  /** Why nothing can be explained any more. */
  readonly hopeless: string | null;
  /** When the sweep began, by the store's clock: results since then are this sweep's own. */
  readonly began: Date;
}

async function openJob(message: ShardMessage, { store, service, signal }: ShardDeps): Promise<Job> {
  const { sweep: id, shard } = message;
  return retried(async () => {
    const [sweep, info, plan] = await Promise.all([
      readRecord<SweepRecord>(store, sweepKey(id), signal),
      store.head(sweepKey(id), { signal }),
      readRecord<Plan>(store, planKey(message), signal),
    ]);
    if (sweep === null || info === null || plan === null || shard >= plan.shards) {
      throw new AppError("not-found", `there is no shard ${shard} of run ${message.run} of a sweep "${id}"`);
    }
    const began = info.modified;
    try {
      const items = await chapterReader(store, message, plan, signal)(shard);
      const { name, sha256, card } = sweep.model;
      const model = await service.options.models.get(name, signal);
      const isSame = model.sha256 === sha256 && model.cardSha256 === card;
      const hopeless = isSame ? null : `the model "${name}" was replaced during the sweep: start another one`;
      return { sweep, items, hopeless, began };
    } catch (error) {
      // A model that was removed, a chapter that is damaged: it would be the same for every worker, however often.
      if (isPassing(error) || !(error instanceof AppError)) throw error;
      return { sweep, items: [], hopeless: `it cannot go on: ${error.message}`, began };
    }
  }, signal);
}

async function settleItem(item: SweepItem, job: Job, mode: ShardMode, deps: ShardDeps): Promise<readonly TaskRecord[]> {
  const base = { key: item.key, ...(item.line !== undefined && { line: item.line }) };
  if (item.problem !== undefined) {
    return [{ ...base, question: 0, outcome: "failed", code: "dataset-invalid", why: item.problem, final: true }];
  }
  const questions = item.questions ?? job.sweep.definition.questions.map((_, i) => i);
  try {
    const image = await retried(() => readImage(item, deps), deps.signal);
    const firsts = new Map<string, First>();
    const tasks: TaskRecord[] = [];
    for (const question of questions)
      tasks.push({ ...base, question, ...(await settleTask(item, image, question, firsts, job, mode, deps)) });
    return tasks;
  } catch (error) {
    const failure = failureOf(error, mode, deps);
    return questions.map((question) => ({ ...base, question, ...failure }));
  }
}

type Image = Awaited<ReturnType<ExplanationService["image"]>>;
type First = { readonly result: ReadResult; readonly plane: ReturnType<typeof planeOf> };

/** Throws `not-found` for a missing image, `stale` for one that changed since it was listed. */
async function readImage({ key, etag }: SweepItem, { store, service, signal }: ShardDeps): Promise<Image> {
  const found = await store.get(key, { ifMatch: etag ?? undefined, signal });
  if (found === null) throw new AppError("not-found", `there is no image "${key}"`);
  if (found.outcome !== "found") {
    throw new AppError("stale", `"${key}" was replaced since it was listed; a redrive explains what is there now`, {
      transient: false,
    });
  }
  const { limits } = service.options.decoding;
  const bytes = await readObject(found, { bytesMax: limits.maxBytes, what: `"${key}"` });
  return service.image(bytes, key);
}

type Settled = Omit<TaskRecord, "key" | "line" | "question">;

async function settleTask(
  item: SweepItem,
  image: Image,
  index: number,
  firsts: Map<string, First>,
  job: Job,
  mode: ShardMode,
  deps: ShardDeps,
): Promise<Settled> {
  const { service, signal } = deps;
  try {
    const words = job.sweep.definition.questions[index];
    if (words === undefined) throw new TypeError("tasks are of the definition's questions");
    const { identified, label } = await retried(() => identify(item, image, words, deps), signal);
    const { outcome, result } = await retried(async () => {
      if (mode !== "give-up") {
        const { bytes, made } = await service.answer(identified, image, { kind: "document" }, signal);
        const document = decodeDocument(bytes, identified.id);
        if (made !== undefined) return { result: { document, map: made.map }, outcome: "succeeded" as const };
      }
      const known = await readResult(identified, deps);
      if (known !== null) {
        const isOlder = known.modified < job.began;
        return { result: known.result, outcome: isOlder ? ("skipped" as const) : ("succeeded" as const) };
      }
      if (mode !== "give-up") throw new AppError("storage-failed", `the result of "${item.key}" is not whole`);
      const why = "its shard was given up after many tries, and it has no result";
      throw new AppError("runtime-failed", why, { transient: false });
    }, signal);
    // The maps of a question's other targets are compared with its first one's.
    const { target: _, ...group } = words;
    const same = JSON.stringify(group);
    const first = firsts.get(same) ?? null;
    if (first === null) firsts.set(same, { result, plane: planeOf(result) });
    return { outcome, id: idText(identified.id), summary: summarise(result, item, label, first) };
  } catch (error) {
    return failureOf(error, mode, deps);
  }
}

async function identify(
  item: SweepItem,
  image: Image,
  words: SweepQuestion,
  { service, signal }: ShardDeps,
): Promise<{ readonly identified: Identified; readonly label: number | null }> {
  const { labels } = await service.options.models.get(words.model, signal);
  const label = item.class === undefined ? null : resolveTarget(item.class, labels, labels?.length ?? null);
  if (words.target === labelTarget && label === null) {
    throw new AppError("spec-invalid", `cannot explain the class of "${item.key}": the manifest gives it none`);
  }
  const target = words.target === labelTarget ? String(label) : words.target;
  const question = readQuestion({ ...words, target }, {});
  return { identified: await service.identify(item.key, image.sha256, question, signal), label };
}

/** A result's document and map, and when it was written; null where it is not whole. */
async function readResult(
  { id }: Identified,
  { store, service, signal }: ShardDeps,
): Promise<{ readonly result: ReadResult; readonly modified: Date } | null> {
  const found = await store.get(documentKey(id), { signal });
  if (found?.outcome !== "found") return null;
  const bytes = await readObject(found, { bytesMax: documentBytesMax, what: `"${found.info.key}"` });
  const map = await service.read(id, { kind: "map" }, signal);
  if (map === null) return null;
  return { result: { document: decodeDocument(bytes, id), map }, modified: found.info.modified };
}

/** What may pass is thrown while the shard will be tried again. */
function failureOf(
  error: unknown,
  mode: ShardMode,
  { signal }: ShardDeps,
): Settled & { readonly outcome: TaskOutcome } {
  if (signal?.aborted) throw error;
  if (mode === "explain" && isPassing(error)) throw error;
  const why = messageOf(error);
  return { outcome: "failed", code: error instanceof AppError ? error.code : "internal", why };
}
