/** @file A network served by the deployed Worker in workerd, and its caller: what every benchmark of it begins with. */
import { createHash, randomBytes } from "node:crypto";
import { exportModel } from "../../shared/onnx/export.ts";
import { publishModel } from "../../shared/pipeline/publish.ts";
import { defaultSpec } from "../../shared/saliency/spec.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { type Stack, startStack } from "../stack/stack.ts";
import { nets } from "./nets.ts";

const apiKey = randomBytes(24).toString("hex");
let caller = 0;

/** Starts the Worker with a network as its model, which is not published yet. */
export function startServing(net: string): Promise<Stack> {
  const digest = createHash("sha256").update(apiKey).digest("hex");
  return startStack({ variables: { BACKLIGHT_MODEL: net, BACKLIGHT_API_KEYS: `bench:${digest}` } });
}

/** Makes the network a model that can be served. */
export async function publishNet(store: ObjectStore, net: string): Promise<void> {
  const make = nets[net];
  if (make === undefined) throw new RangeError(`no network "${net}"; there are ${Object.keys(nets).join(", ")}`);
  const bytes = exportModel(make().graph);
  const card = JSON.stringify({ name: net, preprocessing: { family: "imagenet-squash" } });
  await publishModel(store, { name: net, bytes, external: [], card: { text: card, labels: null } }, [defaultSpec]);
}

/** Asks the Worker, and throws what it refuses; the rate limit, which is per address, is not what is measured. */
export async function ask(stack: Stack, pathAndQuery: string, init: RequestInit = {}): Promise<Response> {
  caller += 1;
  const headers = {
    ...init.headers,
    authorization: `Bearer ${apiKey}`,
    "cf-connecting-ip": `10.0.${caller >> 8}.${caller & 255}`,
  };
  const response = await stack.fetch(pathAndQuery, { ...init, headers });
  if (!response.ok) throw new Error(await response.text());
  return response;
}
