/** @file Objects on the command line: addresses as `s3://bucket/key`, and what is behind them. */
import { openStore } from "../../functions/node/platform.ts";
import { readSettings } from "../../functions/settings.ts";
import { type ReadLimit, readObject } from "../../shared/storage/body.ts";
import type { GetOptions, ObjectStore } from "../../shared/storage/store.ts";

export interface BucketAddress {
  readonly bucket: string;
  /** As written, perhaps empty and perhaps with a slash at its end. */
  readonly key: string;
}

export const isBucketAddress = (text: string): boolean => text.startsWith("s3://");

export function parseBucketAddress(text: string): BucketAddress {
  const [, bucket = "", key = ""] = /^s3:\/\/([^/]+)\/?(.*)$/s.exec(text) ?? [];
  return { bucket, key };
}

/**
 * Where the bucket is and who asks are the environment's: BACKLIGHT_S3_ENDPOINT and its like, or AWS's own. Throws
 * `request-invalid` where the bucket has no name.
 */
export const openBucket = async (
  bucket: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ObjectStore> => openStore(`s3://${bucket}`, await readSettings(environment));

/** An object's bytes, or null where there is none of this key. */
export async function readKey(
  store: ObjectStore,
  key: string,
  limit: ReadLimit,
  options: Pick<GetOptions, "signal" | "range">,
): Promise<Uint8Array | null> {
  const object = await store.get(key, options);
  return object?.outcome === "found" ? readObject(object, limit) : null;
}
