/** @file Results in the bucket: written once each, the document last, so that a document means that all is there. */
import { AppError } from "../errors.ts";
import type { Explanation } from "../explanation/document.ts";
import type { View } from "../explanation/picture.ts";
import type { ImageFormat } from "../imaging/sniff.ts";
import { readObject } from "../storage/body.ts";
import type { ObjectStore } from "../storage/store.ts";
import { documentKey, type ExplanationId, idText, mapKey, pictureKey } from "./layout.ts";

/** Ours are at most some megabytes: a map at an input of 2,048 x 2,048 has 17 MB. */
const resultBytesMax = 32_000_000;

/** Results never change under their key: in the bucket, and over HTTP by their id. */
export const resultCacheControl = "private, max-age=31536000, immutable";

/** One file of a result. */
export type Artefact =
  | { readonly kind: "document" }
  | { readonly kind: "map" }
  | { readonly kind: "picture"; readonly view: View; readonly format: ImageFormat };

export const contentTypes: Readonly<Record<ImageFormat, string>> = {
  png: "image/png",
  jpeg: "image/jpeg",
  webp: "image/webp",
};

export const artefactType = (artefact: Artefact): string =>
  artefact.kind === "document"
    ? "application/json"
    : artefact.kind === "map"
      ? "application/x-npy"
      : contentTypes[artefact.format];

export function artefactKey(id: ExplanationId, artefact: Artefact): string {
  switch (artefact.kind) {
    case "document":
      return documentKey(id);
    case "map":
      return mapKey(id);
    case "picture":
      return pictureKey(id, artefact.view, artefact.format);
  }
}

/** The file's bytes, or null where it was not made yet. */
export async function readArtefact(
  store: ObjectStore,
  id: ExplanationId,
  artefact: Artefact,
  signal?: AbortSignal,
): Promise<Uint8Array | null> {
  const found = await store.get(artefactKey(id, artefact), { signal });
  if (found?.outcome !== "found") return null;
  return readObject(found, { bytesMax: resultBytesMax, what: `the result "${idText(id)}"` });
}

/** Writes a file unless it is there: equal keys mean equal content, so whoever came first wrote the same. */
export async function writeArtefact(
  store: ObjectStore,
  id: ExplanationId,
  artefact: Artefact,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const key = artefactKey(id, artefact);
  await store.put(key, bytes, {
    contentType: artefactType(artefact),
    cacheControl: resultCacheControl,
    onlyIfAbsent: true,
    signal,
  });
}

export const encodeDocument = (document: Explanation): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`);

export function decodeDocument(bytes: Uint8Array, id: ExplanationId): Explanation {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Explanation; // written by encodeDocument, under our own key
  } catch (cause) {
    throw new AppError(
      "storage-failed",
      `the document of "${idText(id)}" is damaged: delete it, and it is made anew`,
      {},
      { cause },
    );
  }
}
