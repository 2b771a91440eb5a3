/**
 * @file What becomes of an upload: explained, or not, and why. May be told of the same upload any number of times, in
 * any order. Knows no queue.
 */
import { AppError, type ErrorCode } from "../errors.ts";
import { readObject } from "../storage/body.ts";
import type { ObjectStore } from "../storage/store.ts";
import type { Upload } from "./events.ts";
import { documentKey, type ExplanationId, failureKey, idText, isImageKey } from "./layout.ts";
import type { Question } from "./question.ts";
import type { ExplanationService } from "./service.ts";

/**
 * - `explained`: the result was written now; `known`: it was there
 * - `ignored`: not an image of ours (`imagePrefix`), so that nothing we write triggers us
 * - `stale`: the object was replaced or removed since; its own notification tells of what is there now
 * - `refused`: can never succeed; recorded beside the image's explanations
 */
export type UploadOutcome =
  | { readonly kind: "explained" | "known"; readonly id: string; readonly bytes: number }
  | { readonly kind: "ignored" | "stale"; readonly why: string }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly why: string };

export interface UploadDeps {
  readonly store: ObjectStore;
  /** The bucket notifications must be of. */
  readonly bucket: string;
  readonly service: ExplanationService;
  /** What uploads are explained with. */
  readonly question: Question;
}

/** What may pass by itself: everything else is the image's or the configuration's doing. */
const passing = new Set<ErrorCode>(["storage-failed", "cancelled", "rate-limited", "runtime-failed", "stale"]);

/** Whether the same work may succeed later. */
export const isPassing = (error: unknown): boolean =>
  !(error instanceof AppError) || (passing.has(error.code) && error.context["transient"] !== false);

/** Explains what was uploaded. Throws what may pass; what cannot is recorded and returned as `refused`. */
export async function settleUpload(upload: Upload, deps: UploadDeps, signal?: AbortSignal): Promise<UploadOutcome> {
  const { store, bucket } = deps;
  if (upload.bucket !== bucket) {
    return { kind: "ignored", why: `it is of the bucket "${upload.bucket}", and this function serves "${bucket}"` };
  }
  if (!isImageKey(upload.key)) return { kind: "ignored", why: "it is not below images/" };
  const { key } = upload;
  const found = await store.get(key, { ifMatch: upload.etag ?? undefined, signal });
  if (found === null) return { kind: "stale", why: "it was removed" };
  if (found.outcome !== "found") return { kind: "stale", why: "it was replaced" };
  const { etag, modified } = found.info;
  try {
    const { limits } = deps.service.options.decoding;
    const bytes = await readObject(found, { bytesMax: limits.maxBytes, what: `the image "${key}"` });
    return await explainUpload(key, bytes, modified, deps, signal);
  } catch (error) {
    if (isPassing(error) || !(error instanceof AppError)) throw error;
    await recordFailure(store, key, etag, error.code, error.message, signal);
    return { kind: "refused", code: error.code, why: error.message };
  }
}

async function explainUpload(
  key: string,
  bytes: Uint8Array,
  modified: Date,
  { service, question, store }: UploadDeps,
  signal: AbortSignal | undefined,
): Promise<UploadOutcome> {
  const image = await service.image(bytes, key);
  const identified = await service.identify(key, image.sha256, question, signal);
  const { id, cached, bytes: document } = await service.answer(identified, image, { kind: "document" }, signal);
  if (cached) await touch(store, id, document, modified, signal);
  return { kind: cached ? "known" : "explained", id: idText(id), bytes: bytes.length };
}

/**
 * The reconciliation takes an image for unexplained while its newest result is older than it. Where the same bytes were
 * uploaded again, the result is written again, unchanged, so that it is the newer.
 */
async function touch(
  store: ObjectStore,
  id: ExplanationId,
  document: Uint8Array,
  modified: Date,
  signal: AbortSignal | undefined,
): Promise<void> {
  const info = await store.head(documentKey(id), { signal });
  if (info === null || info.modified > modified) return;
  await store.put(documentKey(id), document, { contentType: info.contentType, ifMatch: info.etag, signal });
}

/** Why an image cannot be explained, as it is kept. */
export interface FailureRecord {
  readonly schema: 1;
  readonly image: string;
  readonly etag: string;
  readonly code: string;
  readonly why: string;
}

/**
 * Records a failure beside the image's explanations. Rewritten when tried again, so that it is newer than the image.
 */
export async function recordFailure(
  store: ObjectStore,
  image: string,
  etag: string,
  code: string,
  why: string,
  signal?: AbortSignal,
): Promise<void> {
  const record: FailureRecord = { schema: 1, image, etag, code, why };
  const bytes = new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`);
  await store.put(failureKey(image, etag), bytes, { contentType: "application/json", signal });
}
