/** @file What a sweep is to do: read from JSON, with every default filled in. Knows no store. */
import { AppError } from "../errors.ts";
import { isImageKey } from "../pipeline/layout.ts";
import { type QuestionWords, questionFields, readQuestion } from "../pipeline/question.ts";
import { checkPrefix } from "../storage/keys.ts";
import { checkSweepId } from "./layout.ts";

export type SweepSource =
  | { readonly kind: "prefix"; readonly prefix: string }
  /** A JSONL or CSV object of the bucket: manifest.ts. */
  | { readonly kind: "manifest"; readonly key: string };

/** A sweep is aborted when more tasks failed than either number allows; null is no limit. */
export interface ToleratedFailures {
  readonly count: number | null;
  readonly percent: number | null;
  /** Nothing is decided before so many tasks are settled: the first failure of ten would end a sweep of millions. */
  readonly minimumSample: number;
}

export interface SweepDefinition {
  readonly source: SweepSource;
  /** One explanation an image each: every method at every choice of layers for every target. */
  readonly questions: readonly SweepQuestion[];
  /** Images a shard. */
  readonly batch: number;
  /** Different shards handed out and not settled, at most; a queue may give one of them to two consumers. */
  readonly maxConcurrency: number;
  readonly toleratedFailures: ToleratedFailures;
  /** The first so many images only; null is all. */
  readonly limit: number | null;
  /** This share of the images, chosen by their keys: the same ones every time; null is all. */
  readonly sample: number | null;
}

/** A question in words. Its target may be `label`: the class that the manifest gives the image. */
export type SweepQuestion = QuestionWords & { readonly model: string; readonly target: string };

/** The target that stands for the manifest's class. */
export const labelTarget = "label";

/** A shard is settled within one invocation: at a second an image, well within its 5 minutes of CPU. */
export const batchDefault = 20;
export const batchMax = 100;
export const concurrencyDefault = 10;
/** As many consumers as a queue has at most. */
export const concurrencyMax = 250;
const minimumSampleDefault = 50;
/** Each is an explanation of every image. */
const questionsMax = 64;
/** As many as a plan of shards can number. */
const imagesMax = 100_000_000;

type Fields = Readonly<Record<string, unknown>>;

const invalid = (field: string, why: string): AppError =>
  new AppError("request-invalid", `cannot read the sweep: "${field}" ${why}`, { field });

export function asFields(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw invalid(what, "is no object");
}

/** The fields of a request or of a definition in the bucket. */
const known = new Set([
  "id",
  "source",
  "model",
  "methods",
  "layers",
  "targets",
  "combine",
  "weights",
  "objective",
  "output",
  "batch",
  "maxConcurrency",
  "toleratedFailures",
  "limit",
  "sample",
  "dryRun",
  "cron",
]);

export interface SweepRequest {
  /** null where none was given: the caller makes one. */
  readonly id: string | null;
  readonly dryRun: boolean;
  /** Of a definition in the bucket: the trigger of wrangler.toml that starts it. */
  readonly cron: string | null;
  readonly definition: SweepDefinition;
}

/**
 * Reads a sweep: `{ source, model, methods, layers, targets, … }`; lists are crossed. Throws `request-invalid` naming
 * the field, and `spec-invalid` for a method or objective that does not exist.
 */
export function readSweep(body: unknown, defaults: QuestionWords): SweepRequest {
  const fields = asFields(body, "body");
  const unknown = Object.keys(fields).find((name) => !known.has(name));
  if (unknown !== undefined) throw invalid(unknown, `is not known; there are ${[...known].join(", ")}`);
  const id = fields["id"] === undefined ? null : checkSweepId(text(fields, "id"));
  const tolerated =
    fields["toleratedFailures"] === undefined ? {} : asFields(fields["toleratedFailures"], "toleratedFailures");
  const dryRun = fields["dryRun"] ?? false;
  if (typeof dryRun !== "boolean") throw invalid("dryRun", "is true or false");
  return {
    id,
    dryRun,
    cron: fields["cron"] === undefined ? null : text(fields, "cron"),
    definition: {
      source: readSource(fields["source"]),
      questions: readQuestions(fields, defaults),
      batch: whole(fields, "batch", 1, batchMax) ?? batchDefault,
      maxConcurrency: whole(fields, "maxConcurrency", 1, concurrencyMax) ?? concurrencyDefault,
      toleratedFailures: {
        count: whole(tolerated, "count", 0, imagesMax),
        percent: number(tolerated, "percent", 0, 100),
        minimumSample: whole(tolerated, "minimumSample", 1, imagesMax) ?? minimumSampleDefault,
      },
      limit: whole(fields, "limit", 1, imagesMax),
      sample: number(fields, "sample", 0, 1),
    },
  };
}

function readSource(value: unknown): SweepSource {
  if (typeof value !== "string" || value === "") {
    throw invalid("source", "names images of the bucket: a prefix such as images/2026/, or a .jsonl or .csv manifest");
  }
  if (/\.(jsonl|ndjson|csv)$/i.test(value)) return { kind: "manifest", key: value };
  if (!isImageKey(`${value}x`)) throw invalid("source", `is "${value}"; images are below images/`);
  checkPrefix(value);
  return { kind: "prefix", prefix: value };
}

function readQuestions(fields: Fields, defaults: QuestionWords): readonly SweepQuestion[] {
  const single = Object.fromEntries(
    questionFields.flatMap((field) => {
      const value = fields[field] ?? defaults[field];
      if (value === undefined || field === "layers" || field === "method" || field === "target") return [];
      if (typeof value !== "string") throw invalid(field, "is no text");
      return [[field, value] as const];
    }),
  );
  const { model } = readQuestion(single, {}); // throws where there is none
  const axis = (field: string, fallback: string | undefined): readonly (string | undefined)[] => {
    const given = texts(fields, field);
    return given.length > 0 ? given : [fallback];
  };
  const questions = axis("methods", defaults.method).flatMap((method) =>
    axis("layers", defaults.layers).flatMap((layers) =>
      axis("targets", defaults.target ?? "top1").map((target = "top1"): SweepQuestion => {
        const words = { ...single, ...(method !== undefined && { method }), ...(layers !== undefined && { layers }) };
        readQuestion(words, {}); // what is wrong with it shows now
        return { ...words, model, target };
      }),
    ),
  );
  if (questions.length > questionsMax) {
    throw invalid(
      "methods",
      `, layers and targets ask ${questions.length} questions an image; ${questionsMax} are allowed`,
    );
  }
  return questions;
}

function text(fields: Fields, field: string): string {
  const value = fields[field];
  if (typeof value === "string" && value !== "") return value;
  throw invalid(field, "is no text");
}

function texts(fields: Fields, field: string): readonly string[] {
  const value = fields[field];
  if (value === undefined) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((each) => {
    if (typeof each === "string" && each !== "") return each;
    if (typeof each === "number" && field === "targets") return String(each);
    throw invalid(field, "is a list of texts");
  });
}

function number(fields: Fields, field: string, min: number, max: number): number | null {
  const value = fields[field];
  if (value === undefined || value === null) return null;
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw invalid(field, `is a number from ${min} to ${max}`);
}

function whole(fields: Fields, field: string, min: number, max: number): number | null {
  const value = number(fields, field, min, max);
  if (value === null || Number.isInteger(value)) return value;
  throw invalid(field, `is a whole number from ${min} to ${max}`);
}
