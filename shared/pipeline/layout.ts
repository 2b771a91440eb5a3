/**
 * @file Where things are in the bucket, and which keys are a user's images. The one place that spells a key.
 *
 * images/…                                      what users put there; nothing we write matches it
 * models/<name>/model.onnx, card.json, …        the models, with their cards and class names
 * explainers/<key>.onnx                         compiled once a (model, compiler, spec)
 * explainers/<model>.<compiler>.layers.json     the layers of a model
 * explanations/<image>/<result>.json|.npy|…     results; <image> is an image's key, or sha256/<digest> for bytes
 * explanations/<image>/<etag>.failure.json      why an image cannot be explained
 * failures/<id>.json                            messages that are about no image of ours, or were given up
 * sweeps/…                                      of sweeps: shared/sweeps/layout.ts
 * state/reconciliation.json                     where the next reconciliation goes on
 */
import { AppError } from "../errors.ts";
import type { View } from "../explanation/picture.ts";
import type { ImageFormat } from "../imaging/sniff.ts";
import { compilerVersion } from "../saliency/compile.ts";

/** Uploads below it are explained. Nothing of ours begins with it: what we write never triggers us. */
export const imagePrefix = "images/";
export const explanationPrefix = "explanations/";
export const modelPrefix = "models/";
export const reconciliationKey = "state/reconciliation.json";

/** A user's image: below the prefix, with a name. */
export const isImageKey = (key: string): boolean => key.startsWith(imagePrefix) && !key.endsWith("/");

/** What an explanation is of: an object of the bucket, or bytes that came with a request or from a URL. */
export type ImageId = string;

export const imageIdOfBytes = (sha256: string): ImageId => `sha256/${sha256}`;

const digest = /^[0-9a-f]{64}$/;

/** An explanation's public id: `<image>/<result key>`. */
export interface ExplanationId {
  readonly image: ImageId;
  readonly result: string;
}

export const idText = ({ image, result }: ExplanationId): string => `${image}/${result}`;

/** Throws `not-found` for what is no id. */
export function parseId(text: string): ExplanationId {
  const at = text.lastIndexOf("/");
  const [image, result] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  const known = isImageKey(image) || (image.startsWith("sha256/") && digest.test(image.slice("sha256/".length)));
  if (known && digest.test(result)) return { image, result };
  throw new AppError(
    "not-found",
    `there is no explanation "${text}": an id is an image's key or sha256/<digest>, a slash and the result's 64 digits`,
    { id: text },
  );
}

/** The folder of everything explained of one image. */
export const folderOf = (image: ImageId): string => `${explanationPrefix}${image}/`;

export const documentKey = (id: ExplanationId): string => `${folderOf(id.image)}${id.result}.json`;
export const mapKey = (id: ExplanationId): string => `${folderOf(id.image)}${id.result}.npy`;
export const pictureKey = (id: ExplanationId, view: View, format: ImageFormat): string =>
  `${folderOf(id.image)}${id.result}.${view}.${format}`;
export const failureKey = (image: ImageId, etag: string): string =>
  `${folderOf(image)}${slugOfEtag(etag)}.failure.json`;

/** ETags are opaque: what could not stand in a key is written as its code. */
const slugOfEtag = (etag: string): string =>
  etag.replace(/[^A-Za-z0-9-]/g, (c) => `_${c.codePointAt(0)?.toString(16) ?? ""}_`);

/** Whether an object is the result document of an explanation, as opposed to its pictures and maps. */
export const isDocumentKey = (key: string): boolean => /\/[0-9a-f]{64}\.json$/.test(key);
export const isFailureKey = (key: string): boolean => key.endsWith(".failure.json");

/** The image an object below `explanations/` belongs to. */
export function imageOf(key: string): ImageId {
  const inside = key.slice(explanationPrefix.length);
  return inside.slice(0, inside.lastIndexOf("/"));
}

export const strayFailureKey = (id: string): string => `failures/${encodeURIComponent(id)}.json`;

/** A model's name: part of keys and URLs. */
const modelName = /^[a-z0-9][a-z0-9._-]{0,63}$/i;

/** Throws `not-found` for a name no model can have. */
export function modelFolder(name: string): string {
  if (modelName.test(name)) return `${modelPrefix}${name}/`;
  throw new AppError("not-found", `there is no model "${name}": names have letters, digits, ".", "-" and "_"`, {
    name,
  });
}

export const explainerKey = (digestOfExplainer: string): string => `explainers/${digestOfExplainer}.onnx`;
/** What is listed depends on the model and on the compiler that lists it. */
export const layersKey = (modelSha256: string): string =>
  `explainers/${modelSha256}.${compilerVersion.replaceAll(" ", "-")}.layers.json`;
