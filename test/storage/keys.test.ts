/** @file Which keys, prefixes and metadata are refused, and in which words; the order of keys. */
import { describe, expect, it } from "vitest";
import { checkGet, checkKey, checkList, checkPrefix, checkPut, compareKeys } from "../../shared/storage/keys.ts";

describe("a key", () => {
  it.each([
    ["", "it is empty"],
    ["/a", 'it begins with "/"'],
    ["a/", 'between its slashes, or after the last, there is nothing; write "a/b"'],
    ["a//b", 'between its slashes, or after the last, there is nothing; write "a/b"'],
    ["a/../b", 'it has the segment ".."'],
    [".", 'it has the segment "."'],
    ["a\tb", "it has control characters or is not valid Unicode"],
    ["a\u007f", "it has control characters or is not valid Unicode"],
    ["\udc00a", "it has control characters or is not valid Unicode"],
    ["é".repeat(513), "it has 1026 bytes in UTF-8, of which 1024 are allowed"],
  ])("like %j is refused with the reason", (key, why) => {
    expect(() => checkKey(key)).toThrow(why);
  });

  it("is shown escaped and cut in the message", () => {
    expect(() => checkKey("a\nb")).toThrow('cannot use the key "a\\nb": ');
    expect(() => checkKey("x".repeat(5000))).toThrow(/^cannot use the key "x{189}…": it has 5000 bytes/);
  });

  it.each(["a", "é".repeat(512), "...", "a/.b", "..a/b..", "a b", "a\u00a0", "🐈", " "])("like %j is taken", (key) => {
    expect(() => checkKey(key)).not.toThrow();
  });
});

describe("a prefix", () => {
  it.each(["", "a", "a/", "a/.", "a/..", "images/20"])("like %j is taken", (prefix) => {
    expect(() => checkPrefix(prefix)).not.toThrow();
  });

  it.each(["/", "/a", "a//", "../", "a/./", "a\0"])("like %j is refused", (prefix) => {
    expect(() => checkPrefix(prefix)).toThrow("cannot use the prefix ");
  });
});

describe("options", () => {
  it("are refused in words that name them", () => {
    const put = (options: object) => () => checkPut("a", { contentType: "a/b", ...options });
    expect(put({ metadata: { Note: "x" } })).toThrow('cannot use the metadata name "Note": it must be lower-case');
    expect(put({ metadata: { note: "é" } })).toThrow('cannot use the metadata "note" "é": it must be printable ASCII');
    expect(put({ metadata: { note: "x".repeat(2045) } })).toThrow("its metadata has 2049 bytes, of which 2048");
    expect(put({ contentType: "" })).toThrow('cannot use the header "": it must be printable ASCII');
    expect(put({ onlyIfAbsent: true, ifMatch: "1" })).toThrow("onlyIfAbsent and ifMatch exclude each other");
    expect(put({ metadata: { note: "x".repeat(2044) } })).not.toThrow();
    expect(() => checkGet("a", { range: { offset: 0.5 } })).toThrow("offset 0.5, length undefined");
    expect(() => checkGet("a", { range: { offset: 2 ** 53 } })).toThrow("offset must be a whole number");
    expect(() => checkList({ prefix: "", limit: 1.5 })).toThrow('cannot use the limit "1.5"');
  });
});

describe("the order of keys", () => {
  it("is that of their UTF-8 bytes", () => {
    const keys = ["", "A", "B", "a", "a-", "a/", "a0", "é", "\ufffd", "\u{10000}", "\u{10001}", "\u{10400}"];
    expect(keys.toReversed().sort(compareKeys)).toEqual(keys);
    expect(compareKeys("a/b", "a/b")).toBe(0);
    expect("\ufffd" < "\u{10000}").toBe(false); // JavaScript's own order is another.
  });
});
