/** @file Class names: reading them from a card or its file, showing them, and finding the class a person means. */
import { AppError } from "../errors.ts";
import { suggest } from "../nearest.ts";
import type { LabelSource } from "./card.ts";

/** One name a class, by index. A name may list synonyms: "tench, Tinca tinca". */
export type Labels = readonly string[];

function badLabels(file: string, what: string): AppError {
  return new AppError("card-invalid", `cannot read the class names in "${file}": ${what}`, { file });
}

function parseJsonLabels(text: string, file: string): Labels {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw badLabels(file, `it is not JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
  const list: unknown = Array.isArray(json)
    ? json
    : typeof json === "object" && json !== null
      ? indexed(json, file)
      : null;
  if (!Array.isArray(list)) throw badLabels(file, "it must be a list of names, or an object of index to name");
  return list.map((entry: unknown, index) => {
    if (typeof entry === "string") return entry;
    if (typeof entry === "object" && entry !== null && "name" in entry && typeof entry.name === "string") {
      return entry.name;
    }
    if (entry === undefined) return `class ${index}`;
    throw badLabels(file, `entry ${index} is neither a text nor an object with a "name"`);
  });
}

function indexed(json: object, file: string): readonly unknown[] {
  const list: unknown[] = [];
  for (const [key, value] of Object.entries(json)) {
    if (!/^\d{1,6}$/.test(key)) throw badLabels(file, `"${key}" is not a class index`);
    list[Number(key)] = value;
  }
  return Array.from(list);
}

/** Names from a file's text: JSON, or one name a line up to the first empty line. */
export function parseLabels(text: string, file: string): Labels {
  if (file.toLowerCase().endsWith(".json")) return parseJsonLabels(text, file);
  const lines = text.split(/\r?\n/);
  const end = lines.findIndex((line) => line.trim() === "");
  const names = (end < 0 ? lines : lines.slice(0, end)).map((line) => line.trim());
  if (names.length === 0) throw badLabels(file, "it is empty");
  return names;
}

/** A card's names; `read` gives the text of a file named in it (relative to the card). */
export async function loadLabels(source: LabelSource, read: (file: string) => Promise<string>): Promise<Labels> {
  if (source.kind === "names") return source.names;
  return parseLabels(await read(source.file), source.file).slice(source.skip);
}

const synonyms = (name: string): readonly string[] => name.split(",").map((each) => each.trim().toLowerCase());

/** Underscores and blanks are written either way. */
const plain = (text: string): string => text.trim().toLowerCase().replaceAll("_", " ");

/** How a class is shown: its first name, or "class 17" where there are none. */
export function labelOf(labels: Labels | null, index: number): string {
  const name = labels?.[index]?.split(",")[0]?.trim();
  return name === undefined || name === "" ? `class ${index}` : name;
}

/** How many suggestions an error lists: what one glance takes in. */
const SUGGESTIONS = 6;

function unknownTarget(text: string, why: string): AppError {
  return new AppError(
    "spec-invalid",
    `cannot explain the class "${text}": ${why}; give a class index, a name, or top1, top2, ...`,
    { target: text },
  );
}

const listed = (labels: Labels, indices: readonly number[]): string =>
  indices
    .slice(0, SUGGESTIONS)
    .map((index) => `"${labelOf(labels, index)}" (${index})`)
    .join(", ") + (indices.length > SUGGESTIONS ? `, and ${indices.length - SUGGESTIONS} more` : "");

/** The classes a name means: exactly; else those it begins; else those it occurs in. */
function matches(text: string, labels: Labels): readonly number[] {
  const wanted = plain(text);
  const tests: readonly ((name: string) => boolean)[] = [
    (name) => plain(name) === wanted || synonyms(name).some((each) => plain(each) === wanted),
    (name) => synonyms(name).some((each) => plain(each).startsWith(wanted)),
    (name) => plain(name).includes(wanted),
  ];
  for (const test of tests) {
    const found = labels.flatMap((name, index) => (test(name) ? [index] : []));
    if (found.length > 0) return found;
  }
  return [];
}

/**
 * What the explainer's `target` input gets for a person's words: a class index; a negative rank for "top1" (-1), "top2"
 * (-2) ...; the index of the one class whose name is, begins with, or holds the text. `classes` is how many there are,
 * if known. Throws `spec-invalid` for an unknown, ambiguous or impossible class, with the nearest names.
 */
export function resolveTarget(text: string, labels: Labels | null, classes: number | null): number {
  const limit = classes ?? labels?.length ?? Number.POSITIVE_INFINITY;
  const rank = /^top-?(\d{1,6})$/i.exec(text.trim())?.[1];
  if (rank !== undefined) {
    if (Number(rank) >= 1 && Number(rank) <= limit) return -Number(rank);
    throw unknownTarget(text, `ranks run from top1 to top${limit}`);
  }
  if (/^\d{1,9}$/.test(text.trim())) {
    if (Number(text) < limit) return Number(text);
    throw unknownTarget(text, `the model has ${limit} classes, 0 to ${limit - 1}`);
  }
  if (labels === null) throw unknownTarget(text, "the model has no class names; they stand in its card");
  if (plain(text) === "") throw unknownTarget(text, "it is empty");
  const found = matches(text, labels);
  const [only] = found;
  if (only === undefined) {
    const names = labels.flatMap((name) => synonyms(name));
    throw unknownTarget(text, `no class has such a name${suggest(plain(text), names)}`);
  }
  if (found.length > 1) throw unknownTarget(text, `several classes do: ${listed(labels, found)}`);
  if (only >= limit) throw unknownTarget(text, `the model has ${limit} classes, the card names ${labels.length}`);
  return only;
}
