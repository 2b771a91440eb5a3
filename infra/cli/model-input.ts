/** @file Inputs of commands that need just a tensor: a file by the model's card, or seeded random numbers. */
import { AppError } from "../../shared/errors.ts";
import { recipeFor } from "../../shared/explanation/card-info.ts";
import type { ImageInput } from "../../shared/explanation/image-input.ts";
import { prepareInput, tensorAs } from "../../shared/explanation/input.ts";
import { volume } from "../../shared/graph/constant.ts";
import { NODE_LIMITS } from "../../shared/imaging/limits.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import type { RunTensor } from "../../shared/runtime/runtime.ts";
import type { LoadedModel } from "./model.ts";
import { readCardInfo } from "./recipe.ts";
import { listSources } from "./sources.ts";
import type { Terminal } from "./terminal.ts";

/** What this process decodes. */
export const decoding = () => ({ codecs: nodeCodecs(), limits: NODE_LIMITS });

/** The tensor of one input file, by the model's card. */
export async function readInput(
  model: LoadedModel,
  file: string,
  { signal, environment }: Terminal,
): Promise<RunTensor> {
  const { sources } = await listSources([file], { recursive: false, exclude: "", environment });
  const [source] = sources;
  if (source === undefined) throw new AppError("not-found", `cannot read "${file}"`);
  const { recipe } = recipeFor(model.input, await readCardInfo(model), undefined);
  return (await prepareInput(await source.read(signal), source.array, model.input, recipe, decoding())).tensor;
}

/** Seeded numbers in the range that preprocessed photos have, in the input's shape with symbolic extents as 1. */
export function randomInput(input: ImageInput, uniform: () => number): RunTensor {
  const open = input.shape.findIndex((d, i) => i > 0 && typeof d === "string");
  if (open >= 0) {
    throw new AppError(
      "spec-invalid",
      `the input "${input.name}" has shape [${input.shape.join(", ")}]: say how large with --input-size HxW`,
    );
  }
  const dims = input.shape.map((d) => (typeof d === "number" ? d : 1));
  const scale = input.dtype === "uint8" ? 255 : 4;
  const offset = input.dtype === "uint8" ? 0 : -2;
  return tensorAs(
    Float64Array.from({ length: volume(dims) }, () => offset + scale * uniform()),
    dims,
    input,
  );
}
