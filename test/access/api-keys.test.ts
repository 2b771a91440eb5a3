/** @file API keys: what is configured, what is presented, what is refused. */
import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { checkApiKey, parseApiKeys, type Scope } from "../../shared/access/api-keys.ts";
import { AppError } from "../../shared/errors.ts";

const digestOf = (key: string): string => createHash("sha256").update(key).digest("hex");
const alice = randomBytes(32).toString("hex");
const bob = randomBytes(24).toString("base64");

async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  const error: unknown = await promise.catch((reason: unknown) => reason);
  if (error instanceof AppError && error.code === "access-denied") return error.context["reason"];
  throw error;
}

describe("configured API keys", () => {
  it("are ids, digests and scopes; without scopes a key may do everything", async () => {
    const keys = await parseApiKeys(` alice:${digestOf(alice)}, bob:${digestOf(bob).toUpperCase()}:read+sweep ,`);
    expect(keys.map(({ id, scopes }) => [id, [...scopes]])).toEqual([
      ["alice", ["read", "write", "sweep"]],
      ["bob", ["read", "sweep"]],
    ]);
  });

  it("may be none, and then nobody has one", async () => {
    for (const text of [undefined, "", " , "]) {
      const keys = await parseApiKeys(text);
      expect(keys).toEqual([]);
      expect(await reasonOf(checkApiKey(keys, `Bearer ${alice}`, "read"))).toBe("unknown-key");
    }
  });

  it.each([
    ["a bare digest", digestOf(alice), '"2"'],
    ["a bare key", alice, '"2"'],
    ["an id with a blank", `a b:${digestOf(alice)}`, '"2"'],
    ["an empty id", `:${digestOf(alice)}`, '"2"'],
    ["an id that is too long", `${"a".repeat(33)}:${digestOf(alice)}`, '"2"'],
    ["the key instead of its digest", `carol:${bob}`, "not id:sha256"],
    ["a digest too short", `carol:${digestOf(alice).slice(2)}`, "not id:sha256"],
    ["a digest too long", `carol:${digestOf(alice)}00`, "not id:sha256"],
    ["no digest", "carol:", "not id:sha256"],
    ["a part too many", `carol:${digestOf(alice)}:read:write`, "not id:sha256"],
    ["an unknown scope", `carol:${digestOf(alice)}:read+admin`, 'scopes "read+admin"'],
    ["an empty scope", `carol:${digestOf(alice)}:`, 'scopes ""'],
    ["an inherited name as scope", `carol:${digestOf(alice)}:constructor`, 'scopes "constructor"'],
    ["zeros for a digest", `carol:${"0".repeat(64)}`, "not the digest of a key"],
    ["a pattern for a digest", `carol:${"0123456789abcdef".slice(0, 8).repeat(8)}`, "not the digest of a key"],
    ["an id used twice", `first:${digestOf(alice)}`, "the id is used twice"],
    ["one key under two ids", `carol:${digestOf(bob)}`, 'the same key as "first"'],
  ])("are refused with %s", async (_what, entry, why) => {
    const parsing = parseApiKeys(`first:${digestOf(bob)}, ${entry}`);
    await expect(parsing).rejects.toMatchObject({ code: "config-invalid" });
    await expect(parsing).rejects.toThrow("BACKLIGHT_API_KEYS");
    await expect(parsing).rejects.toThrow(why);
    await expect(parsing).rejects.not.toThrow(alice);
  });

  it.each(["", "secret", "changeme", "MY_SECURE_KEY", "password", "test", "your-api-key"])(
    "are refused if the key is the placeholder %j",
    async (key) => {
      await expect(parseApiKeys(`a:${digestOf(key)}`)).rejects.toThrow("the digest of a placeholder");
    },
  );
});

describe("a presented API key", () => {
  const configured = parseApiKeys(`alice:${digestOf(alice)},bob:${digestOf(bob)}:read`);

  it("is found by its digest, whichever it is", async () => {
    const keys = await configured;
    expect((await checkApiKey(keys, `Bearer ${alice}`, "sweep")).id).toBe("alice");
    expect((await checkApiKey(keys, `bearer  ${bob} `, "read")).id).toBe("bob");
  });

  it("needs the scope", async () => {
    const keys = await configured;
    for (const scope of ["write", "sweep"] satisfies Scope[]) {
      const check = checkApiKey(keys, `Bearer ${bob}`, scope);
      expect(await reasonOf(check)).toBe("scope");
      await expect(check).rejects.toThrow(`cannot allow this request: key "bob" does not have the scope "${scope}"`);
    }
  });

  it.each([
    ["nothing", null, "missing-key"],
    ["no header", undefined, "missing-key"],
    ["an empty header", "", "missing-key"],
    ["Basic", `Basic ${alice}`, "missing-key"],
    ["the key alone", alice, "missing-key"],
    ["Bearer alone", "Bearer ", "missing-key"],
    ["two keys", `Bearer ${alice} ${bob}`, "missing-key"],
    ["a list", `Bearer ${alice},Bearer ${bob}`, "missing-key"],
    ["another key", `Bearer ${"f".repeat(64)}`, "unknown-key"],
    ["its digest", `Bearer ${digestOf(alice)}`, "unknown-key"],
    ["its beginning", `Bearer ${alice.slice(0, -1)}`, "unknown-key"],
    ["one character more", `Bearer ${alice}0`, "unknown-key"],
    ["other case", `Bearer ${bob.toLowerCase()}`, "unknown-key"],
    ["a megabyte", `Bearer ${"a".repeat(2 ** 20)}`, "unknown-key"],
  ])("is refused as %s", async (_what, header, reason) => {
    const check = checkApiKey(await configured, header, "read");
    expect(await reasonOf(check)).toBe(reason);
    await expect(check).rejects.not.toThrow(alice);
  });

  it("has at least 32 characters, even if its digest was configured", async () => {
    const short = "Tr0ub4dor&3-horse-battery";
    const keys = await parseApiKeys(`short:${digestOf(short)}`);
    const check = checkApiKey(keys, `Bearer ${short}`, "read");
    expect(await reasonOf(check)).toBe("unknown-key");
    await expect(check).rejects.toThrow("API keys have 32 to 512 characters");
  });
});
