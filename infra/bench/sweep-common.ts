/** @file What the parts of the sweep's benchmark share: a place, a model in it, and the form of a result. */
import path from "node:path";
import { publishModel } from "../../shared/pipeline/publish.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { readModelFile } from "../cli/model.ts";
import { readCardInfo } from "../cli/recipe.ts";
import type { Place } from "../cli/sweep/place.ts";

export { median } from "./results.ts";

export type Row = readonly [what: string, measured: string, wanted: string];

export const manifestLinesMax = 1_000_000;

const modelFile = path.resolve(import.meta.dirname, "../demo/model/everyday-24.onnx");

export const placeIn = (folder: string, name: string): Place => ({
  store: path.join(folder, name),
  images: null,
  environment: {},
  runtime: "wasm",
});

/** The demo's classifier under the name it returns. */
export async function publishDemo(store: ObjectStore): Promise<string> {
  const model = await readModelFile(modelFile, { environment: {} });
  if (model.card === undefined) throw new Error("the demo model has a card");
  const { labels } = await readCardInfo(model);
  await publishModel(store, { ...model, name: "demo", card: { text: model.card.text, labels } }, []);
  return "demo";
}
