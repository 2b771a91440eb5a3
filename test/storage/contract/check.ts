/**
 * @file What a check of the contract is, and the few words they share. Imports no test runner: the same checks run in
 * Node under vitest and, bundled, inside workerd.
 */
import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../../../shared/errors.ts";
import { type Bytes, readObject } from "../../../shared/storage/body.ts";
import type { FoundObject, GetOptions, ObjectStore } from "../../../shared/storage/store.ts";

/** One sentence that must be true of every store. `at` is a prefix nobody else uses, ending at a slash. */
export interface Check {
  readonly name: string;
  /** Too many calls for a local R2, which takes tens of milliseconds for each; left out there. */
  readonly isLong?: true;
  readonly run: (store: ObjectStore, at: string) => Promise<void>;
}

export const type = { contentType: "application/octet-stream" } as const;

export const bytesOf = (text: string): Bytes => new TextEncoder().encode(text);

/** Word by word, unlike `deepEqual`, which takes seconds for a megabyte in workerd. */
export function assertSame(actual: Uint8Array, expected: Uint8Array | undefined): void {
  assert(Buffer.compare(actual, expected ?? new Uint8Array()) === 0, `${actual.length} other bytes were read`);
}

export const readAll = (found: FoundObject): Promise<Bytes> =>
  readObject(found, { bytesMax: 2 ** 26, what: found.info.key });

/** Gets what must be there. */
export async function found(store: ObjectStore, key: string, options?: GetOptions): Promise<FoundObject> {
  const result = await store.get(key, options);
  assert(result?.outcome === "found", `${key} was not found: ${JSON.stringify(result)}`);
  return result;
}

export const textAt = async (store: ObjectStore, key: string, options?: GetOptions): Promise<string> =>
  new TextDecoder().decode(await readAll(await found(store, key, options)));

/** Writes a text that must not exist yet, and gives its ETag. */
export async function write(store: ObjectStore, key: string, text: string): Promise<string> {
  const result = await store.put(key, bytesOf(text), { ...type, onlyIfAbsent: true });
  assert(result.outcome === "written", `${key} was there already`);
  return result.etag;
}

/** The AppError of this code that a promise must fail with. */
export async function fails(work: Promise<unknown>, code: ErrorCode): Promise<AppError> {
  const error = await work.then(
    () => assert.fail(`it succeeded where ${code} was expected`),
    (reason: unknown) => reason,
  );
  assert(error instanceof AppError, `not an AppError: ${error}`);
  assert.equal(error.code, code, error.message);
  return error;
}
