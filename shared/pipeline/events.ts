/**
 * @file What a queue tells of uploads: R2's and S3's notifications into one shape. A body is input, and is parsed so.
 */
import { AppError } from "../errors.ts";

/** An object that was written, as the notification named it. */
export interface Upload {
  readonly bucket: string;
  readonly key: string;
  /** Unquoted; null where the notification has none. */
  readonly etag: string | null;
}

/** What a message says: uploads, or something else that happened and needs nothing. */
export type UploadEvent =
  | { readonly kind: "uploads"; readonly uploads: readonly Upload[] }
  | { readonly kind: "other"; readonly action: string };

/** R2's actions that leave an object to explain. */
const r2Writes = new Set(["PutObject", "CopyObject", "CompleteMultipartUpload"]);

/** The notification R2 sends for an upload: what finds missed ones, and a stack without notifications, send instead. */
export const uploadEvent = ({ bucket, key, etag }: Upload) => ({
  bucket,
  action: "PutObject",
  object: { key, eTag: etag },
});

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function fields(value: unknown, path: string): Fields {
  if (isObject(value)) return value;
  throw malformed(`"${path}" is no object`);
}

function text(value: unknown, path: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw malformed(`"${path}" is no text`);
}

const malformed = (why: string): AppError =>
  new AppError("request-invalid", `cannot read the message: ${why}; R2 and S3 event notifications are understood`);

const unquoted = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? value.replaceAll('"', "") : null;

/**
 * Reads the body of a message: `{ bucket, action, object: { key, eTag } }` of R2, or `{ Records: [...] }` of S3, whose
 * keys are form-encoded. Throws `request-invalid`.
 */
export function readEvent(body: unknown): UploadEvent {
  const message = fields(body, "body");
  if (Array.isArray(message["Records"])) return readRecords(message["Records"]);
  // S3 announces itself with this when notifications are set up.
  if (message["Event"] === "s3:TestEvent") return { kind: "other", action: "s3:TestEvent" };
  const action = text(message["action"], "action");
  if (!r2Writes.has(action)) return { kind: "other", action };
  const object = fields(message["object"], "object");
  const upload = {
    bucket: text(message["bucket"], "bucket"),
    key: text(object["key"], "object.key"),
    etag: unquoted(object["eTag"]),
  };
  return { kind: "uploads", uploads: [upload] };
}

function readRecords(records: readonly unknown[]): UploadEvent {
  const uploads = records.flatMap((each, i): readonly Upload[] => {
    const record = fields(each, `Records[${i}]`);
    const name = text(record["eventName"], `Records[${i}].eventName`);
    if (!/^(s3:)?ObjectCreated:/.test(name)) return [];
    const s3 = fields(record["s3"], `Records[${i}].s3`);
    const object = fields(s3["object"], `Records[${i}].s3.object`);
    const key = text(object["key"], `Records[${i}].s3.object.key`);
    return [
      {
        bucket: text(fields(s3["bucket"], `Records[${i}].s3.bucket`)["name"], `Records[${i}].s3.bucket.name`),
        key: decodeKey(key),
        etag: unquoted(object["eTag"]),
      },
    ];
  });
  return { kind: "uploads", uploads };
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    throw malformed(`the key "${key}" is not form-encoded`);
  }
}
