/** @file The operator's list: what it means, and what it refuses to mean. */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { matchesSource, parsePolicy } from "../../shared/fetching/policy.ts";

const covers = (entry: string, url: string): boolean =>
  parsePolicy(entry).sources.some((source) => matchesSource(source, new URL(url)));

describe("the list of allowed sources", () => {
  it("reads origins, wildcards, ports and paths", () => {
    expect(
      parsePolicy(" https://Images.Example.com , https://*.example.org:8443/photos/,http://127.0.0.1:8787 "),
    ).toEqual({
      sources: [
        {
          text: "https://Images.Example.com",
          scheme: "https:",
          host: "images.example.com",
          subdomains: false,
          port: "",
          path: "/",
        },
        {
          text: "https://*.example.org:8443/photos/",
          scheme: "https:",
          host: "example.org",
          subdomains: true,
          port: "8443",
          path: "/photos/",
        },
        {
          text: "http://127.0.0.1:8787",
          scheme: "http:",
          host: "127.0.0.1",
          subdomains: false,
          port: "8787",
          path: "/",
        },
      ],
    });
  });

  it("is empty where nothing is configured", () => {
    for (const text of [undefined, "", "  ", ",", " , "]) expect(parsePolicy(text).sources).toEqual([]);
  });

  it("compares parsed hosts, so an entry without a slash covers neither userinfo nor a longer host", () => {
    expect(covers("http://example.com", "http://example.com/a.jpg")).toBe(true);
    expect(covers("http://example.com", "http://example.com@evil.test/")).toBe(false);
    expect(covers("http://example.com", "http://example.com.evil.test/")).toBe(false);
  });

  it("takes no part of a host for a pattern: a dot is a dot", () => {
    expect(covers("https://a.example.com", "https://aXexample.com/")).toBe(false);
    expect(covers("https://a.example.com", "https://evil.test/?https://a.example.com/")).toBe(false);
  });

  it("reads the path of an entry with and without its last slash alike", () => {
    for (const entry of ["https://a.test/photos", "https://a.test/photos/"]) {
      expect(covers(entry, "https://a.test/photos/x.jpg")).toBe(true);
      expect(covers(entry, "https://a.test/photosx/x.jpg")).toBe(false);
      expect(covers(entry, "https://a.test/")).toBe(false);
    }
  });

  it("lets escapes in a path be where no path was asked for", () => {
    expect(covers("https://a.test", "https://a.test/..%2fx")).toBe(true);
    expect(covers("https://a.test/photos", "https://a.test/photos/100%25.jpg")).toBe(true);
    expect(covers("https://a.test/photos", "https://a.test/photos/..%2fx")).toBe(false);
  });

  it.each([
    ["images.example.com", "does not begin with https:// or http://"],
    ["*.example.org", "does not begin with https:// or http://"],
    ["*", "does not begin with https:// or http://"],
    ["https://*", '"*" is not a host name'],
    ["https://*.org", '"*.org" is too wide'],
    ["https://*.localhost", "too wide"],
    ["https://*.0.0.1", "another spelling"],
    ["https://*.10.0.0.1", "too wide"],
    ["https://a.*.example.org", "is not a host name"],
    ["https://*a.example.org", "is not a host name"],
    ["https://**.example.org", "is not a host name"],
    ["ftp://images.example.com", "does not begin with"],
    ["https://user@images.example.com", "user name or password"],
    ["https://images.example.com/?a=b", "a query or fragment cannot be matched"],
    ["https://images.example.com/#a", "a query or fragment cannot be matched"],
    ["https://images.example.com.", "ends in a dot"],
    ["https://images.example.com:99999", "its host or port is malformed"],
    ["https://images.example.com https://b.example", "a blank"],
    ["http://2130706433", "in another spelling"],
    ["http://[::ffff:127.0.0.1]", "in another spelling"],
    ["https://", "two slashes and a host"],
  ])("refuses the entry %j", (entry, why) => {
    const parse = () => parsePolicy(`https://good.example, ${entry}`);
    expect(parse).toThrow(AppError);
    expect(parse).toThrow(expect.objectContaining({ code: "config-invalid", context: { entry } }));
    expect(parse).toThrow(`cannot use "${entry}" in BACKLIGHT_ALLOWED_URLS`);
    expect(parse).toThrow(why);
  });
});
