/** @file Errors as RFC 9457 problem documents. The one table from our codes to HTTP; knows no route. */
import { AppError, type ErrorCode } from "../../shared/errors.ts";

export interface Problem {
  readonly status: number;
  readonly title: string;
}

/** Every code has a row, or this does not compile. */
export const problems: Readonly<Record<ErrorCode, Problem>> = {
  "model-malformed": { status: 422, title: "The model is damaged" },
  "model-unsupported": { status: 422, title: "The model cannot be explained" },
  "model-missing-data": { status: 422, title: "The model lacks its weights" },
  "spec-invalid": { status: 400, title: "The question does not fit the model" },
  "image-unreadable": { status: 415, title: "The image cannot be read" },
  "image-too-large": { status: 413, title: "The image is too large" },
  "card-invalid": { status: 422, title: "The model's card is wrong" },
  "not-found": { status: 404, title: "Not found" },
  "runtime-failed": { status: 500, title: "Inference failed" },
  cancelled: { status: 503, title: "Given up" },
  "request-invalid": { status: 400, title: "The request is malformed" },
  "access-denied": { status: 403, title: "Not allowed" },
  "rate-limited": { status: 429, title: "Too many requests" },
  "url-refused": { status: 403, title: "The URL may not be fetched" },
  "fetch-failed": { status: 502, title: "The URL could not be fetched" },
  "storage-failed": { status: 503, title: "Storage failed" },
  stale: { status: 409, title: "It changed meanwhile" },
  "dataset-invalid": { status: 422, title: "The dataset is wrong" },
  "config-invalid": { status: 500, title: "The function is set up wrongly" },
};

/** Reasons of `access-denied` that ask for credentials; all others say that these will not do. */
const unauthenticated = new Set<unknown>(["missing-key", "unknown-key", "unsigned"]);

/** What clients are told beyond the message; other context is for logs. */
const told = [
  "reason",
  "limit",
  "bytes",
  "width",
  "height",
  "bytesMax",
  "originStatus",
  "name",
  "retryAfterSeconds",
  "url",
];

const securityHeaders = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; sandbox",
};

/** Headers of everything we answer. */
export const hardened = (headers: Readonly<Record<string, string>>): Record<string, string> => ({
  ...securityHeaders,
  ...headers,
});

function statusOf(error: AppError): number {
  if (error.code === "fetch-failed" && error.context["reason"] === "timeout") return 504;
  if (error.code === "access-denied" && unauthenticated.has(error.context["reason"])) return 401;
  return problems[error.code].status;
}

/** The problem document of an error. An error we did not mean to throw says nothing of itself to the client. */
export function problemResponse(error: unknown, requestId: string): Response {
  const headers = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-request-id": requestId,
  };
  if (!(error instanceof AppError)) {
    const body = { type: "about:blank", title: "Internal error", status: 500, requestId };
    return new Response(JSON.stringify(body), { status: 500, headers: hardened(headers) });
  }
  const status = statusOf(error);
  const context = Object.fromEntries(
    told.flatMap((name) => (error.context[name] === undefined ? [] : [[name, error.context[name]] as const])),
  );
  const body = {
    ...context,
    type: `urn:backlight:problem:${error.code}`,
    title: problems[error.code].title,
    status,
    detail: error.message,
    requestId,
  };
  const retryAfter = error.context["retryAfterSeconds"];
  const extra: Record<string, string> = {};
  if (typeof retryAfter === "number") extra["retry-after"] = String(retryAfter);
  else if (status === 503) extra["retry-after"] = String(defaultRetrySeconds);
  if (status === 401) extra["www-authenticate"] = "Bearer";
  return new Response(JSON.stringify(body), { status, headers: hardened({ ...headers, ...extra }) });
}

/** For failures that say nothing of when they end. */
const defaultRetrySeconds = 5;
