/** @file A served model's own bytes and graph, for compiling and for listing its layers. Compiles nothing itself. */
import { sha256Hex } from "../digest.ts";
import { AppError } from "../errors.ts";
import { recipeFor } from "../explanation/card-info.ts";
import { imageInputOf } from "../explanation/image-input.ts";
import { declaredGraph, graphAtSize, isOpenSize, type ModelBytes } from "../explanation/model-graph.ts";
import type { Graph } from "../graph/ir.ts";
import { externalLocations } from "../onnx/external.ts";
import { readObject } from "../storage/body.ts";
import type { ObjectStore } from "../storage/store.ts";
import { modelFolder } from "./layout.ts";
import { type ServedModel, weightsKey } from "./models.ts";

/**
 * Reads a model's files whole, and checks that they are those its card was written for.
 * @throws AppError `model-unsupported` beyond `compileBytesMax`, `card-invalid` for another file, `model-missing-data`
 */
export async function readModel(
  store: ObjectStore,
  model: ServedModel,
  compileBytesMax: number,
  signal?: AbortSignal,
): Promise<ModelBytes> {
  if (model.bytes > compileBytesMax) {
    throw new AppError(
      "model-unsupported",
      `the model "${model.name}" has ${model.bytes} bytes, and up to ${compileBytesMax} are read whole here: compile ` +
        "its explainers ahead with `backlight models add`",
      { model: model.name, bytes: model.bytes, limit: compileBytesMax },
    );
  }
  const read = async (key: string): Promise<Uint8Array> => {
    const found = await store.get(key, { signal });
    if (found?.outcome !== "found") {
      throw new AppError("model-missing-data", `the file "${key}" of the model "${model.name}" is not there`, { key });
    }
    return readObject(found, { bytesMax: compileBytesMax, what: `"${key}"`, code: "model-unsupported" });
  };
  const bytes = await read(weightsKey(model.name));
  const sha256 = await sha256Hex(bytes);
  if (sha256 !== model.sha256) {
    throw new AppError(
      "card-invalid",
      `the card of "${model.name}" was written for another model file: it names SHA-256 ${model.sha256}, the file ` +
        `${weightsKey(model.name)} has ${sha256}; run \`backlight models add\` again`,
      { card: model.sha256, model: sha256 },
    );
  }
  const external = await Promise.all(
    externalLocations(bytes).map(async (location) => ({
      path: location,
      data: await read(`${modelFolder(model.name)}${location}`),
    })),
  );
  return { bytes, external };
}

/** A model that leaves its size open is explained at the card's: maps then have known extents. */
export function servedGraph(source: ModelBytes, card: ServedModel["card"]): Graph {
  const declared = declaredGraph(source);
  const input = imageInputOf(declared);
  if (!isOpenSize(input)) return declared;
  const { recipe } = recipeFor(input, { card, file: null, labels: null }, undefined);
  return graphAtSize(source, { inputSize: { width: recipe.width, height: recipe.height } }).graph;
}
