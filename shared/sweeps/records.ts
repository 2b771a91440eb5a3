/**
 * @file The documents of a sweep's ledger, and how they are read and written. What they mean is in the files beside.
 */
import { AppError, type ErrorCode } from "../errors.ts";
import { readObject } from "../storage/body.ts";
import type { ObjectStore, PutOptions, PutResult } from "../storage/store.ts";
import type { SweepDefinition } from "./definition.ts";
import type { Counts } from "./layout.ts";

/** `sweep.json`. */
export interface SweepRecord {
  readonly schema: 1;
  readonly id: string;
  readonly definition: SweepDefinition;
  /** The model as it was: a replaced one ends the sweep. */
  readonly model: { readonly name: string; readonly sha256: string; readonly card: string };
  /** Of a manifest: one that changes while it is planned ends the sweep. */
  readonly manifestEtag: string | null;
  readonly createdAt: string;
}

/** A reference to an image, never its pixels. */
export interface SweepItem {
  /** Empty where a manifest's line could not be read. */
  readonly key: string;
  /** As listed; null where a manifest named the image. */
  readonly etag: string | null;
  readonly bytes: number | null;
  /** What the image shows: an index or a name of the model's classes. */
  readonly class?: string;
  /** What the dataset calls this class. */
  readonly name?: string;
  /** Where it is: x, y, width, height in pixels of the photo. */
  readonly boxes?: readonly (readonly [number, number, number, number])[];
  /** In the manifest, from 1. */
  readonly line?: number;
  /** Why nothing can be done for it: it fails as it was planned. */
  readonly problem?: string;
  /** Of a redrive: the questions to ask, by index; all, where it is left out. */
  readonly questions?: readonly number[];
}

/** How far a source was read: a key, or a count of lines or of items. */
export type Position = string | number;

/** `plan/<chapter>.json`: shards are `batch` items each, counted through the chapters. */
export interface Chapter {
  readonly schema: 1;
  readonly items: readonly SweepItem[];
  /** Where the source goes on; null in the last chapter. */
  readonly next: Position | null;
  /** Of this and all chapters before. */
  readonly sums: PlanSums;
}

export interface PlanSums {
  readonly items: number;
  /** An item's questions are a task each. */
  readonly tasks: number;
  readonly bytes: number;
  /** Lines of a manifest that could not be read: items that fail. */
  readonly problems: number;
  /** Lines that repeated an earlier one: left out. */
  readonly duplicates: number;
}

export const noSums: PlanSums = { items: 0, tasks: 0, bytes: 0, problems: 0, duplicates: 0 };

/** `plan.json`: the seal. Nothing is planned after it. */
export interface Plan extends PlanSums {
  readonly schema: 1;
  readonly chapters: number;
  readonly shards: number;
  readonly batch: number;
  readonly sealedAt: string;
}

export type TaskOutcome = "succeeded" | "skipped" | "failed" | "dropped";

/** What became of one question about one image. */
export interface TaskRecord {
  readonly key: string;
  readonly line?: number;
  /** By index in the definition. */
  readonly question: number;
  readonly outcome: TaskOutcome;
  /** Of the explanation. */
  readonly id?: string;
  readonly code?: ErrorCode | "internal";
  readonly why?: string;
  /** Whether a redrive can do better: not for lines that cannot be read. */
  readonly final?: true;
  readonly summary?: TaskSummary;
}

/** Of a result, what reports are made of. */
export interface TaskSummary {
  readonly top: { readonly class: number; readonly name: string; readonly probability: number };
  readonly target: { readonly class: number; readonly name: string; readonly rank: number };
  readonly flat: boolean;
  /** The part of the map's positive values that its largest tenth of pixels holds: 0.1 is even, 1 is all. */
  readonly concentration: number | null;
  /** How long the explanation took, in milliseconds; of a skipped one, when it was made. */
  readonly milliseconds: number;
  /** Where the item has a class: whether the model's first class is it. */
  readonly correct?: boolean;
  /** What the dataset calls the class that was explained. */
  readonly label?: string;
  /** Where the item has boxes: whether the map points at them, and whether they cover less than a quarter. */
  readonly pointing?: { readonly hit: boolean; readonly small: boolean };
  /** Rank correlation with the map of the question's first target; null where a map is flat. */
  readonly sensitivity?: number | null;
}

/** `shards/<shard>.json`. */
export interface ShardRecord {
  readonly schema: 1;
  readonly shard: number;
  readonly counts: Counts;
  readonly tasks: readonly TaskRecord[];
  readonly milliseconds: number;
}

/** `stop.json`. */
export interface StopRecord {
  readonly state: "cancelled" | "aborted";
  readonly why: string;
  readonly at: string;
}

/** `resume.json`. */
export interface ResumeRecord {
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A chapter of 1,000 items with boxes, or a shard of 100 images and 64 questions, has some megabytes. */
const recordBytesMax = 64_000_000;

/** Reads a document of ours, or null. Throws `storage-failed` for a damaged one. */
export async function readRecord<T>(store: ObjectStore, key: string, signal?: AbortSignal): Promise<T | null> {
  const found = await store.get(key, { signal });
  if (found?.outcome !== "found") return null;
  const bytes = await readObject(found, { bytesMax: recordBytesMax, what: `"${key}"`, code: "storage-failed" });
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as T; // written by writeRecord under a key of ours
  } catch (cause) {
    throw new AppError("storage-failed", `"${key}" is damaged: it is not JSON`, { transient: false }, { cause });
  }
}

/** Writes a document, by default only where there is none. */
export const writeRecord = (
  store: ObjectStore,
  key: string,
  record: unknown,
  options: Pick<PutOptions, "onlyIfAbsent" | "signal"> = { onlyIfAbsent: true },
): Promise<PutResult> =>
  store.put(key, new TextEncoder().encode(`${JSON.stringify(record)}\n`), {
    contentType: "application/json",
    ...options,
  });
