/**
 * @file Signed URLs: links anybody may open until they expire. Knows no HTTP; the clock is the caller's.
 *
 * The signature is HMAC-SHA256 over three lines joined by "\n": the method (HEAD counts as GET), the path as the URL
 * parser writes it, and the query without `signature`: parameters sorted by name, name and value percent-encoded but
 * for A-Z a-z 0-9 - . _ ~ (a blank is %20), "=" always, "&" between. The host is not signed, as proxies change it:
 * use one key a deployment. No parameter may appear twice, so no two readers can disagree on its value.
 *
 * With the 32 bytes 00 01 … 1f as key `k1`, GET /v1/explain?view=overlay&url=https://images.example.com/a b.jpg until
 * 2026-12-01T00:00:00Z signs
 *
 *     GET
 *     /v1/explain
 *     expires=1796083200&kid=k1&url=https%3A%2F%2Fimages.example.com%2Fa%20b.jpg&view=overlay
 *
 * and the URL gains expires=1796083200&kid=k1 and, on one line,
 * signature=f9b7ed51492289a68d32b331e59ac6e73bd3e54927ceb4b40337dc1d76ce7ecb
 */
import { toHex } from "../digest.ts";
import { AppError } from "../errors.ts";
import { ENTRY_ID, fromHex, invalidEntry, readEntries } from "./config.ts";

/** The environment variable the keys come from. Unlike API keys these are secrets themselves. */
export const SIGNING_KEYS_VARIABLE = "BACKLIGHT_SIGNING_KEYS";

/** One key and the id that tells in a URL which it was. */
export interface SigningKey {
  readonly kid: string;
  readonly key: CryptoKey;
}

/** The first signs, all verify: that is how keys are rotated. */
export type SigningKeys = readonly SigningKey[];

/** Why a URL was not accepted, as `context.reason`: 401 for `unsigned`, 403 for the others. */
export type SignatureRefusal =
  | "unsigned"
  | "duplicate-parameter"
  | "malformed"
  | "unknown-kid"
  | "wrong-signature"
  | "expired"
  | "too-long-lived";

/** As S3 and R2 have it for presigned URLs. What has to live longer is better published. */
export const LIFETIME_SECONDS_MAX = 7 * 24 * 3600;

/** The output of SHA-256: a longer HMAC key gains nothing, a shorter one could be searched. */
const KEY_BYTES_MIN = 32;
/** Random 32 bytes have fewer distinct values than this once in 10^16 draws; patterns typed by hand do. */
const DISTINCT_BYTES_MIN = 16;
/** The key of the example above. */
const exampleKey = toHex(Uint8Array.from({ length: 32 }, (_, i) => i));

const parameters = ["expires", "kid", "signature"] as const;
const algorithm = { name: "HMAC", hash: "SHA-256" };

/** A key from its bytes, unchecked. */
export async function signingKey(kid: string, bytes: Uint8Array<ArrayBuffer>): Promise<SigningKey> {
  return { kid, key: await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign", "verify"]) };
}

/** Reads `kid:hex, kid:hex`, at least 32 bytes each. Throws `config-invalid` for short, repeated and made-up keys. */
export async function parseSigningKeys(text: string | undefined): Promise<SigningKeys> {
  return Promise.all(
    readEntries(text, SIGNING_KEYS_VARIABLE).map(({ id, value }) => {
      const bytes = fromHex(value);
      if (bytes === undefined) throw invalidEntry(SIGNING_KEYS_VARIABLE, id, "its key is not hexadecimal");
      if (bytes.length < KEY_BYTES_MIN) {
        const why = `its key has ${bytes.length} bytes, fewer than ${KEY_BYTES_MIN}`;
        throw invalidEntry(SIGNING_KEYS_VARIABLE, id, why);
      }
      if (new Set(bytes).size < DISTINCT_BYTES_MIN || toHex(bytes) === exampleKey) {
        throw invalidEntry(SIGNING_KEYS_VARIABLE, id, "its key is a placeholder; make a random one");
      }
      return signingKey(id, bytes);
    }),
  );
}

const denied = (reason: SignatureRefusal, why: string, context: object = {}): AppError =>
  new AppError("access-denied", `cannot accept this URL's signature: ${why}`, { reason, ...context });

/** RFC 3986: only the unreserved characters stay; `encodeURIComponent` leaves five more. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** The bytes that are signed. */
function canonical(method: string, url: URL): Uint8Array<ArrayBuffer> {
  const query = [...url.searchParams]
    .filter(([name]) => name !== "signature")
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
  const verb = method.toUpperCase();
  return new TextEncoder().encode([verb === "HEAD" ? "GET" : verb, url.pathname, query].join("\n"));
}

/** How a query could be read in two ways, or undefined. */
function ambiguity(url: URL): { readonly reason: SignatureRefusal; readonly why: string } | undefined {
  const names = [...url.searchParams.keys()];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    return { reason: "duplicate-parameter", why: `the parameter "${encode(twice).slice(0, 32)}" appears twice` };
  }
  try {
    decodeURIComponent(url.search);
    return undefined;
  } catch {
    // Bytes that are not UTF-8 all read as U+FFFD: one signature would stand for many queries.
    return { reason: "malformed", why: "its query is not percent-encoded UTF-8" };
  }
}

