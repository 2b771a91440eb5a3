/** @file Reading unknown JSON field by field: every error names the path, the value and what would be right. */
import { AppError } from "../errors.ts";
import { suggest } from "../nearest.ts";

/** Where a value stands: which document, and the path inside it. */
export interface Place {
  readonly document: string;
  readonly path: string;
}

/** A JSON object whose keys have been checked. */
export type Fields = Readonly<Record<string, unknown>>;

const quote = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

/** The error for a field: "model card "x.json": preprocessing.fit.kind: ...". */
export function cardError(place: Place, what: string): AppError {
  const at = place.path === "" ? "" : `"${place.path}" `;
  return new AppError("card-invalid", `cannot read the model card "${place.document}": ${at}${what}`, { ...place });
}

/** The place of a field. */
export const fieldOf = (place: Place, key: string): Place => ({
  document: place.document,
  path: place.path === "" ? key : `${place.path}.${key}`,
});

/** An object with no other keys than these; a wrong key's nearest right one is named. */
export function readObject(value: unknown, place: Place, keys: readonly string[]): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw cardError(place, `must be an object, not ${quote(value)}`);
  }
  for (const key of Object.keys(value)) {
    if (keys.includes(key)) continue;
    throw cardError(fieldOf(place, key), `is not a field; known are ${keys.join(", ")}${suggest(key, keys)}`);
  }
  return Object.fromEntries(Object.entries(value));
}

export function readText(value: unknown, place: Place): string {
  if (typeof value === "string" && value !== "") return value;
  throw cardError(place, `must be a text, not ${quote(value)}`);
}

export function readChoice<T extends string>(value: unknown, place: Place, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw cardError(place, `must be one of ${choices.map(quote).join(", ")}, not ${quote(value)}`);
}

export function readNumber(value: unknown, place: Place): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw cardError(place, `must be a number, not ${quote(value)}`);
}

/** A whole number from `low` to `high`. */
export function readInteger(value: unknown, place: Place, low: number, high: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= low && value <= high) return value;
  throw cardError(place, `must be a whole number from ${low} to ${high}, not ${quote(value)}`);
}

export function readList<T>(value: unknown, place: Place, item: (value: unknown, place: Place) => T): readonly T[] {
  if (!Array.isArray(value)) throw cardError(place, `must be a list, not ${quote(value)}`);
  return value.map((each, i) => item(each, fieldOf(place, String(i))));
}
