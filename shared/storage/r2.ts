/** @file The store over an R2 binding, in a Worker. */
import type { R2Bucket, R2Object, R2ObjectBody } from "@cloudflare/workers-types";
import { emptyBody, watchBody } from "./body.ts";
import { attempt, type Call, type Fault, textOf } from "./call.ts";
import { checkGet, checkKey, checkList, checkPut, pageMax } from "./keys.ts";
import type { FoundObject, GetOptions, GetResult, ListedObject, ObjectInfo, ObjectStore, PutOptions } from "./store.ts";

/** Opens the bucket of a binding. R2 cannot stop a call: one that is cancelled may still take effect. */
export function r2Store(bucket: R2Bucket, bucketName: string): ObjectStore {
  const name = `r2:${bucketName}`;
  const callOf = (operation: Call["operation"], key: string, signal: AbortSignal | undefined): Call => ({
    store: name,
    operation,
    key,
    signal,
    explain,
  });

  async function get(key: string, options: GetOptions = {}): Promise<GetResult | null> {
    checkGet(key, options);
    const call = callOf("get", key, options.signal);
    const found = await attempt(call, () => openBody(bucket, key, options), letGo);
    if (found === null) return null;
    if (!("body" in found)) return { outcome: found.etag === options.ifNoneMatch ? "not-modified" : "changed" };
    return opened(found, options.range?.offset ?? 0, call);
  }

  return {
    name,
    get,
    async head(key, { signal } = {}) {
      checkKey(key);
      const found = await attempt(callOf("head", key, signal), () => bucket.head(key));
      return found === null ? null : infoOf(found);
    },
    async put(key, bytes, options) {
      checkPut(key, options);
      const call = callOf("put", key, options.signal);
      const written = await attempt(call, () => bucket.put(key, bytes, putOptions(options)));
      if (written !== null) return { outcome: "written", etag: written.etag };
      return { outcome: options.onlyIfAbsent === true ? "exists" : "changed" };
    },
    async list({ signal, ...options }) {
      checkList(options);
      const { prefix, cursor, limit = pageMax, delimiter, startAfter } = options;
      const page = await attempt(callOf("list", prefix, signal), () =>
        bucket.list({
          prefix,
          limit,
          ...(delimiter === undefined ? {} : { delimiter }),
          ...(cursor === undefined ? { ...(startAfter === undefined ? {} : { startAfter }) } : { cursor }),
        }),
      );
      return {
        objects: page.objects.map(listed),
        prefixes: page.delimitedPrefixes,
        cursor: page.truncated ? page.cursor : null,
      };
    },
    async delete(key, { signal } = {}) {
      checkKey(key);
      await attempt(callOf("delete", key, signal), () => bucket.delete(key));
    },
  };
}

/** Null for what is missing; without a body where a condition does not hold. */
type Opened = R2ObjectBody | R2Object | null;

async function openBody(bucket: R2Bucket, key: string, { range, ifMatch, ifNoneMatch }: GetOptions): Promise<Opened> {
  const onlyIf = {
    ...(ifMatch === undefined ? {} : { etagMatches: ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { etagDoesNotMatch: ifNoneMatch }),
  };
  const { offset = 0, length } = range ?? {};
  const part = range === undefined ? {} : { range: length === undefined ? { offset } : { offset, length } };
  try {
    return await bucket.get(key, { onlyIf, ...part });
  } catch (error) {
    // R2 refuses ranges that begin past the end (10039; the local one fails without a number): leave the range out.
    const size = range === undefined ? null : ((await bucket.head(key))?.size ?? 0);
    if (size === null || offset < size) throw error;
    return bucket.get(key, { onlyIf });
  }
}

const letGo = (found: Opened): void => {
  if (found !== null && "body" in found) found.body.cancel().catch(() => {});
};

function opened(found: R2ObjectBody, offset: number, call: Call): FoundObject {
  const info = infoOf(found);
  if (offset >= found.size) {
    letGo(found);
    return { outcome: "found", info, range: { offset: found.size, length: 0 }, body: emptyBody() };
  }
  const asked = found.range !== undefined && "length" in found.range ? found.range.length : undefined;
  const length = Math.min(asked ?? found.size, found.size - offset);
  // The platform's own type of the same streams; R2's hold bytes.
  const body = found.body as unknown as ReadableStream<Uint8Array>;
  return { outcome: "found", info, range: { offset, length }, body: watchBody(body, length, call) };
}

const putOptions = ({ contentType, cacheControl, metadata, onlyIfAbsent, ifMatch }: PutOptions) => ({
  httpMetadata: { contentType, ...(cacheControl === undefined ? {} : { cacheControl }) },
  customMetadata: { ...metadata },
  onlyIf: {
    ...(onlyIfAbsent === true ? { etagDoesNotMatch: "*" } : {}),
    ...(ifMatch === undefined ? {} : { etagMatches: ifMatch }),
  },
});

const listed = ({ key, size, etag, uploaded }: R2Object): ListedObject => ({ key, size, etag, modified: uploaded });

const infoOf = (object: R2Object): ObjectInfo => ({
  ...listed(object),
  contentType: object.httpMetadata?.contentType ?? "application/octet-stream",
  cacheControl: object.httpMetadata?.cacheControl ?? null,
  metadata: { ...object.customMetadata },
});

/**
 * R2's errors carry their number at the end of the message only: `get: The requested range is not satisfiable (10039)`.
 * https://developers.cloudflare.com/r2/api/error-codes
 */
function codeOf(error: unknown): number | null {
  const code = /\((\d+)\)$/.exec(textOf(error, "message") ?? "")?.[1];
  return code === undefined ? null : Number(code);
}

/** The documented numbers that are neither an overload nor a fault of R2's: the same call will fail again. */
const permanent: Readonly<Record<number, { readonly name: string; readonly status: number }>> = {
  10002: { name: "Unauthorized", status: 401 },
  10003: { name: "AccessDenied", status: 403 },
  10006: { name: "NoSuchBucket", status: 404 },
  10012: { name: "MetadataTooLarge", status: 400 },
  10020: { name: "InvalidObjectName", status: 400 },
  10042: { name: "NotEntitled", status: 403 },
  10069: { name: "ObjectLockedByBucketPolicy", status: 403 },
  100100: { name: "EntityTooLarge", status: 400 },
};

const temporary: Readonly<Record<number, { readonly name: string; readonly status: number }>> = {
  10001: { name: "InternalError", status: 500 },
  10043: { name: "ServiceUnavailable", status: 503 },
  10054: { name: "ClientDisconnect", status: 400 },
  10058: { name: "TooManyRequests", status: 429 },
};

/** What is not known to be permanent (a lost connection has no number) is taken to pass. */
function explain(error: unknown): Fault {
  const code = codeOf(error) ?? 0;
  const known = permanent[code] ?? temporary[code];
  const why = known === undefined ? (textOf(error, "message") ?? "R2 failed") : `${known.name} (${code})`;
  return { why, status: known?.status ?? null, transient: permanent[code] === undefined };
}
