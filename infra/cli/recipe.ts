/**
 * @file What a model's card says, made ready for use: the preprocessing recipe, the class names, and remarks on both.
 */
import path from "node:path";
import { AppError } from "../../shared/errors.ts";
import { checkDigest, type ModelCard, parseCardText } from "../../shared/models/card.ts";
import { type InferredRecipe, inferRecipe } from "../../shared/models/infer-recipe.ts";
import { type Labels, loadLabels } from "../../shared/models/labels.ts";
import { readBytes } from "./files.ts";
import type { ImageInput, ModelFile } from "./model.ts";
import type { Size } from "./spec-args.ts";

/** A model's card, read. */
export interface CardInfo {
  readonly card: ModelCard | null;
  /** Where it stands; null where the model has none. */
  readonly file: string | null;
  readonly labels: Labels | null;
}

/** Reads the model's card and the class names it refers to. Throws `card-invalid`, or `not-found` for a labels file. */
export async function readCardInfo(model: ModelFile): Promise<CardInfo> {
  if (model.card === undefined) return { card: null, file: null, labels: null };
  const { file, text } = model.card;
  const card = parseCardText(text, file);
  checkDigest(card, model.sha256);
  const read = async (name: string): Promise<string> =>
    new TextDecoder().decode(await readBytes(path.resolve(path.dirname(file), name), "class names"));
  return { card, file, labels: card.labels === undefined ? null : await loadLabels(card.labels, read) };
}

/** The recipe for photos, at the size asked for; throws `card-invalid` where no photo fits the input. */
export function recipeFor(input: ImageInput, { card }: CardInfo, size: Size | undefined): InferredRecipe {
  // A size on the command line is another than the card's on purpose.
  const wanted =
    card !== null && size !== undefined ? { ...card, preprocessing: { ...card.preprocessing, ...size } } : card;
  return inferRecipe(input, wanted);
}

/** What a person should know of the names before trusting them; nothing where they fit the model. */
export function labelNotes({ labels }: CardInfo, classes: number | null): readonly string[] {
  if (labels === null || classes === null || labels.length === classes) return [];
  return [`the card names ${labels.length} classes, the model has ${classes}: names may be shifted`];
}

/** An input that can be given as a .npy alone says so. */
export function photosRefused(error: unknown): error is AppError {
  return error instanceof AppError && error.code === "card-invalid";
}
