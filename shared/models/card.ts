/** @file The model card: what a model file does not say of itself. Its type, and its reading from unknown JSON. */
import { AppError } from "../errors.ts";
import { suggest } from "../nearest.ts";
import { type FamilyName, families, isFamilyName } from "./families.ts";
import {
  cardError,
  type Fields,
  fieldOf,
  type Place,
  readChoice,
  readInteger,
  readList,
  readNumber,
  readObject,
  readText,
} from "./json-reader.ts";
import { channelOrders, type Fit, inputTypes, layouts, type Normalise, type Recipe } from "./recipe.ts";

/** A family of the catalogue, or none, and what differs from it. What neither says comes from the model's input. */
export interface Preprocessing extends Partial<Recipe> {
  readonly family?: FamilyName;
}

/**
 * Class names: written out (list or index to name), or a file beside the card: a text with one name a line, or JSON.
 * `skip` leaves out the file's first names (1 for a 1000-class model and a file that begins with "background").
 */
export type LabelSource =
  | { readonly kind: "names"; readonly names: readonly string[] }
  | { readonly kind: "file"; readonly file: string; readonly skip: number };

export interface ModelCard {
  readonly name: string;
  /** Digest of the model file this card was written for, lower-case hexadecimal. */
  readonly sha256?: string;
  readonly source?: string;
  readonly licence?: string;
  readonly notes?: string;
  /** The model's image input, for models of several. */
  readonly input?: string;
  readonly preprocessing: Preprocessing;
  readonly labels?: LabelSource;
  /** The index of a class that means "none of them". */
  readonly background?: number;
  /** The tensor the objective is taken at. */
  readonly output?: string;
  /** Recommended layers, shallow to deep. */
  readonly layers?: readonly string[];
}

const cardFields = [
  "name",
  "sha256",
  "source",
  "licence",
  "notes",
  "input",
  "preprocessing",
  "labels",
  "background",
  "output",
  "layers",
] as const;

/** More than any tensor an isolate or a laptop could hold; a typing error, not a model. */
const MAX_SIDE = 8192;
/** The largest published classifiers have some 22,000 classes. */
const MAX_CLASSES = 1_000_000;

/** Reads a field if it is there: `{ ...optional(fields, "name", place, readText) }`. */
function optional<K extends string, T>(
  fields: Fields,
  key: K,
  place: Place,
  read: (value: unknown, place: Place) => T,
): { readonly [key in K]?: T } {
  if (fields[key] === undefined) return {};
  // A computed key widens to string; the result holds this one key.
  return { [key]: read(fields[key], fieldOf(place, key)) } as { readonly [key in K]?: T };
}

function readDigest(value: unknown, place: Place): string {
  const text = readText(value, place).toLowerCase();
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw cardError(place, `must be 64 hexadecimal digits, not "${text}"`);
}

function readFamily(value: unknown, place: Place): FamilyName {
  const name = readText(value, place);
  if (isFamilyName(name)) return name;
  const known = Object.keys(families);
  throw cardError(place, `"${name}" is no family; known are ${known.join(", ")}${suggest(name, known)}`);
}

function readFit(value: unknown, place: Place): Fit {
  const kinds = ["squash", "resize-crop", "letterbox"] as const;
  if (typeof value === "string") return readFit({ kind: value }, place);
  const fields = readObject(value, place, ["kind", "resize", "fill", "align"]);
  const kind = readChoice(fields["kind"], fieldOf(place, "kind"), kinds);
  const allowed: Readonly<Record<typeof kind, readonly string[]>> = {
    squash: ["kind"],
    "resize-crop": ["kind", "resize"],
    letterbox: ["kind", "fill", "align"],
  };
  readObject(value, place, allowed[kind]);
  switch (kind) {
    case "squash":
      return { kind };
    case "resize-crop":
      return { kind, resize: readInteger(fields["resize"], fieldOf(place, "resize"), 1, MAX_SIDE) };
    case "letterbox": {
      const fill = fields["fill"] === undefined ? 0 : readInteger(fields["fill"], fieldOf(place, "fill"), 0, 255);
      const aligns = ["top-left", "center"] as const;
      const align =
        fields["align"] === undefined ? "center" : readChoice(fields["align"], fieldOf(place, "align"), aligns);
      return { kind, fill, align };
    }
  }
}

