/** @file The layers of a served model, listed once a model and kept in the bucket: listing reads the whole model. */

import { type LayerInfo, listLayers } from "../saliency/layers.ts";
import { defaultSpec } from "../saliency/spec.ts";
import { readObject } from "../storage/body.ts";
import type { ObjectStore } from "../storage/store.ts";
import { layersKey } from "./layout.ts";
import type { ServedModel } from "./models.ts";
import { readModel, servedGraph } from "./source.ts";

/** A network of 5,000 tensors has some 700 kB. */
const listBytesMax = 4_000_000;

/** Every tensor a map can be made at, shallow to deep; throws as `readModel` does. */
export async function servedLayers(
  store: ObjectStore,
  model: ServedModel,
  compileBytesMax: number,
  signal?: AbortSignal,
): Promise<readonly LayerInfo[]> {
  const key = layersKey(model.sha256);
  const found = await store.get(key, { signal });
  if (found?.outcome === "found") {
    const bytes = await readObject(found, { bytesMax: listBytesMax, what: `"${key}"` });
    return JSON.parse(new TextDecoder().decode(bytes)) as readonly LayerInfo[]; // written below, under our own key
  }
  const graph = servedGraph(await readModel(store, model, compileBytesMax, signal), model.card);
  const { output } = model.card;
  const layers = listLayers(graph, { ...defaultSpec, ...(output !== undefined && { output }) });
  const bytes = new TextEncoder().encode(JSON.stringify(layers));
  await store.put(key, bytes, { contentType: "application/json", signal });
  return layers;
}
