/** @file The words of a request into what is asked: names in, a checked question out. Knows no query string. */
import { AppError } from "../errors.ts";
import type { Region } from "../explanation/region.ts";
import { readRegionWords, readSpecWords, type SpecWords, specFields } from "../explanation/spec-words.ts";
import type { ExplainSpec } from "../saliency/spec.ts";

/** What to explain with, and as what. */
export interface Question {
  readonly model: string;
  readonly spec: ExplainSpec;
  /** A class, a name, a rank such as `top1`, or sums and differences of these. */
  readonly target: string;
  /** The part of the photo a dense output is explained at. */
  readonly region: Region | undefined;
}

/** The words a question may have. */
export const questionFields = ["model", ...specFields, "region", "target"] as const;
export type QuestionField = (typeof questionFields)[number];
export type QuestionWords = Readonly<Partial<Record<QuestionField, string>>>;

/** Layers combined in one explainer: each is a map, and the size of the request is bounded. */
const layersMax = 32;

/** Reads a question. Throws `spec-invalid` naming the field; what only the model can tell is found later. */
export function readQuestion(words: QuestionWords, defaults: QuestionWords): Question {
  const text = (field: QuestionField): string | undefined => words[field] ?? defaults[field];
  const model = text("model");
  if (model === undefined || model === "") {
    throw new AppError("request-invalid", "the request names no model, and none is configured: say model=NAME");
  }
  const given: SpecWords = { text, list: (field) => list(text(field)), spell: (field) => `"${field}"` };
  const spec = readSpecWords(given);
  if (Array.isArray(spec.layers) && spec.layers.length > layersMax) {
    throw new AppError("spec-invalid", `"layers" takes up to ${layersMax} tensor names`);
  }
  const region = readRegionWords(given);
  return {
    model,
    spec: region === undefined ? spec : { ...spec, objective: "region" },
    target: text("target") ?? "top1",
    region,
  };
}

const list = (text: string | undefined): readonly string[] =>
  (text ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