/** Whether a URL claims to be signed: it has one of the three parameters. */
export function isSigned(url: URL): boolean {
  return parameters.some((name) => url.searchParams.has(name));
}

/** A request to sign or verify. `now` and `expires` are unix seconds. */
export interface SignableRequest {
  readonly method: string;
  readonly url: URL;
  readonly now: number;
}

/**
 * The URL with `expires`, `kid` and `signature` added, signed by the first key. Throws `request-invalid` for a URL that
 * is signed already, for a lifetime that is over or above `LIFETIME_SECONDS_MAX`, and where there is no key
 * or the query is ambiguous.
 */
export async function signUrl(
  keys: SigningKeys,
  request: SignableRequest & { readonly expires: number },
): Promise<URL> {
  const { method, now, expires } = request;
  const invalid = (why: string): AppError => new AppError("request-invalid", `cannot sign the URL: ${why}`);
  const [first] = keys;
  if (first === undefined) throw invalid(`${SIGNING_KEYS_VARIABLE} is empty`);
  if (isSigned(request.url)) throw invalid(`it already has one of ${parameters.join(", ")}`);
  const unclear = ambiguity(request.url);
  if (unclear !== undefined) throw invalid(unclear.why);
  if (!Number.isSafeInteger(expires)) throw invalid(`the expiry ${expires} is not a whole number of seconds`);
  if (expires <= now || expires - now > LIFETIME_SECONDS_MAX) {
    throw invalid(`it would live for ${expires - now} s, not 1 to ${LIFETIME_SECONDS_MAX}`);
  }
  const url = new URL(request.url);
  url.searchParams.append("expires", String(expires));
  url.searchParams.append("kid", first.kid);
  const signature = await crypto.subtle.sign("HMAC", first.key, canonical(method, url));
  url.searchParams.append("signature", toHex(new Uint8Array(signature)));
  return url;
}

/**
 * Checks a signed URL and returns the key's id and the expiry. The signature is compared first (by WebCrypto, in
 * constant time), so that the times in a message are those that were signed. Throws `access-denied` with
 * `context.reason`, a `SignatureRefusal`.
 */
export async function verifyUrl(
  keys: SigningKeys,
  { method, url, now }: SignableRequest,
): Promise<{ readonly kid: string; readonly expires: number }> {
  const [expires = "", kid = "", signature = ""] = parameters.map((name) => url.searchParams.get(name) ?? "");
  const missing = parameters.filter((name) => !url.searchParams.get(name));
  if (missing.length > 0) throw denied("unsigned", `it lacks ${missing.map((name) => `"${name}"`).join(" and ")}`);
  const unclear = ambiguity(url);
  if (unclear !== undefined) throw denied(unclear.reason, unclear.why);
  const bytes = /^[0-9a-f]{64}$/.test(signature) ? fromHex(signature) : undefined;
  if (bytes === undefined) throw denied("malformed", '"signature" is not 64 lower-case hexadecimal digits');
  if (!/^[1-9]\d{0,11}$/.test(expires)) throw denied("malformed", '"expires" is not a time in unix seconds');
  if (!ENTRY_ID.test(kid)) throw denied("malformed", '"kid" is not the id of a key');
  const key = keys.find((candidate) => candidate.kid === kid);
  if (key === undefined) throw denied("unknown-kid", `there is no key "${kid}"; it may have been retired`);
  if (!(await crypto.subtle.verify("HMAC", key.key, bytes, canonical(method, url)))) {
    throw denied("wrong-signature", "it does not fit this method, path and query");
  }
  const until = Number(expires);
  const times = `it expires at ${moment(until)}, it is now ${moment(now)}`;
  if (until <= now) throw denied("expired", times, { expires: until, now });
  if (until - now > LIFETIME_SECONDS_MAX) {
    throw denied("too-long-lived", `${times}, and ${LIFETIME_SECONDS_MAX} s is the most`, { expires: until, now });
  }
  return { kid: key.kid, expires: until };
}

const moment = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
