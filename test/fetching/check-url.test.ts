/** @file The table of spellings, redirect targets, and what messages may say. */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { checkUrl, resolveLocation } from "../../shared/fetching/check-url.ts";
import { parsePolicy } from "../../shared/fetching/policy.ts";
import { showUrl } from "../../shared/fetching/strict-url.ts";
import { spellings, tablePolicy } from "./spellings.ts";

const policy = parsePolicy(tablePolicy);

function outcome(text: string): unknown {
  try {
    return { href: checkUrl(policy, text).href };
  } catch (error) {
    if (error instanceof AppError && error.code === "url-refused") return error.context["reason"];
    throw error;
  }
}

describe("the check of a URL", () => {
  it("is tried with enough spellings, none twice", () => {
    expect(spellings.length).toBeGreaterThan(120);
    expect(new Set(spellings.map(({ url }) => url)).size).toBe(spellings.length);
  });

  it.each(spellings)("holds for $what", ({ url, gives }) => {
    expect(outcome(url)).toEqual(gives);
  });

  it("refuses everything while no source is configured, and says which variable to set", () => {
    for (const text of [undefined, "", " , "]) {
      const check = () => checkUrl(parsePolicy(text), "https://images.example.com/a.jpg");
      expect(check).toThrow(/switched off here, as BACKLIGHT_ALLOWED_URLS is empty/);
      expect(check).toThrow(expect.objectContaining({ code: "url-refused" }));
    }
  });

  it("leaves the policy as it was", () => {
    const before = structuredClone(policy);
    for (const { url } of spellings) outcome(url);
    expect(policy).toEqual(before);
  });

  it("never tells the allowed sources, a query, a password or a fragment", () => {
    const texts = [
      "https://user:hunter2@evil.test/a",
      "https://evil.test/?token=hunter2",
      "https://evil.test/#hunter2",
      "https://user:hunter2@[evil/a",
      "https:\\\\user:hunter2@evil.test",
      "//u:hunter2@evil.test/?a@b",
      "data:text/plain,hunter2",
      "https://evil.test\n/?hunter2",
    ];
    for (const text of texts) {
      const refused = expect.objectContaining({ message: expect.not.stringMatching(/hunter2|example/) });
      expect(() => checkUrl(policy, text), text).toThrow(refused);
    }
  });
});

describe("a URL as it is shown", () => {
  it.each([
    ["https://images.example.com/a.jpg?token=1#x", "https://images.example.com/a.jpg"],
    ["https://user:pw@images.example.com/a.jpg", "https://images.example.com/a.jpg"],
    ["https://user:pw@[broken/a?b", "…@[broken/a"],
    ["javascript:alert(document.cookie)", "javascript:…"],
    ["not a url\r\nforged: line\u001b[31m", "not a url\ufffd\ufffdforged: line\ufffd[31m"],
    [`https://images.example.com/${"a".repeat(500)}`, `https://images.example.com/${"a".repeat(173)}…`],
  ])("shows %j as %j", (text, shown) => {
    expect(showUrl(text)).toBe(shown);
  });
});

describe("the target of a redirect", () => {
  const base = new URL("https://images.example.com/a/b.jpg?x=1");

  it.each([
    ["c.jpg", "https://images.example.com/a/c.jpg"],
    ["/c.jpg", "https://images.example.com/c.jpg"],
    ["../../../c.jpg", "https://images.example.com/c.jpg"],
    ["?y=2", "https://images.example.com/a/b.jpg?y=2"],
    ["", "https://images.example.com/a/b.jpg?x=1"],
    ["//evil.test/c.jpg", "https://evil.test/c.jpg"],
    ["https://evil.test/", "https://evil.test/"],
  ])("resolves %j to %j", (location, text) => {
    expect(resolveLocation(base, location)).toBe(text);
  });

  it.each([
    ["/\\evil.test/", "malformed"],
    ["\\\\evil.test/", "malformed"],
    ["/\t/evil.test/", "malformed"],
    ["///evil.test/", "malformed"],
    ["https:evil.jpg", "malformed"],
    ["//user@images.example.com/", "credentials"],
    ["//images.example.com./", "malformed"],
    ["//2130706433:8787/", "ip-literal"],
    ["javascript:alert(1)", "scheme"],
    ["file:///etc/passwd", "scheme"],
  ])("keeps %j recognisable, so that it is refused as %s", (location, reason) => {
    expect(outcome(resolveLocation(base, location))).toBe(reason);
  });
});
