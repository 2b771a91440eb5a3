/** @file Fetches an image from an allowed URL: redirects, bytes, time and format bounded. Decodes nothing. */
import { AppError } from "../errors.ts";
import { describeFormat, type ImageFormat, sniffFormat } from "../imaging/sniff.ts";
import { abortable } from "./abortable.ts";
import { checkUrl, resolveLocation } from "./check-url.ts";
import type { UrlPolicy } from "./policy.ts";
import { showUrl } from "./strict-url.ts";

/** What is asked of a fetch: nothing else is ever sent. */
export interface FetchInit {
  readonly method: "GET";
  readonly headers: Record<string, string>;
  readonly redirect: "manual";
  readonly credentials: "omit";
  readonly referrerPolicy: "no-referrer";
  readonly signal: AbortSignal;
}

/** `globalThis.fetch` is one, and on Node `pinnedFetch`, which also looks at addresses. */
export type FetchFunction = (url: string, init: FetchInit) => Promise<Response>;

/** How an image is fetched. `bytesMax` counts what is received, `deadlineMs` the whole of it, redirects included. */
export interface FetchImageOptions {
  readonly fetch: FetchFunction;
  readonly bytesMax: number;
  readonly deadlineMs?: number;
  readonly redirectsMax?: number;
  readonly signal?: AbortSignal;
}

/** The image, the URL it came from in the end, and the URLs asked on the way (the last is `finalUrl`). */
export interface FetchedImage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly format: ImageFormat;
  readonly finalUrl: string;
  readonly hops: readonly string[];
}

/** What went wrong at the far end, as `context.reason` of a `fetch-failed`. */
export type FetchFailure = "status" | "redirects" | "encoding" | "too-large" | "timeout" | "network";

/** A few megabytes over a slow link; beyond it a caller has given up. */
const DEADLINE_MS = 10_000;
/** http to https, to a canonical host, to a mirror: what honest image links need. */
const REDIRECTS_MAX = 3;
/** `describeFormat` looks no further, so a body that is no image is left after this many bytes. */
const SNIFF_BYTES = 1024;

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * The same for every request: nothing of our caller's, no cookies, no referrer, no authorization. Compressed bodies are
 * asked not to come, as their size says nothing about what they unpack to.
 */
const init = {
  method: "GET",
  headers: {
    accept: "image/webp,image/png,image/jpeg",
    "accept-encoding": "identity",
    "user-agent": "backlight",
  },
  redirect: "manual",
  credentials: "omit",
  referrerPolicy: "no-referrer",
} as const;

const failed = (url: string, reason: FetchFailure, why: string, context: object = {}, cause?: unknown): AppError =>
  new AppError(
    "fetch-failed",
    `cannot fetch "${showUrl(url)}": ${why}`,
    { reason, url: showUrl(url), ...context },
    { cause },
  );

/**
 * Fetches an image. Every hop of a redirect passes the whole policy, and what arrives must begin as a JPEG, PNG or WebP
 * whatever its content type says. Throws `url-refused` (the policy, at any hop); `fetch-failed` with `context.reason`,
 * a `FetchFailure`, and the far server's status as `context.originStatus`; `image-unreadable`; and `cancelled` for the
 * caller's signal. The URLs returned hold their queries: show them through `showUrl`.
 */
export async function fetchImage(policy: UrlPolicy, text: string, options: FetchImageOptions): Promise<FetchedImage> {
  const { deadlineMs = DEADLINE_MS, signal: callers } = options;
  const ours = new AbortController();
  const timer = setTimeout(() => ours.abort(), deadlineMs);
  const signal = callers === undefined ? ours.signal : AbortSignal.any([callers, ours.signal]);
  try {
    const { response, hops, finalUrl } = await follow(policy, text, options, signal);
    const bytes = await readBody(response, finalUrl, options.bytesMax, signal);
    return { bytes, format: imageFormat(bytes, finalUrl), finalUrl, hops };
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    if (callers?.aborted) {
      throw new AppError("cancelled", `stopped fetching "${showUrl(text)}": the caller left`, {}, { cause });
    }
    if (ours.signal.aborted)
      throw failed(text, "timeout", `it took longer than ${deadlineMs / 1000} s`, { deadlineMs }, cause);
    throw failed(text, "network", `the connection failed (${rootOf(cause)})`, {}, cause);
  } finally {
    clearTimeout(timer);
    ours.abort(); // closes what a refusal left open
  }
}

