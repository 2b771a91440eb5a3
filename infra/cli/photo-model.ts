/** @file The model of `--model`, ready for photos: its card, how photos become its input, and at which size. */
import { AppError } from "../../shared/errors.ts";
import { type CardInfo, photosRefused, recipeFor } from "../../shared/explanation/card-info.ts";
import { isOpenSize } from "../../shared/explanation/model-graph.ts";
import type { Recipe } from "../../shared/models/recipe.ts";
import type { Runtime } from "../../shared/runtime/runtime.ts";
import type { Args } from "./args.ts";
import { type LoadedModel, loadModel } from "./model.ts";
import { readCardInfo } from "./recipe.ts";
import { readRuntime } from "./runtime-args.ts";
import { readInputSize, type Size } from "./spec-args.ts";
import type { Terminal } from "./terminal.ts";

export interface PhotoModel {
  /** At the recipe's size where the file leaves it open: maps then have known extents. */
  readonly model: LoadedModel;
  readonly card: CardInfo;
  /** How photos become the model's input, or why none can. */
  readonly recipe: Recipe | AppError;
  /** What a reader of the results should know of the recipe. */
  readonly notes: readonly string[];
  readonly runtime: Runtime;
}

/** @param purpose what the model is wanted for, to say when `--model` is missing */
export async function openPhotoModel(
  args: Args,
  { progress, environment }: Pick<Terminal, "progress" | "environment">,
  purpose: "explain" | "evaluate",
): Promise<PhotoModel> {
  const asked = args.text("model");
  if (asked === undefined) {
    throw new AppError("spec-invalid", `--model says which model to ${purpose} (an .onnx file or a catalogue name)`);
  }
  const inputSize = readInputSize(args);
  const runtime = await readRuntime(args);
  progress(`reading ${asked}`);
  const options = { inputSize, card: args.text("card"), environment };
  const declared = await loadModel(asked, options);
  const card = await readCardInfo(declared);
  const { recipe, notes } = tryRecipe(declared, card, inputSize);
  const isOpen = !(recipe instanceof AppError) && isOpenSize(declared.input);
  const size = isOpen ? { height: recipe.height, width: recipe.width } : null;
  const model = size === null ? declared : await loadModel(asked, { ...options, inputSize: size });
  return { model, card, recipe, notes, runtime };
}

/** A model that takes no photos still takes arrays, so the refusal is kept for the first photo. */
function tryRecipe(model: LoadedModel, card: CardInfo, size: Size | undefined): Pick<PhotoModel, "recipe" | "notes"> {
  try {
    return recipeFor(model.input, card, size);
  } catch (error) {
    if (!photosRefused(error) || card.card !== null) throw error;
    return { recipe: error, notes: [] };
  }
}
