/** @file Signed URLs against HMACs computed independently, by node:crypto over strings written out here. */
import { createHmac, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  isSigned,
  LIFETIME_SECONDS_MAX,
  parseSigningKeys,
  type SigningKeys,
  signingKey,
  signUrl,
  verifyUrl,
} from "../../shared/access/signed-url.ts";
import { AppError } from "../../shared/errors.ts";

const now = 1_796_000_000;
const expires = now + 3600;
const exampleSecret = Uint8Array.from({ length: 32 }, (_, i) => i);
const [old, current] = [randomBytes(32), randomBytes(48)];
const keys = parseSigningKeys(`new:${current.toString("hex")}, old:${old.toString("hex")}`);

const hmac = (secret: Uint8Array, ...lines: readonly string[]): string =>
  createHmac("sha256", secret).update(lines.join("\n")).digest("hex");

async function refused(of: SigningKeys, url: URL, method = "GET", at = now): Promise<AppError> {
  const error: unknown = await verifyUrl(of, { method, url, now: at }).catch((reason: unknown) => reason);
  if (error instanceof AppError && error.code === "access-denied") return error;
  throw error;
}
const reasonOf = async (url: URL, method = "GET", at = now): Promise<unknown> =>
  (await refused(await keys, url, method, at)).context["reason"];

const explain = new URL("https://edge.example/v1/explain?url=https://images.example.com/a b.jpg&view=overlay");
const signed = async (url = explain, method = "GET"): Promise<URL> =>
  signUrl(await keys, { method, url, now, expires });

