/**
 * @file What a model's card says, made ready for use: the preprocessing recipe, the class names, and remarks on both.
 */
import { AppError } from "../errors.ts";
import type { Size } from "../imaging/geometry.ts";
import { checkDigest, type ModelCard, parseCardText } from "../models/card.ts";
import { type InferredRecipe, inferRecipe } from "../models/infer-recipe.ts";
import { type Labels, loadLabels } from "../models/labels.ts";
import type { ImageInput } from "./image-input.ts";

/** A model's card, read. */
export interface CardInfo {
  readonly card: ModelCard | null;
  /** Where it stands; null where the model has none. */
  readonly file: string | null;
  readonly labels: Labels | null;
}

/** A card's text and where it stands. */
export interface CardText {
  readonly file: string;
  readonly text: string;
}

/**
 * Reads a model's card and the class names it refers to. `read` gives the text of a file named in the card.
 * @throws AppError `card-invalid`, also where the card was written for another model file
 */
export async function readCard(
  found: CardText | undefined,
  modelSha256: string,
  read: (name: string) => Promise<string>,
): Promise<CardInfo> {
  if (found === undefined) return { card: null, file: null, labels: null };
  const card = parseCardText(found.text, found.file);
  checkDigest(card, modelSha256);
  return { card, file: found.file, labels: card.labels === undefined ? null : await loadLabels(card.labels, read) };
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
