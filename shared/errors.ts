/** @file The one error class for what a caller can cause. Imports nothing; knows neither HTTP nor the terminal. */

/**
 * What kind of mistake it was. The edge (HTTP, command line) maps each to a status or an exit code.
 * - `model-malformed`: the bytes are not a valid ONNX model
 * - `model-unsupported`: a valid model that uses something we cannot differentiate, infer or run
 * - `model-missing-data`: the model refers to a weights file that was not given
 * - `spec-invalid`: method, layer, class, objective or option that does not exist or does not fit the model
 * - `image-unreadable`: the bytes are not an image we decode, or are damaged
 * - `image-too-large`: the header announces more pixels or bytes than the limit
 * - `card-invalid`: a model card that is malformed or does not fit the model
 * - `not-found`: a file, URL or name that does not exist
 * - `runtime-failed`: the inference runtime refused or failed
 * - `cancelled`: the caller aborted
 * - `request-invalid`: a request, message or document whose fields are missing, malformed or contradict each other
 * - `access-denied`: a missing, wrong or expired API key or signature
 * - `rate-limited`: more requests than allowed; `context.retryAfterSeconds` says when to come back
 * - `url-refused`: a URL our policy does not allow us to fetch
 * - `fetch-failed`: an allowed URL whose server failed, was too slow or sent too much
 * - `storage-failed`: the object store refused or failed; it may succeed when tried again
 * - `stale`: the object changed between the moment it was named and the moment it was read
 * - `config-invalid`: a setting of the operator's (environment variable) that is malformed or unsafe
 * - `dataset-invalid`: images and annotations of an evaluation that do not belong together or cannot be read
 */
export type ErrorCode =
  | "model-malformed"
  | "model-unsupported"
  | "model-missing-data"
  | "spec-invalid"
  | "image-unreadable"
  | "image-too-large"
  | "card-invalid"
  | "not-found"
  | "runtime-failed"
  | "cancelled"
  | "request-invalid"
  | "access-denied"
  | "rate-limited"
  | "url-refused"
  | "fetch-failed"
  | "storage-failed"
  | "stale"
  | "config-invalid"
  | "dataset-invalid";

/**
 * An error the caller can do something about. The message says what was attempted, on which thing, why not, and what
 * would work: lower case, no full stop, values quoted. Data a program may need is in `context`, never in the message.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    context: Readonly<Record<string, unknown>> = {},
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.code = code;
    this.context = context;
  }
}

/** What an error says, whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
