/** @file What the errors of the S3 client mean: which are answers, which pass, which stay; and how long it may wait. */
import { type Fault, textOf } from "./call.ts";
import type { PutOptions } from "./store.ts";

/**
 * Milliseconds a try may wait: for a connection, for the answer to begin, and for the next byte of it. Workerd knows
 * the second only; a caller's signal bounds the rest.
 */
export const timeouts = {
  connectionTimeout: 3_000,
  requestTimeout: 15_000,
  socketTimeout: 15_000,
  throwOnRequestTimeout: true,
};

/** The slowest upload that is waited for, in bytes a millisecond: 1 Mbit/s. */
const slowestUpload = 125;

/** An upload must be through before the answer can begin. */
export const uploadTimeout = (bytes: number): number => timeouts.requestTimeout + bytes / slowestUpload;

/** The HTTP status of an answer that came, else null. */
function statusOf(error: unknown): number | null {
  if (typeof error !== "object" || error === null) return null;
  const metadata: unknown = Reflect.get(error, "$metadata");
  if (typeof metadata !== "object" || metadata === null) return null;
  const status: unknown = Reflect.get(metadata, "httpStatusCode");
  return typeof status === "number" ? status : null;
}

/** A missing bucket is a wrong configuration, not an object that is not there. */
const isMissing = (error: unknown): boolean => statusOf(error) === 404 && textOf(error, "name") !== "NoSuchBucket";

/** The answer of a look-up, or null where there is no such object. */
export async function orMissing<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** The answer of a read, or which of the answers came that the client takes for errors. */
export async function readOutcome<T extends object>(
  answer: Promise<T>,
): Promise<T | "missing" | "not-modified" | "changed" | "past-the-end"> {
  try {
    return await answer;
  } catch (error) {
    if (isMissing(error)) return "missing";
    if (statusOf(error) === 304) return "not-modified";
    if (statusOf(error) === 412) return "changed";
    if (statusOf(error) === 416) return "past-the-end";
    throw error;
  }
}

/** The answer of a write, or which condition it lost to. */
export async function writeOutcome<T extends object>(
  answer: Promise<T>,
  { ifMatch }: PutOptions,
): Promise<T | "exists" | "changed"> {
  try {
    return await answer;
  } catch (error) {
    if (statusOf(error) === 412) return ifMatch === undefined ? "exists" : "changed";
    if (ifMatch !== undefined && isMissing(error)) return "changed";
    throw error;
  }
}

/** The statuses that pass: timeout, conflict of simultaneous writes, overload; and every server fault. */
const passing: readonly number[] = [408, 409, 425, 429];

/** Codes under a 400 that pass: the connection broke while the body was on its way. */
const broken = /^(RequestTimeout|IncompleteBody|ClientDisconnect)$/;

const noCredentials =
  "there are no credentials; set BACKLIGHT_S3_ACCESS_KEY_ID and BACKLIGHT_S3_SECRET_ACCESS_KEY, beside " +
  "BACKLIGHT_S3_ENDPOINT or BACKLIGHT_S3_REGION, or AWS's own";

/**
 * What an error of the client means. Names the S3's own code, never its message: the answer to a wrong signature quotes
 * the key and what was signed.
 */
export function explain(error: unknown): Fault {
  const [status, name] = [statusOf(error), textOf(error, "name") ?? ""];
  if (status === null) {
    // Without an answer it was the network, unless there was nothing to sign with.
    if (name === "CredentialsProviderError") return { why: noCredentials, status, transient: false };
    return {
      why: textOf(error, "code") ?? (/^(Error|)$/.test(name) ? "the connection failed" : name),
      status,
      transient: true,
    };
  }
  const code =
    /^[A-Z][A-Za-z]{1,63}$/.test(name) && !/^(Unknown|Error$)/.test(name)
      ? `${name} (${status})`
      : `HTTP status ${status}`;
  const transient = status >= 500 || passing.includes(status) || broken.test(name);
  return { why: code, status, transient };
}
