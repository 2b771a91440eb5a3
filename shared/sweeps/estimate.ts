/**
 * @file The dry run: counts every image, explains a few without keeping anything, and says what the whole would take.
 */
import { resolveTarget } from "../models/labels.ts";
import { explainImage } from "../pipeline/explain.ts";
import { documentKey } from "../pipeline/layout.ts";
import { readQuestion } from "../pipeline/question.ts";
import { encodeDocument } from "../pipeline/results.ts";
import type { ExplanationService } from "../pipeline/service.ts";
import { readObject } from "../storage/body.ts";
import type { ObjectStore } from "../storage/store.ts";
import { labelTarget, type SweepDefinition } from "./definition.ts";
import { sweepFolder } from "./layout.ts";
import { manifestEtag } from "./lifecycle.ts";
import { tasksOf } from "./plan.ts";
import { type Price, priceOf, usageOf } from "./prices.ts";
import type { SweepItem, SweepRecord } from "./records.ts";
import { sourceOf } from "./sources.ts";

export interface Estimate {
  readonly dryRun: true;
  readonly images: number;
  /** Explanations: every image's questions. */
  readonly tasks: number;
  /** As listed; a manifest does not say. */
  readonly bytes: number;
  readonly problems: number;
  readonly duplicates: number;
  /** False where counting was cut short: then `images` is what was counted. */
  readonly counted: boolean;
  readonly shards: number;
  /** From a sample of the images; null where none could be explained. */
  readonly sampled: {
    readonly images: number;
    readonly failed: number;
    /** The share of explanations that are there already. */
    readonly known: number;
    readonly millisecondsPerTask: number;
  } | null;
  readonly cpuSeconds: number | null;
  /** With `workers` at work all the time. */
  readonly seconds: number | null;
  readonly workers: number;
  /** On Cloudflare, beyond what a plan includes. */
  readonly price: Price | null;
}

export interface EstimateDeps {
  readonly store: ObjectStore;
  readonly service: ExplanationService;
  readonly signal?: AbortSignal | undefined;
}

export interface EstimateLimits {
  readonly imagesMax: number;
  readonly manifestLinesMax: number;
  readonly workers: number;
}

/** Images explained, spread over all: the mean of so few is good to about a tenth where images are of one kind. */
const sampleMax = 6;
/** Where they are taken from: every item while there are few, then every second and so on. */
const reservoirMax = 64;

/** Throws `not-found` for model or manifest. Writes nothing but a probe, which it removes. */
export async function estimateSweep(
  deps: EstimateDeps,
  definition: SweepDefinition,
  limits: EstimateLimits,
): Promise<Estimate> {
  const { store, service, signal } = deps;
  const [question] = definition.questions;
  const model = await service.options.models.get(question?.model ?? "", signal);
  const sweep: SweepRecord = {
    schema: 1,
    id: "dry-run",
    definition,
    model: { name: model.name, sha256: model.sha256, card: model.cardSha256 },
    manifestEtag: await manifestEtag(store, definition, signal),
    createdAt: new Date(0).toISOString(),
  };
  const { sums, some, counted } = await count(deps, sweep, limits);
  const shards = Math.ceil(sums.images / definition.batch);
  const sampled = await sample(deps, definition, some);
  const base = { dryRun: true as const, ...sums, counted, shards, sampled, workers: limits.workers };
  if (sampled === null) return { ...base, cpuSeconds: null, seconds: null, price: null };
  const { millisecondsPerTask, known, bytesPerResult, millisecondsPerKnown } = sampled;
  const fresh = Math.round(sums.tasks * (1 - known));
  const milliseconds = fresh * millisecondsPerTask + (sums.tasks - fresh) * millisecondsPerKnown;
  const seconds = milliseconds / 1000 / Math.max(1, Math.min(limits.workers, shards));
  const usage = usageOf({
    images: sums.images,
    tasks: sums.tasks,
    fresh,
    shards,
    rounds: Math.ceil(seconds / roundSeconds) + 2,
    millisecondsPerTask,
    bytesPerResult,
  });
  return {
    ...base,
    sampled: { images: sampled.images, failed: sampled.failed, known, millisecondsPerTask },
    cpuSeconds: milliseconds / 1000,
    seconds,
    price: priceOf(usage),
  };
}

/** The orchestrator looks about so often. */
const roundSeconds = 10;

