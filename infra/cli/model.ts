/**
 * @file The MODEL argument: a file or a name in the catalogue becomes a prepared graph with its bytes, weights files
 * and card. Knows nothing of what is done with it.
 */
import path from "node:path";
import { AppError } from "../../shared/errors.ts";
import { type ImageInput, imageInputOf } from "../../shared/explanation/image-input.ts";
import type { Dim, Graph, Shape } from "../../shared/graph/ir.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { externalLocations } from "../../shared/onnx/external.ts";
import { rejectNonFinite } from "../../shared/onnx/finite.ts";
import { importModel } from "../../shared/onnx/import.ts";
import type { ExternalData } from "../../shared/runtime/runtime.ts";
import { catalogueEntry } from "./catalogue.ts";
import { readBytes, readOptional, sha256 } from "./files.ts";
import type { Size } from "./spec-args.ts";

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

export interface LoadedModel extends ModelFile {
  readonly graph: Graph;
  readonly input: ImageInput;
  /** True where the graph has another input size than the file declares. */
  readonly resized: boolean;
}

export interface ModelOptions {
  readonly card?: string | undefined;
  readonly inputSize?: Size | undefined;
  /** Fixes the batch, where the model leaves it open. */
  readonly batch?: number;
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
  return { ...file, graph: graphOf(file) };
}

/** Reads MODEL, imports and prepares it at the input size asked for. Throws where it takes no picture. */
export async function loadModel(argument: string, options: ModelOptions): Promise<LoadedModel> {
  const file = await readModelFile(argument, options);
  const declared = graphOf(file);
  const input = imageInputOf(declared);
  const shape = wantedShape(input, options);
  const resized = options.inputSize !== undefined && shape.join() !== input.shape.join();
  if (shape.join() === input.shape.join()) return { ...file, graph: declared, input, resized };
  const graph = graphOf(file, new Map([[input.name, shape]]));
  return { ...file, graph, input: { ...input, shape }, resized };
}

/** The declared shape with the size and the batch asked for. */
function wantedShape({ name, layout, shape }: ImageInput, { inputSize, batch }: ModelOptions): Shape {
  const [n = 1, ...rest] = shape;
  const first: Dim = typeof n === "string" ? (batch ?? n) : n;
  if (inputSize === undefined) return [first, ...rest];
  const { height, width } = inputSize;
  if (layout === "nchw") return [first, rest[0] ?? 3, height, width];
  if (layout === "nhwc") return [first, height, width, rest[2] ?? 3];
  throw new AppError(
    "spec-invalid",
    `--input-size does not fit the model: its input "${name}" has shape [${shape.join(", ")}], not that of a picture`,
  );
}

function graphOf(file: ModelFile, inputShapes?: ReadonlyMap<string, Shape>): Graph {
  const found = new Map(file.external.map(({ path: location, data }) => [location, data]));
  const { graph, declared } = importModel(file.bytes, { external: (location) => found.get(location) });
  rejectNonFinite(graph);
  return prepare(graph, { declared, ...(inputShapes && { inputShapes }) });
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
