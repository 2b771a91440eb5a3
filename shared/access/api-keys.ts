/** @file API keys: who may write and sweep. Only digests of keys are configured; a key itself is never stored. */
import { AppError } from "../errors.ts";
import { equalBytes, fromHex, invalidEntry, readEntries, sha256 } from "./config.ts";

/** The environment variable the digests come from. */
export const API_KEYS_VARIABLE = "BACKLIGHT_API_KEYS";

/** What a key allows: `read` explanations, `write` images and explanations of them, start and stop a `sweep`. */
export type Scope = "read" | "write" | "sweep";

const scopes: readonly Scope[] = ["read", "write", "sweep"];

/** One key, known by its SHA-256. `id` is for logs. */
export interface ApiKey {
  readonly id: string;
  readonly digest: Uint8Array;
  readonly scopes: ReadonlySet<Scope>;
}

/** All keys of a deployment; none means that nobody has a key. */
export type ApiKeys = readonly ApiKey[];

/** Why a key was not accepted, as `context.reason`: 401 for the first two, 403 for `scope`. */
export type KeyRefusal = "missing-key" | "unknown-key" | "scope";

/** A plain SHA-256 is no password hash: it protects only what nobody can guess, as 32 random digits or letters. */
const KEY_LENGTH_MIN = 32;
/** Beyond it a header is not hashed at all. */
const KEY_LENGTH_MAX = 512;

/** What people leave standing in examples. Their digests are refused, as is that of nothing at all. */
const placeholders = [
  "",
  "key",
  "my-key",
  "mykey",
  "MY_SECURE_KEY",
  "api-key",
  "apikey",
  "secret",
  "changeme",
  "change-me",
  "password",
  "test",
  "example",
  "demo",
  "admin",
  "token",
  "default",
  "placeholder",
  "todo",
  "xxx",
  "123456",
  "KEY",
  "your-key-here",
  "your-api-key",
  "insert-key-here",
];

/**
 * Reads `id:sha256` or `id:sha256:scope+scope`, comma-separated; without scopes a key may do everything. Throws
 * `config-invalid` for malformed or repeated entries and for digests of well-known placeholders.
 */
export async function parseApiKeys(text: string | undefined): Promise<ApiKeys> {
  const keys = readEntries(text, API_KEYS_VARIABLE).map(({ id, value }) => parseApiKey(id, value));
  const known = await Promise.all(placeholders.map(sha256));
  for (const [index, { id, digest }] of keys.entries()) {
    if (known.some((placeholder) => equalBytes(placeholder, digest))) {
      throw invalidEntry(API_KEYS_VARIABLE, id, "it is the digest of a placeholder; make a random key");
    }
    const first = keys.findIndex((key) => equalBytes(key.digest, digest));
    if (first !== index) throw invalidEntry(API_KEYS_VARIABLE, id, `it is the same key as "${keys[first]?.id}"`);
  }
  return keys;
}

function parseApiKey(id: string, value: string): ApiKey {
  const [hex = "", list = scopes.join("+"), ...rest] = value.split(":");
  const digest = fromHex(hex);
  if (digest?.length !== 32 || rest.length > 0) {
    throw invalidEntry(API_KEYS_VARIABLE, id, "it is not id:sha256 or id:sha256:scopes, with 64 hexadecimal digits");
  }
  if (new Set(digest).size < 8) throw invalidEntry(API_KEYS_VARIABLE, id, "it is not the digest of a key");
  const named = list.split("+").map((name) => scopes.find((scope) => scope === name));
  const granted = named.filter((scope) => scope !== undefined);
  if (granted.length < named.length) {
    throw invalidEntry(API_KEYS_VARIABLE, id, `the scopes "${list}" are not a list such as ${scopes.join("+")}`);
  }
  return { id, digest, scopes: new Set(granted) };
}

/**
 * Finds the key of an `Authorization: Bearer …` header (its value is given) and checks that it has the scope. Every
 * configured key is compared, each in constant time. Throws `access-denied` with `context.reason`, a `KeyRefusal`.
 */
export async function checkApiKey(
  keys: ApiKeys,
  authorization: string | null | undefined,
  scope: Scope,
): Promise<ApiKey> {
  const denied = (reason: KeyRefusal, why: string): AppError =>
    new AppError("access-denied", `cannot allow this request: ${why}`, { reason, scope });
  const presented = /^Bearer +(\S+)$/i.exec(authorization?.trim() ?? "")?.[1];
  if (presented === undefined) {
    throw denied("missing-key", 'it needs an API key; send "Authorization: Bearer KEY"');
  }
  if (presented.length < KEY_LENGTH_MIN || presented.length > KEY_LENGTH_MAX) {
    throw denied("unknown-key", `API keys have ${KEY_LENGTH_MIN} to ${KEY_LENGTH_MAX} characters, this one does not`);
  }
  const digest = await sha256(presented);
  // A filter, not a find: the time must not tell which key was nearly met.
  const [found] = keys.filter((key) => equalBytes(key.digest, digest));
  if (found === undefined) throw denied("unknown-key", "its API key is not one of this deployment's");
  if (!found.scopes.has(scope)) throw denied("scope", `key "${found.id}" does not have the scope "${scope}"`);
  return found;
}
