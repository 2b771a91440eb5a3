/**
 * @file Puts a model where functions find it: weights, a card that names their digest, and explainers compiled ahead.
 */
import { sha256Hex } from "../digest.ts";
import { AppError } from "../errors.ts";
import type { CardInfo } from "../explanation/card-info.ts";
import type { ModelBytes } from "../explanation/model-graph.ts";
import type { ExplainSpec } from "../saliency/spec.ts";
import type { ObjectStore } from "../storage/store.ts";
import { compileServed, explainerDigest, specWithCard } from "./explainers.ts";
import { explainerKey, modelFolder } from "./layout.ts";
import { ModelCatalogue, weightsKey } from "./models.ts";

export interface PublishedModel extends ModelBytes {
  readonly name: string;
  /** The card's text; its class names are written into the published card. */
  readonly card: { readonly text: string; readonly labels: CardInfo["labels"] };
}

/** What was written. */
export interface Published {
  readonly keys: readonly string[];
  readonly sha256: string;
}

/**
 * Writes the weights first and the card last, so that a model with a card is whole. `specs` are compiled ahead, which a
 * model too large to be compiled by a function needs. Throws as `compileExplainer` does.
 */
export async function publishModel(
  store: ObjectStore,
  model: PublishedModel,
  specs: readonly ExplainSpec[],
  signal?: AbortSignal,
): Promise<Published> {
  const { name, bytes, external } = model;
  const folder = modelFolder(name);
  const sha256 = await sha256Hex(bytes);
  const card = cardOf(model, sha256);
  const keys: string[] = [];
  const put = async (key: string, content: Uint8Array, contentType: string): Promise<void> => {
    await store.put(key, content, { contentType, signal });
    keys.push(key);
  };
  for (const { path, data } of external) await put(`${folder}${path}`, data, "application/octet-stream");
  await put(weightsKey(name), bytes, "application/onnx");
  await put(`${folder}card.json`, new TextEncoder().encode(card), "application/json");
  const served = await new ModelCatalogue(store).get(name, signal);
  for (const spec of specs.map((each) => specWithCard(each, served))) {
    const key = explainerKey(await explainerDigest(served, spec));
    const compiled = compileServed(model, spec, served);
    await store.put(key, compiled.bytes, {
      contentType: "application/onnx",
      metadata: { "weights-etag": served.weightsEtag },
      signal,
    });
    keys.push(key);
  }
  return { keys, sha256 };
}

/** The card with the digest of the file it is published with, and with its class names written out. */
function cardOf({ name, card: { text, labels } }: PublishedModel, sha256: string): string {
  const json: unknown = JSON.parse(text);
  if (typeof json !== "object" || json === null) {
    throw new AppError("card-invalid", `the card of "${name}" is no JSON object`, { name });
  }
  return `${JSON.stringify({ ...json, sha256, ...(labels !== null && { labels }) }, null, 2)}\n`;
}
