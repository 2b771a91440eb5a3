/**
 * @file The store over any S3, in Node and in workerd. A Worker's bundler must give the SDK the XML parser that needs
 * no DOM, by the alias `@aws-sdk/xml-builder` -> `@aws-sdk/xml-builder/dist-cjs/index.js`: without it listings and
 * errors fail there (aws-sdk-js-v3#7375).
 */
import { type GetObjectCommandOutput, type HeadObjectCommandOutput, S3 } from "@aws-sdk/client-s3";
import { AppError } from "../errors.ts";
import { emptyBody, watchBody } from "./body.ts";
import { attempt, type Call } from "./call.ts";
import { checkGet, checkKey, checkList, checkPut, pageMax } from "./keys.ts";
import { explain, orMissing, readOutcome, timeouts, uploadTimeout, writeOutcome } from "./s3-faults.ts";
import type { FoundObject, GetOptions, GetResult, ListedObject, ObjectInfo, ObjectStore, PutOptions } from "./store.ts";

export interface S3Options {
  readonly bucket: string;
  /** Any S3's address, such as `https://ACCOUNT.r2.cloudflarestorage.com`; by default AWS's own of the region. */
  readonly endpoint?: string | undefined;
  /** R2 says `auto`. */
  readonly region: string;
  /** By default, and in Node only, what the AWS environment offers: variables, profiles, roles. */
  readonly credentials?: S3Credentials | undefined;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Tries of a call, with the SDK's standard backoff between them; queues retry with longer pauses than these. */
const attemptsMax = 3;

/**
 * Opens a bucket of an S3. Throws `request-invalid` for an endpoint that is no http(s) URL or holds a password. A head
 * cannot tell a missing bucket from a missing object: both are null, where get and list say which.
 */
export function s3Store({ bucket, endpoint, region, credentials }: S3Options): ObjectStore {
  checkEndpoint(endpoint);
  const client = new S3({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: attemptsMax,
    retryMode: "standard",
    requestHandler: timeouts,
    // The newer checksum trailers are refused by S3s other than AWS's; TLS and the body's length still guard it.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Servers that do not answer `100-continue` would cost every large put a wait of seconds.
    expectContinueHeader: false,
  });
  const name = `s3:${bucket}`;
  const callOf = (operation: Call["operation"], key: string, signal: AbortSignal | undefined): Call => ({
    store: name,
    operation,
    key,
    signal,
    explain,
  });
  const optionsOf = ({ signal }: Call) => (signal === undefined ? {} : { abortSignal: signal });

  async function head(call: Call): Promise<ObjectInfo | null> {
    const input = { Bucket: bucket, Key: call.key };
    const found = await attempt(call, () => orMissing(client.headObject(input, optionsOf(call))));
    return found === null ? null : infoOf(call.key, found, found.ContentLength ?? 0);
  }

  async function get(key: string, options: GetOptions = {}): Promise<GetResult | null> {
    checkGet(key, options);
    const call = callOf("get", key, options.signal);
    const input = { Bucket: bucket, Key: key, ...conditionsOf(options), ...rangeOf(options) };
    const answer = await attempt(call, () => readOutcome(client.getObject(input, optionsOf(call))), letGo);
    if (answer === "missing") return null;
    if (answer === "past-the-end") return pastTheEnd(call, options);
    if (typeof answer === "string") return { outcome: answer };
    return opened(answer, call);
  }

  /** S3 opens no empty range, not even of an empty object: conditions held, so only the facts are to be fetched. */
  async function pastTheEnd(call: Call, { ifMatch }: GetOptions): Promise<GetResult | null> {
    const info = await head(call);
    if (info === null) return null;
    if (ifMatch !== undefined && info.etag !== ifMatch) return { outcome: "changed" };
    return { outcome: "found", info, range: { offset: info.size, length: 0 }, body: emptyBody() };
  }

  return {
    name,
    get,
    async head(key, { signal } = {}) {
      checkKey(key);
      return head(callOf("head", key, signal));
    },
    async put(key, bytes, options) {
      checkPut(key, options);
      const call = callOf("put", key, options.signal);
      const put = (etag: string | undefined) => {
        const input = { Bucket: bucket, Key: key, Body: bytes, IfMatch: etag, ...putOf(options) };
        const sending = { ...optionsOf(call), requestTimeout: uploadTimeout(bytes.length) };
        return attempt(call, () => writeOutcome(client.putObject(input, sending), options));
      };
      const { ifMatch } = options;
      let written = await put(ifMatch === undefined ? undefined : quoted(ifMatch));
      // Ceph and what is built on it compare the quotes, too, though HTTP wants them: there it has not changed at all.
      if (written === "changed" && (await head(call))?.etag === ifMatch) written = await put(ifMatch);
      if (written === "exists" || written === "changed") return { outcome: written };
      return { outcome: "written", etag: plainEtag(written.ETag) };
    },
    async list({ signal, ...options }) {
      checkList(options);
      const { prefix, cursor, limit = pageMax, delimiter, startAfter } = options;
      const call = callOf("list", prefix, signal);
      const input = {
        Bucket: bucket,
        Prefix: prefix,
        MaxKeys: limit,
        Delimiter: delimiter,
        ...(cursor === undefined ? { StartAfter: startAfter } : { ContinuationToken: cursor }),
      };
      const page = await attempt(call, () => client.listObjectsV2(input, optionsOf(call)));
      return {
        objects: (page.Contents ?? []).map((object) => listed(object.Key ?? "", object, object.Size ?? 0)),
        prefixes: (page.CommonPrefixes ?? []).map((common) => common.Prefix ?? ""),
        cursor: page.NextContinuationToken ?? null,
      };
    },
    async delete(key, { signal } = {}) {
      checkKey(key);
      const call = callOf("delete", key, signal);
      await attempt(call, () => client.deleteObject({ Bucket: bucket, Key: key }, optionsOf(call)));
    },
  };
}

/** A password in the URL would be shown by whatever prints the URL; the message does not quote it for that reason. */
function checkEndpoint(endpoint: string | undefined): void {
  if (endpoint === undefined) return;
  const url = URL.parse(endpoint);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "") return;
  throw new AppError(
    "request-invalid",
    "cannot use the S3 endpoint: it must be an http or https URL without a password",
  );
}

