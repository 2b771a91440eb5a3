/**
 * @file The MODEL argument: a file or a name in the catalogue becomes a prepared graph with its bytes, weights files
 * and card. Knows nothing of what is done with it.
 */
import path from "node:path";
import { AppError } from "../../shared/errors.ts";
import { declaredGraph, graphAtSize, type ModelGraph, type SizeOptions } from "../../shared/explanation/model-graph.ts";
import type { Graph } from "../../shared/graph/ir.ts";
import { externalLocations } from "../../shared/onnx/external.ts";
import type { ExternalData } from "../../shared/runtime/runtime.ts";
import { catalogueEntry } from "./catalogue.ts";
import { readBytes, readOptional, sha256 } from "./files.ts";

export interface ModelFile {
  /** For messages and results: the file's name without `.onnx`, or the catalogue's name. */
  readonly name: string;
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** Weights files, by the location the model gives them. */
  readonly external: readonly ExternalData[];
  /** The card's text and where it stands; undefined where the model has none. */
  readonly card: { readonly file: string; readonly text: string } | undefined;
}

export type LoadedModel = ModelFile & ModelGraph;

export interface ModelOptions extends SizeOptions {
  readonly card?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Reads the files of MODEL. Throws `not-found` with what was looked for, `model-missing-data` for a weights file. */
export async function readModelFile(argument: string, options: ModelOptions): Promise<ModelFile> {
  const entry = isFileName(argument) ? undefined : await catalogueEntry(argument, options.environment);
  const file = entry?.model ?? argument;
  const bytes = await readBytes(file, "model");
  const digest = sha256(bytes);
  entry?.verify(digest);
  const external = await readExternalFiles(file, bytes);
  const card = await readCard(file, options.card);
  return { name: entry?.name ?? path.basename(file, ".onnx"), file, bytes, sha256: digest, external, card };
}

/** Reads MODEL, imports and prepares it as it is declared; it may be a model of anything. */
export async function loadGraph(
  argument: string,
  options: ModelOptions,
): Promise<ModelFile & { readonly graph: Graph }> {
  const file = await readModelFile(argument, options);
  return { ...file, graph: declaredGraph(file) };
}

/** Reads MODEL, imports and prepares it at the input size asked for. Throws where it takes no picture. */
export async function loadModel(argument: string, options: ModelOptions): Promise<LoadedModel> {
  const file = await readModelFile(argument, options);
  return { ...file, ...graphAtSize(file, options) };
}

/** A path, as opposed to a name of the catalogue. */
const isFileName = (argument: string): boolean => /\.onnx$/i.test(argument) || /[/\\]/.test(argument);

/** Weights files lie beside the model. Their names were checked not to lead elsewhere. */
async function readExternalFiles(file: string, bytes: Uint8Array): Promise<readonly ExternalData[]> {
  const folder = path.dirname(file);
  return Promise.all(
    externalLocations(bytes).map(async (location) => {
      const data = await readOptional(path.join(folder, location), "weights file");
      if (data !== undefined) return { path: location, data };
      throw new AppError(
        "model-missing-data",
        `cannot load "${file}": its weights lie in "${location}", which is not there: put it beside the model`,
        { file, location },
      );
    }),
  );
}

/**
 * The card given, or the one beside the model: `model.card.json` or `model.onnx.card.json`, or a folder's `card.json`.
 */
async function readCard(file: string, given: string | undefined): Promise<ModelFile["card"]> {
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  if (given !== undefined) return { file: given, text: decode(await readBytes(given, "model card")) };
  const names = [`${file.replace(/\.onnx$/i, "")}.card.json`, `${file}.card.json`];
  if (path.basename(file) === "model.onnx") names.push(path.join(path.dirname(file), "card.json"));
  for (const name of names) {
    const bytes = await readOptional(name, "model card");
    if (bytes !== undefined) return { file: name, text: decode(bytes) };
  }
  return undefined;
}
