/** @file Going through pages: every object once, and no page asked for too early. */
import { describe, expect, it } from "vitest";
import { listAll } from "../../shared/storage/list-all.ts";
import { write } from "./contract/check.ts";
import { temporaryStore } from "./temporary-store.ts";

const open = temporaryStore();

describe("listing all", () => {
  it("goes through short pages, and asks for the next when one is used up", async () => {
    const names = ["p/a", "p/b", "p/c", "p/d", "p/e"];
    for (const name of [...names, "q"]) await write(open(), name, name);
    let pages = 0;
    const short = {
      ...open(),
      list: (options: Parameters<ReturnType<typeof open>["list"]>[0]) => {
        pages += 1;
        return open().list({ ...options, limit: 2 });
      },
    };
    const seen: [string, number][] = [];
    for await (const { key } of listAll(short, { prefix: "p/", startAfter: "p/a" })) seen.push([key, pages]);
    expect(seen).toEqual([
      ["p/b", 1],
      ["p/c", 1],
      ["p/d", 2],
      ["p/e", 2],
    ]);
    for await (const { key } of listAll(short, { prefix: "none/" })) throw new Error(key);
    await expect(listAll(short, { prefix: "p/", signal: AbortSignal.abort() }).next()).rejects.toThrow("cancelled");
  });
});
