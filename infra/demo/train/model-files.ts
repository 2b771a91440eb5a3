/** @file The shipped model's files: where they lie, writing them, and reading them with their digest checked. */
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import { checkDigest, type ModelCard, parseCardText } from "../../../shared/models/card.ts";
import { readBytes, sha256, writeAtomic } from "../../cli/files.ts";
import type { TrainingRecord } from "./report.ts";
import { modelName } from "./ship.ts";

/** The folder of the committed model. */
export const modelFolder = path.resolve(import.meta.dirname, "../model");

export const modelFile = (folder: string): string => path.join(folder, `${modelName}.onnx`);
export const cardFile = (folder: string): string => path.join(folder, `${modelName}.card.json`);
export const reportFile = (folder: string): string => path.join(folder, "report.json");
/** How the weights came about, for the report. */
export const trainingFile = (folder: string): string => path.join(folder, "training.json");

/** Writes the model, then its card. */
export async function writeModel(folder: string, bytes: Uint8Array, card: object): Promise<void> {
  await writeAtomic(modelFile(folder), bytes);
  await writeAtomic(cardFile(folder), `${JSON.stringify(card, null, 2)}\n`);
}

export interface DemoModel {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly card: ModelCard;
}

/**
 * The model and its card.
 * @throws AppError `not-found` where a file is missing; `card-invalid` where the model is not the one of the card: it
 * was
 *   altered or cut
 */
export async function readModel(folder: string = modelFolder): Promise<DemoModel> {
  const file = modelFile(folder);
  const bytes = await readBytes(file, "the demo's model");
  const card = parseCardText(
    new TextDecoder().decode(await readBytes(cardFile(folder), "the card of the demo's model")),
    cardFile(folder),
  );
  const digest = sha256(bytes);
  try {
    checkDigest(card, digest);
  } catch (cause) {
    throw new AppError(
      "card-invalid",
      `the demo's model "${file}" is not the one its card describes (SHA-256 ${digest}, not ${card.sha256}): it was ` +
        "altered or cut; restore it with git checkout, or train it with npm run demo:train",
      { file },
      { cause },
    );
  }
  return { file, bytes, sha256: digest, card };
}

/** Written by the training that made the model, so its fields are there. */
export async function readTraining(folder: string): Promise<TrainingRecord> {
  const bytes = await readBytes(trainingFile(folder), "the record of the demo's training");
  return JSON.parse(new TextDecoder().decode(bytes)); // its only writer is train.ts
}
