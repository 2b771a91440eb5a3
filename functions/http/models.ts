/** @file `/v1/models`: what can be explained, and at which layers. */
import type { Context } from "hono";
import { labelOf } from "../../shared/models/labels.ts";
import { servedLayers } from "../../shared/pipeline/layers.ts";
import type { ServedModel } from "../../shared/pipeline/models.ts";
import type { Deps } from "../deps.ts";
import { hardened } from "./problems.ts";

const json = (body: unknown): Response =>
  new Response(JSON.stringify(body), {
    headers: hardened({ "content-type": "application/json", "cache-control": "private, no-cache" }),
  });

export async function getModels(_c: Context, { service, settings }: Deps): Promise<Response> {
  return json({ models: await service.options.models.names(), default: settings.defaults.model ?? null });
}

export async function getModel(_c: Context, { service }: Deps, name: string): Promise<Response> {
  return json(summary(await service.options.models.get(name)));
}

export async function getLayers(_c: Context, { service, platform }: Deps, name: string): Promise<Response> {
  const model = await service.options.models.get(name);
  const layers = await service.exclusive(() => servedLayers(platform.store, model, platform.compileBytesMax));
  return json({ model: name, sha256: model.sha256, layers });
}

/** What the card says, the class names written out. */
const summary = ({ name, sha256, bytes, card, labels }: ServedModel) => ({
  name,
  sha256,
  bytes,
  title: card.name,
  licence: card.licence ?? null,
  source: card.source ?? null,
  notes: card.notes ?? null,
  preprocessing: card.preprocessing,
  layers: card.layers ?? null,
  classes: labels?.map((_, i) => labelOf(labels, i)) ?? null,
});