/** The code of the innermost error ("ECONNREFUSED"), which names no address; its message where it has no code. */
function rootOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return rootOf(error.cause);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

interface Answer {
  readonly response: Response;
  readonly finalUrl: string;
  readonly hops: readonly string[];
}

async function follow(
  policy: UrlPolicy,
  text: string,
  options: FetchImageOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const { fetch, redirectsMax = REDIRECTS_MAX } = options;
  const hops: string[] = [];
  for (let next = text; ; ) {
    const url = checkHop(policy, next, hops);
    hops.push(url.href);
    const response = await abortable(fetch(url.href, { ...init, signal }), signal);
    if (response.status === 200) return { response, finalUrl: url.href, hops };
    // Not waited for: what is thrown away may take its time.
    void response.body?.cancel().catch(() => undefined);
    const location = redirectStatuses.has(response.status) ? response.headers.get("location") : null;
    if (location === null) {
      throw failed(url.href, "status", `the server answered ${response.status}`, {
        originStatus: response.status,
      });
    }
    if (hops.length > redirectsMax) {
      throw failed(text, "redirects", `it redirects more than ${redirectsMax} times`, { hops: hops.map(showUrl) });
    }
    next = resolveLocation(url, location);
  }
}

/** `checkUrl`, whose refusal of a later hop also tells which server pointed there. */
function checkHop(policy: UrlPolicy, text: string, hops: readonly string[]): URL {
  const from = hops.at(-1);
  if (from === undefined) return checkUrl(policy, text);
  try {
    return checkUrl(policy, text);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    const message = `cannot follow the redirect of "${showUrl(from)}": ${cause.message}`;
    throw new AppError(cause.code, message, { ...cause.context, hops: hops.map(showUrl) }, { cause });
  }
}

/** Reads the body, at most `bytesMax` of it. A length announced in advance can only refuse sooner, never allow more. */
async function readBody(
  response: Response,
  url: string,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const encoding = response.headers.get("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw failed(url, "encoding", `the server sent it compressed ("${encoding}") though asked not to`);
  }
  const tooLarge = (size: string): AppError =>
    failed(url, "too-large", `it has ${size} bytes, only up to ${bytesMax} are taken; scale it down first`, {
      bytesMax,
    });
  const announced = Number(response.headers.get("content-length") ?? 0);
  if (announced > bytesMax) throw tooLarge(String(announced));

  const chunks: Uint8Array[] = [];
  let size = 0;
  let known = false;
  const reader = response.body?.getReader();
  while (reader !== undefined) {
    const { value } = await abortable(reader.read(), signal);
    if (value === undefined) break;
    size += value.byteLength;
    if (size > bytesMax) throw tooLarge(`over ${bytesMax}`);
    chunks.push(value);
    if (!known && size >= SNIFF_BYTES) {
      imageFormat(concatenate(chunks, size), url);
      known = true;
    }
  }
  return concatenate(chunks, size);
}

function concatenate(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

function imageFormat(bytes: Uint8Array, url: string): ImageFormat {
  const format = sniffFormat(bytes);
  if (format !== null) return format;
  throw new AppError(
    "image-unreadable",
    `cannot read "${showUrl(url)}": it is ${describeFormat(bytes)}; give a JPEG, PNG or WebP`,
    { url: showUrl(url) },
  );
}