describe("a signed URL", () => {
  it("is the worked example of the documentation", async () => {
    const example = [await signingKey("k1", exampleSecret)];
    const until = Date.UTC(2026, 11, 1) / 1000;
    const url = new URL("https://edge.example/v1/explain?view=overlay&url=https://images.example.com/a b.jpg");
    const result = await signUrl(example, { method: "GET", url, now: until - 60, expires: until });
    const query = "expires=1796083200&kid=k1&url=https%3A%2F%2Fimages.example.com%2Fa%20b.jpg&view=overlay";
    const expected = hmac(exampleSecret, "GET", "/v1/explain", query);
    expect(expected).toBe("f9b7ed51492289a68d32b331e59ac6e73bd3e54927ceb4b40337dc1d76ce7ecb");
    expect(result.searchParams.get("signature")).toBe(expected);
    expect([result.searchParams.get("expires"), result.searchParams.get("kid")]).toEqual(["1796083200", "k1"]);
  });

  it.each([
    ["no query", "/v1/models", "expires=E&kid=new"],
    ["an empty query", "/v1/models?", "expires=E&kid=new"],
    ["order of names", "/v1/explain?z=1&a=2&M=3", "M=3&a=2&expires=E&kid=new&z=1"],
    ["blanks as plus and as %20", "/x?a=1+2&b=1%202", "a=1%202&b=1%202&expires=E&kid=new"],
    ["a plus", "/x?a=1%2B2", "a=1%2B2&expires=E&kid=new"],
    ["empty and absent values", "/x?a=&b", "a=&b=&expires=E&kid=new"],
    ["marks that stay and marks that do not", "/x?a=-._~!'()*", "a=-._~%21%27%28%29%2A&expires=E&kid=new"],
    ["Unicode", "/x?a=\u00e9\u{1f600}", "a=%C3%A9%F0%9F%98%80&expires=E&kid=new"],
    ["escapes in lower case", "/x?a=%c3%a9", "a=%C3%A9&expires=E&kid=new"],
    ["separators inside a value", "/x?a=b%26c%3Dd%0Ae", "a=b%26c%3Dd%0Ae&expires=E&kid=new"],
    ["a name with an equals sign", "/x?a%3Db=c", "a%3Db=c&expires=E&kid=new"],
    ["empty parameters", "/x?&&a=1&", "a=1&expires=E&kid=new"],
  ])("signs the canonical form: %s", async (_what, target, query) => {
    const url = await signed(new URL(target, "https://edge.example"));
    const lines = ["GET", url.pathname, query.replace("=E", `=${expires}`)];
    expect(url.searchParams.get("signature")).toBe(hmac(current, ...lines));
    expect(await verifyUrl(await keys, { method: "GET", url, now })).toEqual({ kid: "new", expires });
  });

  it("keeps the path as the URL parser writes it, and the host out", async () => {
    const url = await signed(new URL("https://edge.example/v1/ä/../b%2fc"));
    expect(url.searchParams.get("signature")).toBe(hmac(current, "GET", "/v1/b%2fc", `expires=${expires}&kid=new`));
    url.host = "other.example:8443";
    await expect(verifyUrl(await keys, { method: "GET", url, now })).resolves.toMatchObject({ kid: "new" });
  });

  it("leaves the given URL as it was", async () => {
    const before = explain.href;
    await signed();
    expect(explain.href).toBe(before);
  });

  it("is accepted for HEAD as for GET, whatever the case of the method, and for no other method", async () => {
    const url = await signed();
    for (const method of ["GET", "HEAD", "get"]) await verifyUrl(await keys, { method, url, now });
    for (const method of ["POST", "PUT", "DELETE"]) expect(await reasonOf(url, method)).toBe("wrong-signature");
  });

  it("survives a proxy that orders and encodes the query its own way", async () => {
    const url = await signed();
    const parameters = [...url.searchParams].reverse();
    const rewritten = new URL(url.pathname, url);
    rewritten.search = parameters
      .map(([name, value]) => `${name}=${encodeURIComponent(value).toLowerCase().replace("%20", "+")}`)
      .join("&");
    expect(rewritten.search).not.toBe(url.search);
    await verifyUrl(await keys, { method: "GET", url: rewritten, now });
  });

  it("is refused when anything in it is changed, added or taken away", async () => {
    const good = await signed();
    const changes: readonly ((url: URL) => void)[] = [
      (url) => url.searchParams.set("url", "https://images.example.com/b.jpg"),
      (url) => url.searchParams.set("view", "overlay "),
      (url) => url.searchParams.set("expires", String(expires + 1)),
      (url) => url.searchParams.set("kid", "old"),
      (url) => url.searchParams.append("model", "other"),
      (url) => url.searchParams.delete("view"),
      (url) => {
        url.pathname = "/v1/models";
      },
      (url) => {
        url.pathname += "/";
      },
    ];
    for (const change of changes) {
      const url = new URL(good);
      change(url);
      expect(await reasonOf(url), url.href).toBe("wrong-signature");
    }
    const flipped = new URL(good);
    const signature = good.searchParams.get("signature") ?? "";
    for (const i of [0, 31, 63]) {
      const digit = ((Number.parseInt(signature[i] ?? "", 16) + 1) % 16).toString(16);
      flipped.searchParams.set("signature", signature.slice(0, i) + digit + signature.slice(i + 1));
      expect(await reasonOf(flipped)).toBe("wrong-signature");
    }
  });

  it("is refused with its own reason when it cannot be read", async () => {
    const tries: readonly (readonly [reason: string, change: (url: URL) => void])[] = [
      ["unsigned", (url) => url.searchParams.delete("signature")],
      ["unsigned", (url) => url.searchParams.delete("expires")],
      ["unsigned", (url) => url.searchParams.set("kid", "")],
      ["duplicate-parameter", (url) => url.searchParams.append("view", "overlay")],
      ["duplicate-parameter", (url) => url.searchParams.append("view", "heatmap")],
      ["duplicate-parameter", (url) => url.searchParams.append("expires", String(expires))],
      ["duplicate-parameter", (url) => url.searchParams.append("signature", "0".repeat(64))],
      ["malformed", (url) => url.searchParams.set("signature", "0".repeat(63))],
      ["malformed", (url) => url.searchParams.set("signature", "0".repeat(66))],
      ["malformed", (url) => url.searchParams.set("signature", "G".repeat(64))],
      [
        "malformed",
        (url) => url.searchParams.set("signature", (url.searchParams.get("signature") ?? "").toUpperCase()),
      ],
      ["malformed", (url) => url.searchParams.set("expires", "1e12")],
      ["malformed", (url) => url.searchParams.set("expires", `0${expires}`)],
      ["malformed", (url) => url.searchParams.set("expires", "-1")],
      ["malformed", (url) => url.searchParams.set("expires", "9".repeat(13))],
      ["malformed", (url) => url.searchParams.set("kid", "new\nforged")],
      ["unknown-kid", (url) => url.searchParams.set("kid", "gone")],
      ["unknown-kid", (url) => url.searchParams.set("kid", "NEW")],
      [
        "malformed",
        (url) => {
          url.search += "&a=%ff";
        },
      ],
    ];
    for (const [reason, change] of tries) {
      const url = await signed();
      change(url);
      expect(await reasonOf(url), url.href).toBe(reason);
    }
  });

  it("names all that is missing from an unsigned one", async () => {
    const error = await refused(await keys, explain);
    expect(error.message).toBe('cannot accept this URL\'s signature: it lacks "expires" and "kid" and "signature"');
    expect([isSigned(explain), isSigned(await signed()), isSigned(new URL("https://a.test/?kid"))]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("expires at its second, and says when that was and what time it is", async () => {
    const url = await signed();
    await verifyUrl(await keys, { method: "GET", url, now: expires - 1 });
    const error = await refused(await keys, url, "GET", expires);
    expect(error.context).toEqual({ reason: "expired", expires, now: expires });
    expect((await refused(await keys, url, "GET", expires + 90)).message).toBe(
      "cannot accept this URL's signature: it expires at 2026-11-30T01:53:20Z, it is now 2026-11-30T01:54:50Z",
    );
  });

  it("lives for seven days at most, whoever signed it", async () => {
    const [first] = await keys;
    const longest = now + LIFETIME_SECONDS_MAX;
    const request = { method: "GET", url: explain, now };
    await verifyUrl(await keys, { ...request, url: await signUrl(await keys, { ...request, expires: longest }) });
    for (const wrong of [longest + 1, now, now - 1, now + 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(signUrl(await keys, { ...request, expires: wrong })).rejects.toMatchObject({
        code: "request-invalid",
      });
    }
    const query = `expires=${longest + 1}&kid=${first?.kid}`;
    const url = new URL(`https://edge.example/x?${query}&signature=${hmac(current, "GET", "/x", query)}`);
    expect(await reasonOf(url)).toBe("too-long-lived");
    // Not a word about time to who cannot sign.
    url.searchParams.set("signature", "0".repeat(64));
    expect(await reasonOf(url)).toBe("wrong-signature");
  });

  it("cannot be made twice over, of an ambiguous query, or without a key", async () => {
    const request = { method: "GET", now, expires };
    const invalid = { code: "request-invalid" };
    await expect(signUrl(await keys, { ...request, url: await signed() })).rejects.toMatchObject(invalid);
    for (const query of ["a=1&a=1", "a=%ff", "kid=x"]) {
      const url = new URL(`https://edge.example/?${query}`);
      await expect(signUrl(await keys, { ...request, url }), query).rejects.toMatchObject(invalid);
    }
    await expect(signUrl([], { ...request, url: explain })).rejects.toThrow("BACKLIGHT_SIGNING_KEYS is empty");
  });
});

describe("signing keys", () => {
  it("are rotated: the first signs, the others still verify until they are taken out", async () => {
    const [hexOld, hexNew] = [old.toString("hex"), current.toString("hex")];
    const before = await parseSigningKeys(`old:${hexOld}`);
    const during = await parseSigningKeys(`new:${hexNew},old:${hexOld}`);
    const after = await parseSigningKeys(`new:${hexNew}`);
    const request = { method: "GET", url: explain, now };
    const url = await signUrl(before, { ...request, expires });
    await expect(verifyUrl(during, { ...request, url })).resolves.toMatchObject({ kid: "old" });
    expect((await signUrl(during, { ...request, expires })).searchParams.get("kid")).toBe("new");
    expect((await refused(after, url)).message).toContain('there is no key "old"; it may have been retired');
  });

  it("do not verify under another's id", async () => {
    const swapped = await parseSigningKeys(`old:${current.toString("hex")},new:${old.toString("hex")}`);
    expect((await refused(swapped, await signed())).context["reason"]).toBe("wrong-signature");
  });

  it("may be none, and then nothing is accepted", async () => {
    for (const text of [undefined, "", ","]) {
      expect(await parseSigningKeys(text)).toEqual([]);
      expect((await refused([], await signed())).context["reason"]).toBe("unknown-kid");
    }
  });

  it.each([
    ["a bare key", "00".repeat(32), "not id:value"],
    ["no hexadecimal", `k:${"xy".repeat(32)}`, "not hexadecimal"],
    ["half a byte", `k:${current.toString("hex")}0`, "not hexadecimal"],
    ["31 bytes", `k:${current.toString("hex").slice(0, 62)}`, "31 bytes, fewer than 32"],
    ["nothing", "k:", "0 bytes, fewer than 32"],
    ["zeros", `k:${"00".repeat(32)}`, "a placeholder"],
    ["a pattern", `k:${"deadbeef".repeat(8)}`, "a placeholder"],
    ["text in hexadecimal", `k:${Buffer.from("MY_SECURE_KEY".repeat(3)).toString("hex")}`, "a placeholder"],
    ["the example of the documentation", `k:${Buffer.from(exampleSecret).toString("hex")}`, "a placeholder"],
    ["an id used twice", `first:${current.toString("hex")}`, "the id is used twice"],
  ])("are refused with %s", async (_what, entry, why) => {
    const parsing = parseSigningKeys(`first:${old.toString("hex")},${entry}`);
    await expect(parsing).rejects.toMatchObject({ code: "config-invalid" });
    await expect(parsing).rejects.toThrow(why);
    await expect(parsing).rejects.not.toThrow(current.toString("hex").slice(0, 16));
  });
});