async function count(
  { store, signal }: EstimateDeps,
  sweep: SweepRecord,
  { imagesMax, manifestLinesMax }: EstimateLimits,
): Promise<{
  readonly sums: Pick<Estimate, "images" | "tasks" | "bytes" | "problems" | "duplicates">;
  readonly some: readonly SweepItem[];
  readonly counted: boolean;
}> {
  const { limit, questions } = sweep.definition;
  const source = sourceOf(store, sweep, { sweep: sweep.id, run: 0 }, { manifestLinesMax, signal });
  const sums = { images: 0, tasks: 0, bytes: 0, problems: 0, duplicates: 0 };
  let some: SweepItem[] = [];
  let every = 1;
  let counted = true;
  for await (const { item } of source(null)) {
    if (limit !== null && sums.images >= limit) break;
    if (sums.images >= imagesMax) {
      counted = false;
      break;
    }
    if (item === null) {
      sums.duplicates += 1;
      continue;
    }
    if (item.problem === undefined && sums.images % every === 0) some.push(item);
    if (some.length === reservoirMax) {
      some = some.filter((_, i) => i % 2 === 0);
      every *= 2;
    }
    sums.images += 1;
    sums.tasks += tasksOf(item, questions.length);
    sums.bytes += item.bytes ?? 0;
    if (item.problem !== undefined) sums.problems += 1;
  }
  return { sums, some, counted };
}

interface Sampled {
  readonly images: number;
  readonly failed: number;
  readonly known: number;
  readonly millisecondsPerTask: number;
  readonly millisecondsPerKnown: number;
  readonly bytesPerResult: number;
}

/** Explains a few images for every question. The first one is not counted: it compiles and loads. */
async function sample(
  deps: EstimateDeps,
  definition: SweepDefinition,
  some: readonly SweepItem[],
): Promise<Sampled | null> {
  const step = Math.max(1, Math.floor(some.length / sampleMax));
  const chosen = some.filter((_, i) => i % step === 0).slice(0, sampleMax);
  let [images, failed, known, tasks, bytes, knownMilliseconds] = [0, 0, 0, 0, 0, 0];
  const times: number[] = [];
  const [first] = chosen;
  for (const [i, item] of (first === undefined ? [] : [first, ...chosen]).entries()) {
    try {
      const each = await explainOnce(deps, definition, item);
      if (i === 0) continue;
      images += 1;
      tasks += each.tasks;
      known += each.known;
      bytes += each.bytes;
      knownMilliseconds += each.knownMilliseconds;
      times.push(...each.times);
    } catch (error) {
      if (deps.signal?.aborted) throw error;
      if (i > 0) failed += 1;
    }
  }
  if (tasks === 0) return null;
  const total = times.reduce((sum, ms) => sum + ms, 0);
  return {
    images,
    failed,
    known: known / tasks,
    millisecondsPerTask: times.length === 0 ? 0 : total / times.length,
    millisecondsPerKnown: knownMilliseconds / tasks,
    bytesPerResult: times.length === 0 ? 0 : bytes / times.length,
  };
}

/** What a shard does for an image, without keeping it. Reading the image counts for its first question. */
async function explainOnce({ store, service, signal }: EstimateDeps, { questions }: SweepDefinition, item: SweepItem) {
  const { explainers, models, decoding } = service.options;
  const begin = performance.now();
  const found = await store.get(item.key, { signal });
  if (found?.outcome !== "found") throw new Error("there is no such image");
  const image = await service.image(
    await readObject(found, { bytesMax: decoding.limits.maxBytes, what: `"${item.key}"` }),
    item.key,
  );
  let readMilliseconds = performance.now() - begin;
  let [known, bytes, knownMilliseconds] = [0, 0, 0];
  const times: number[] = [];
  for (const words of questions) {
    const start = performance.now();
    const model = await models.get(words.model, signal);
    const label =
      words.target === labelTarget ? String(resolveTarget(item.class ?? "", model.labels, null)) : words.target;
    const asked = readQuestion({ ...words, target: label }, {});
    const { id, spec, target, region } = await service.identify(item.key, image.sha256, asked, signal);
    const isKnown = (await store.head(documentKey(id), { signal })) !== null;
    if (isKnown) {
      known += 1;
      knownMilliseconds += performance.now() - start + readMilliseconds;
    } else {
      const explainer = await explainers.get(model, spec, signal);
      const made = await explainImage(service.options, model, explainer, { image, target, region, files: {} }, signal);
      const files = [made.map, encodeDocument(made.document)];
      if (made.picture !== null) files.push(await made.picture("overlay", "png"));
      const writing = performance.now();
      for (const file of files) await store.put(probeKey, file, { contentType: "application/octet-stream", signal });
      const wrote = performance.now() - writing;
      await store.delete(probeKey, { signal });
      bytes += files.reduce((sum, file) => sum + file.length, 0);
      times.push(writing + wrote - start + readMilliseconds);
    }
    readMilliseconds = 0;
  }
  return { tasks: questions.length, known, bytes, times, knownMilliseconds };
}

/** Written to learn how long writing takes. No sweep has this name. */
const probeKey = `${sweepFolder("dry-run")}probe`;
