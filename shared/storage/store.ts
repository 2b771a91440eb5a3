/**
 * @file Where bytes live: one small interface over R2, any S3 and a directory. The interface and its words only; what a
 * key may be is in keys.ts, reading bodies in body.ts, the stores in r2.ts, s3.ts and directory.ts.
 */

/** Every call can be given up. Where the platform cannot stop a call (R2), its effect may still happen. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What a listing knows of an object. */
export interface ListedObject {
  readonly key: string;
  /** Of the whole object, in bytes. */
  readonly size: number;
  /** An opaque strong validator of the content, without quotes. Comparable within one store only. */
  readonly etag: string;
  /** When it was last written; S3 knows whole seconds only. */
  readonly modified: Date;
}

/** What is known of an object without reading it. */
export interface ObjectInfo extends ListedObject {
  /** `application/octet-stream` where the writer gave none. */
  readonly contentType: string;
  readonly cacheControl: string | null;
  /** By lower-case name. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bytes from `offset`; `length` of them, or all to the end. Cut to what there is, like `slice`: perhaps to nothing. */
export interface ByteRange {
  readonly offset: number;
  readonly length?: number | undefined;
}

export interface GetOptions extends CallOptions {
  readonly range?: ByteRange | undefined;
  /** Read only while the object has this ETag (unquoted); otherwise the outcome is `changed`. */
  readonly ifMatch?: string | undefined;
  /** Read only unless the object has this ETag (unquoted); if it has, the outcome is `not-modified`. */
  readonly ifNoneMatch?: string | undefined;
}

/** An object opened for reading. Read the body to its end or cancel it: until then it holds a connection or a file. */
export interface FoundObject {
  readonly outcome: "found";
  readonly info: ObjectInfo;
  /** Which bytes of the object the body holds; the body fails rather than end before `length`. */
  readonly range: { readonly offset: number; readonly length: number };
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
}

export type GetResult = FoundObject | { readonly outcome: "not-modified" } | { readonly outcome: "changed" };

export interface PutOptions extends CallOptions {
  readonly contentType: string;
  readonly cacheControl?: string | undefined;
  /** Names of lower-case letters, digits and hyphens; values of printable ASCII; at most 2,048 bytes together. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Write only if the key is free; otherwise the outcome is `exists`. Of racing writers exactly one writes. */
  readonly onlyIfAbsent?: boolean | undefined;
  /** Write only over the object with this ETag (unquoted); otherwise, also if there is none, it is `changed`. */
  readonly ifMatch?: string | undefined;
}

/**
 * Losing a race is an outcome, not an error. A store repeats a call whose answer was lost, so `exists` and `changed`
 * may also mean that this very call wrote before: who has to know reads the object.
 */
export type PutResult =
  | { readonly outcome: "written"; readonly etag: string }
  | { readonly outcome: "exists" }
  | { readonly outcome: "changed" };

export interface ListOptions extends CallOptions {
  /** Keys that begin with this; need not end at a slash. */
  readonly prefix: string;
  /** The `cursor` of the page before; the other options must be the same. */
  readonly cursor?: string | undefined;
  /** Objects and prefixes of a page, 1 to 1,000, which is the default. A page may hold fewer and not be the last. */
  readonly limit?: number | undefined;
  /** Stop at slashes: what lies below `prefix…/` is told as one prefix, as the folders of a folder. */
  readonly delimiter?: "/" | undefined;
  /** Keys after this one only. */
  readonly startAfter?: string | undefined;
}

/** Objects and prefixes, each in the order of their UTF-8 bytes. */
export interface ListPage {
  readonly objects: readonly ListedObject[];
  /** With a delimiter: the common prefixes, slash included. */
  readonly prefixes: readonly string[];
  /** Where the next page begins; null on the last. */
  readonly cursor: string | null;
}

/**
 * A bucket. A key that no store could hold is `request-invalid` (keys.ts); what is missing is null; a store that
 * refuses or fails is `storage-failed` with the context of `StorageFailure`; a call given up is `cancelled`.
 */
export interface ObjectStore {
  /** For logs and errors, such as `r2:images`; holds no secret and no machine path. */
  readonly name: string;
  head(key: string, options?: CallOptions): Promise<ObjectInfo | null>;
  get(key: string, options?: GetOptions): Promise<GetResult | null>;
  /** Readers see the object before or after, never half of it. */
  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutResult>;
  list(options: ListOptions): Promise<ListPage>;
  /** Removing what is not there is no error. */
  delete(key: string, options?: CallOptions): Promise<void>;
}

/** The context of a `storage-failed` error. */
export interface StorageFailure {
  readonly store: string;
  readonly operation: "head" | "get" | "put" | "list" | "delete";
  /** The key, or the prefix of a listing. */
  readonly key: string;
  /** The HTTP status, where there was one. */
  readonly status: number | null;
  /** Whether the same call may succeed later: overload, timeouts, lost connections, server faults. */
  readonly transient: boolean;
}