function readNormalise(value: unknown, place: Place): Normalise {
  const fields = readObject(value, place, ["divide", "mean", "std"]);
  const divide = readNumber(fields["divide"], fieldOf(place, "divide"));
  const mean = readList(fields["mean"], fieldOf(place, "mean"), readNumber);
  const std = readList(fields["std"], fieldOf(place, "std"), readNumber);
  if (divide === 0) throw cardError(fieldOf(place, "divide"), "must not be 0");
  if (std.includes(0)) throw cardError(fieldOf(place, "std"), "must not hold a 0");
  if (mean.length !== std.length || (mean.length !== 1 && mean.length !== 3)) {
    throw cardError(place, `must have 1 or 3 numbers in both "mean" and "std", not ${mean.length} and ${std.length}`);
  }
  return { divide, mean, std };
}

function readPreprocessing(value: unknown, place: Place): Preprocessing {
  const keys = ["family", "width", "height", "layout", "channels", "dtype", "fit", "normalise"];
  const fields = readObject(value, place, keys);
  const side = (each: unknown, at: Place): number => readInteger(each, at, 1, MAX_SIDE);
  const preprocessing: Preprocessing = {
    ...optional(fields, "family", place, readFamily),
    ...optional(fields, "width", place, side),
    ...optional(fields, "height", place, side),
    ...optional(fields, "layout", place, (each, at) => readChoice(each, at, layouts)),
    ...optional(fields, "channels", place, (each, at) => readChoice(each, at, channelOrders)),
    ...optional(fields, "dtype", place, (each, at) => readChoice(each, at, inputTypes)),
    ...optional(fields, "fit", place, readFit),
    ...optional(fields, "normalise", place, readNormalise),
  };
  const complete = preprocessing.fit !== undefined && preprocessing.normalise !== undefined;
  if (preprocessing.family === undefined && !complete) {
    const names = Object.keys(families).join(", ");
    throw cardError(place, `must name a "family" (${names}) or have both "fit" and "normalise"`);
  }
  return preprocessing;
}

function readLabelSource(value: unknown, place: Place): LabelSource {
  if (Array.isArray(value)) return { kind: "names", names: readList(value, place, readText) };
  if (typeof value === "object" && value !== null && "file" in value) {
    const fields = readObject(value, place, ["file", "skip"]);
    const skip = fields["skip"] === undefined ? 0 : readInteger(fields["skip"], fieldOf(place, "skip"), 0, MAX_CLASSES);
    return { kind: "file", file: readText(fields["file"], fieldOf(place, "file")), skip };
  }
  if (typeof value !== "object" || value === null) {
    throw cardError(place, 'must be a list of names, an object of index to name, or { "file": "..." }');
  }
  const names: string[] = [];
  for (const [key, name] of Object.entries(value)) {
    const at = fieldOf(place, key);
    if (!/^\d{1,6}$/.test(key)) throw cardError(at, "must be a class index such as 0 or 17");
    names[Number(key)] = readText(name, at);
  }
  return { kind: "names", names: Array.from(names, (name, index) => name ?? `class ${index}`) };
}

/**
 * Reads a card from parsed JSON. `document` names it in errors. Throws `card-invalid` with the path of the field for
 * anything unknown, missing or of the wrong kind.
 */
export function parseCard(json: unknown, document: string): ModelCard {
  const place: Place = { document, path: "" };
  const fields = readObject(json, place, cardFields);
  return {
    name: readText(fields["name"], fieldOf(place, "name")),
    preprocessing: readPreprocessing(fields["preprocessing"], fieldOf(place, "preprocessing")),
    ...optional(fields, "sha256", place, readDigest),
    ...optional(fields, "source", place, readText),
    ...optional(fields, "licence", place, readText),
    ...optional(fields, "notes", place, readText),
    ...optional(fields, "input", place, readText),
    ...optional(fields, "labels", place, readLabelSource),
    ...optional(fields, "background", place, (value, at) => readInteger(value, at, 0, MAX_CLASSES)),
    ...optional(fields, "output", place, readText),
    ...optional(fields, "layers", place, (value, at) => readList(value, at, readText)),
  };
}

/** Reads a card's text. */
export function parseCardText(text: string, document: string): ModelCard {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw cardError({ document, path: "" }, `it is not JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
  return parseCard(json, document);
}

/** Throws `card-invalid` when the card was written for another model file. */
export function checkDigest(card: ModelCard, modelSha256: string): void {
  if (card.sha256 === undefined || card.sha256 === modelSha256.toLowerCase()) return;
  throw new AppError(
    "card-invalid",
    `the card "${card.name}" was written for another model file: it names SHA-256 ${card.sha256}, ` +
      `the model has ${modelSha256}; use the model it names, or correct or remove "sha256"`,
    { card: card.sha256, model: modelSha256 },
  );
}
