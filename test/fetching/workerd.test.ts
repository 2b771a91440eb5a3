/** @file The table of spellings and the badly behaved servers once more, in workerd with the deployed settings. */
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Stack, startStack } from "../../infra/stack/stack.ts";
import type { Outcome, Question } from "./fixture/worker.ts";
import { bytesMax, deadlineOf, longMs, routes, serveRoutes } from "./routes.ts";
import { startHttp, type TestServer } from "./servers.ts";
import { spellings, tablePolicy } from "./spellings.ts";

let stack: Stack;
let server: TestServer;
let stranger: TestServer;

beforeAll(async () => {
  server = await startHttp(serveRoutes);
  stranger = await startHttp(serveRoutes);
  stack = await startStack({ entry: path.join(import.meta.dirname, "fixture/worker.ts") });
});
afterAll(async () => {
  await stack.stop();
  await server.close();
  await stranger.close();
});

async function ask(question: Question): Promise<readonly Outcome[]> {
  const response = await stack.fetch("/", { method: "POST", body: JSON.stringify(question) });
  // What the fixture answers.
  return (await response.json()) as readonly Outcome[];
}

describe("in workerd", () => {
  it("every spelling means what it means in Node", async () => {
    const outcomes = await ask({ policy: tablePolicy, check: spellings.map(({ url }) => url) });
    const got = outcomes.map((outcome, i) => ({
      what: spellings[i]?.what,
      gives: "reason" in outcome ? outcome.reason : { href: outcome.href },
    }));
    expect(got).toEqual(spellings.map(({ what, gives }) => ({ what, gives })));
  });

  it.each(Object.entries(routes))("fetching meets %s as it does in Node", async (route, { gives }) => {
    const deadlineMs = deadlineOf({ gives });
    const [outcome] = await ask({ policy: server.origin, fetch: [server.origin + route], bytesMax, deadlineMs });
    const expected = {
      ok: { href: server.origin + route, size: route === "/full" ? bytesMax : 5000 },
      "image-unreadable": { code: "image-unreadable" },
    };
    if (gives === "ok" || gives === "image-unreadable") expect(outcome).toEqual(expected[gives]);
    else if (typeof gives === "string") expect(outcome).toEqual({ code: "fetch-failed", reason: gives });
    else expect(outcome).toEqual({ code: "fetch-failed", reason: "status", status: gives.status });
  });

  it("redirects are followed within the policy and refused beyond it", async () => {
    const to = (location: string): string => `${server.origin}/to/302?${encodeURIComponent(location)}`;
    const urls = ["/image", "../image", to("/image"), `${stranger.origin}/image`, "//user@127.0.0.1/", "/\\evil.test/"];
    const outcomes = await ask({
      policy: server.origin,
      fetch: [...urls.map(to), `${server.origin}/hops/9`],
      bytesMax,
      deadlineMs: longMs,
    });
    const image = { href: `${server.origin}/image`, size: 5000 };
    const refused = (reason: string) => ({ code: "url-refused", reason });
    expect(outcomes).toEqual([
      image,
      image,
      image,
      refused("not-allowed"),
      refused("credentials"),
      refused("malformed"),
      { code: "fetch-failed", reason: "redirects" },
    ]);
    expect(stranger.connections.total).toBe(0);
  });
});
