/** @file A model's bytes to its prepared graph at the size and batch wanted. Reads no files. */
import { AppError } from "../errors.ts";
import type { Dim, Graph, Shape } from "../graph/ir.ts";
import { prepare } from "../graph/prepare.ts";
import type { Size } from "../imaging/geometry.ts";
import { rejectNonFinite } from "../onnx/finite.ts";
import { importModel } from "../onnx/import.ts";
import type { ExternalData } from "../runtime/runtime.ts";
import { type ImageInput, imageInputOf } from "./image-input.ts";

/** The bytes of a model: the file, and the weights files it refers to. */
export interface ModelBytes {
  readonly bytes: Uint8Array;
  readonly external: readonly ExternalData[];
}

export interface SizeOptions {
  readonly inputSize?: Size | undefined;
  /** Fixes the batch, where the model leaves it open. */
  readonly batch?: number;
}

/** A graph ready to be compiled, and the input a picture goes to. */
export interface ModelGraph {
  readonly graph: Graph;
  readonly input: ImageInput;
  /** True where the graph has another input size than the file declares. */
  readonly resized: boolean;
}

/** Imports and prepares a model as it is declared; it may be a model of anything. */
export function declaredGraph(model: ModelBytes, inputShapes?: ReadonlyMap<string, Shape>): Graph {
  const found = new Map(model.external.map(({ path: location, data }) => [location, data]));
  const { graph, declared } = importModel(model.bytes, { external: (location) => found.get(location) });
  rejectNonFinite(graph);
  return prepare(graph, { declared, ...(inputShapes && { inputShapes }) });
}

/** Imports and prepares a model at the input size asked for. Throws `spec-invalid` where it takes no picture. */
export function graphAtSize(model: ModelBytes, options: SizeOptions): ModelGraph {
  const declared = declaredGraph(model);
  const input = imageInputOf(declared);
  const shape = wantedShape(input, options);
  const resized = options.inputSize !== undefined && shape.join() !== input.shape.join();
  if (shape.join() === input.shape.join()) return { graph: declared, input, resized };
  return { graph: declaredGraph(model, new Map([[input.name, shape]])), input: { ...input, shape }, resized };
}

/** Whether the model leaves its height or width open. */
export const isOpenSize = ({ shape }: ImageInput): boolean => shape.slice(1).some((d) => typeof d === "string");

/** The declared shape with the size and the batch asked for. */
function wantedShape({ name, layout, shape }: ImageInput, { inputSize, batch }: SizeOptions): Shape {
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