/** S3 quotes ETags in its headers; weak ones it has none of. */
const plainEtag = (etag: string | undefined): string => (etag ?? "").replace(/^"|"$/g, "");
const quoted = (etag: string): string => `"${etag}"`;

const conditionsOf = ({ ifMatch, ifNoneMatch }: GetOptions) => ({
  ...(ifMatch === undefined ? {} : { IfMatch: quoted(ifMatch) }),
  ...(ifNoneMatch === undefined ? {} : { IfNoneMatch: quoted(ifNoneMatch) }),
});

const rangeOf = ({ range }: GetOptions) =>
  range === undefined ? {} : { Range: `bytes=${range.offset}-${lastOf(range.offset, range.length)}` };
const lastOf = (offset: number, length: number | undefined) => (length === undefined ? "" : offset + length - 1);

const putOf = ({ contentType, cacheControl, metadata, onlyIfAbsent }: PutOptions) => ({
  ContentType: contentType,
  ...(cacheControl === undefined ? {} : { CacheControl: cacheControl }),
  ...(metadata === undefined ? {} : { Metadata: { ...metadata } }),
  ...(onlyIfAbsent === true ? { IfNoneMatch: "*" } : {}),
});

/** The facts both answers hold. */
type Facts = Pick<HeadObjectCommandOutput, "ETag" | "LastModified" | "ContentType" | "CacheControl" | "Metadata">;

const listed = (
  key: string,
  { ETag, LastModified }: Pick<Facts, "ETag" | "LastModified">,
  size: number,
): ListedObject => ({
  key,
  size,
  etag: plainEtag(ETag),
  modified: LastModified ?? new Date(0),
});

const infoOf = (key: string, facts: Facts, size: number): ObjectInfo => ({
  ...listed(key, facts, size),
  contentType: facts.ContentType ?? "application/octet-stream",
  cacheControl: facts.CacheControl ?? null,
  metadata: { ...facts.Metadata },
});

function opened(answer: GetObjectCommandOutput, call: Call): FoundObject {
  const length = answer.ContentLength ?? 0;
  const part = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.ContentRange ?? "");
  const [offset, size] = part === null ? [0, length] : [Number(part[1]), Number(part[2])];
  const body = answer.Body === undefined ? emptyBody() : watchBody(streamOf(answer.Body), length, call);
  return { outcome: "found", info: infoOf(call.key, answer, size), range: { offset, length }, body };
}

// The SDK calls the stream of either platform `any`; both give bytes.
const streamOf = (body: NonNullable<GetObjectCommandOutput["Body"]>) =>
  body.transformToWebStream() as ReadableStream<Uint8Array>;

function letGo(answer: GetObjectCommandOutput | string): void {
  if (typeof answer === "object" && answer.Body !== undefined)
    streamOf(answer.Body)
      .cancel()
      .catch(() => {});
}
