/** @file Fetching from real servers, good and bad: with the platform's fetch and with the pinned one of Node. */
import type http from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pinnedFetch } from "../../functions/node/pinned-fetch.ts";
import { AppError } from "../../shared/errors.ts";
import { fetchImage } from "../../shared/fetching/fetch-image.ts";
import { parsePolicy, type UrlPolicy } from "../../shared/fetching/policy.ts";
import { bytesMax, deadlineOf, longMs, routes, serveRoutes, shortMs } from "./routes.ts";
import { pngOf, startHttp, startRaw, type TestServer } from "./servers.ts";

let server: TestServer;
/** Allowed by no policy here. */
let stranger: TestServer;
let policy: UrlPolicy;

beforeAll(async () => {
  server = await startHttp(serveRoutes);
  stranger = await startHttp(serveRoutes);
  policy = parsePolicy(`${server.origin}, http://localhost:${server.port}`);
});
afterAll(async () => {
  // Connections of the platform's pool may stay open; none may be left in the middle of an answer.
  await server.close();
  await stranger.close();
});

const failure = async (promise: Promise<unknown>): Promise<AppError> => {
  const error: unknown = await promise.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (error instanceof AppError) return error;
  throw error;
};

const fetches = [
  { name: "the platform's fetch", fetchOf: () => globalThis.fetch },
  { name: "the pinned fetch", fetchOf: (of: UrlPolicy) => pinnedFetch({ policy: of }) },
] as const;

describe.each(fetches)("an image fetched with $name", ({ fetchOf }) => {
  const get = (
    url: string,
    options: { signal?: AbortSignal; redirectsMax?: number; deadlineMs?: number; of?: UrlPolicy } = {},
  ) => {
    const { of = policy, ...rest } = options;
    return fetchImage(of, url, { fetch: fetchOf(of), bytesMax, deadlineMs: longMs, ...rest });
  };

  it.each(Object.entries(routes))("meets %s as it should", async (path, route) => {
    const { gives } = route;
    const fetched = get(server.origin + path, { deadlineMs: deadlineOf(route) });
    if (gives === "ok") {
      const { bytes, format, finalUrl, hops } = await fetched;
      expect(bytes).toEqual(pngOf(path === "/full" ? bytesMax : 5000));
      expect({ format, finalUrl, hops }).toEqual({ format: "png", finalUrl: server.origin + path, hops: [finalUrl] });
    } else {
      const error = await failure(fetched);
      const { code, context } = error;
      expect(context["url"]).toBe(server.origin + path);
      expect(error.message).toContain(`"${server.origin}${path}"`);
      if (gives === "image-unreadable") expect(code).toBe(gives);
      else if (typeof gives === "string") expect([code, context["reason"]]).toEqual(["fetch-failed", gives]);
      else expect([code, context["reason"], context["originStatus"]]).toEqual(["fetch-failed", "status", gives.status]);
    }
  });

  it("hangs up on a server that would go on, instead of leaving it to send", async () => {
    const alone = await startHttp(serveRoutes);
    for (const path of ["/endless", "/endless-text", "/endless-error", "/announced", "/drip", "/silent"]) {
      await failure(get(alone.origin + path, { of: parsePolicy(alone.origin), deadlineMs: shortMs }));
    }
    await expect.poll(() => alone.connections.open, { timeout: longMs }).toBe(0);
    await alone.close();
  });

  it("takes the length announced for the end, whatever follows", async () => {
    const raw = await startRaw((socket) => {
      socket.end(Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n"), pngOf(5000)]));
    });
    const result = await get(`${raw.origin}/`, { of: parsePolicy(raw.origin) }).catch((error: unknown) => error);
    await raw.close();
    // Either is right: the twelve bytes that were announced, or the refusal of an answer that is not HTTP.
    if (result instanceof AppError) expect(result.context["reason"]).toBe("network");
    else expect(result).toMatchObject({ bytes: pngOf(12), format: "png" });
  });

  it.each([
    ["a header without end", "HTTP/1.1 200 OK\r\nx: ", "timeout"],
    ["what is not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "network"],
    ["a status that is none", "HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n", "status|network"],
    ["a length below zero", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "network"],
    [
      "an upgrade nobody asked for",
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
      "network",
    ],
  ])("survives %s", async (_what, bytes, reason) => {
    const raw = await startRaw((socket) => socket.write(bytes));
    const deadlineMs = reason === "network" ? longMs : shortMs;
    const error = await failure(get(`${raw.origin}/`, { of: parsePolicy(raw.origin), deadlineMs }));
    await raw.close();
    expect(error.code).toBe("fetch-failed");
    expect(String(error.context["reason"])).toMatch(new RegExp(`^(${reason})$`));
  });

  it("sends no cookies, referrer or credentials, and asks for bytes as they are", async () => {
    const seen: http.IncomingHttpHeaders[] = [];
    const echo = await startHttp((request, response) => {
      seen.push(request.headers);
      const headers = { location: "/2", "set-cookie": "session=1; Path=/" };
      if (request.url === "/1") response.writeHead(302, headers).end();
      else response.end(pngOf(2000));
    });
    await get(`${echo.origin}/1`, { of: parsePolicy(echo.origin) });
    await echo.close();
    expect(seen).toHaveLength(2);
    for (const headers of seen) {
      expect(headers).toMatchObject({ "accept-encoding": "identity", "user-agent": "backlight" });
      expect(headers.host).toBe(`127.0.0.1:${echo.port}`);
      for (const name of ["cookie", "referer", "authorization", "origin", "x-forwarded-for"]) {
        expect(headers).not.toHaveProperty(name);
      }
    }
  });

  it("says nothing of a server that is not there but that", async () => {
    const gone = await startHttp(serveRoutes);
    await gone.close();
    const error = await failure(get(`${gone.origin}/`, { of: parsePolicy(gone.origin) }));
    expect([error.code, error.context["reason"]]).toEqual(["fetch-failed", "network"]);
    expect(error.message).toBe(`cannot fetch "${gone.origin}/": the connection failed (ECONNREFUSED)`);
  });

  it("ends in time even if the fetch it was given never listens", async () => {
    const deaf = () => new Promise<Response>(() => undefined);
    const error = await failure(fetchImage(policy, server.origin, { fetch: deaf, bytesMax, deadlineMs: 50 }));
    expect(error.context["reason"]).toBe("timeout");
  });

  it("is cancelled by the caller's signal, before and while reading", async () => {
    const early = await failure(get(`${server.origin}/image`, { signal: AbortSignal.abort() }));
    expect(early.code).toBe("cancelled");
    const late = await failure(get(`${server.origin}/drip`, { signal: AbortSignal.timeout(100) }));
    expect(late.code).toBe("cancelled");
  });

  describe("over redirects", () => {
    const to = (status: number, location: string): string =>
      `${server.origin}/to/${status}?${encodeURIComponent(location)}`;

    it.each([301, 302, 303, 307, 308])("follows status %i within the policy", async (status) => {
      const there = `http://localhost:${server.port}/image`;
      const { finalUrl, hops } = await get(to(status, there));
      expect(finalUrl).toBe(there);
      expect(hops).toEqual([to(status, there), there]);
    });

    it("follows relative, absolute-path and protocol-relative targets", async () => {
      for (const location of ["../image", "/image", `//127.0.0.1:${server.port}/image`, `/to/302?${"../image"}`]) {
        expect((await get(to(302, location))).finalUrl).toBe(`${server.origin}/image`);
      }
    });

    it("goes as far as allowed and no further, also in a loop", async () => {
      expect((await get(`${server.origin}/hops/3`)).hops).toHaveLength(4);
      expect((await get(`${server.origin}/hops/0`, { redirectsMax: 0 })).hops).toHaveLength(1);
      for (const [hops, redirectsMax] of [
        [4, 3],
        [1, 0],
      ]) {
        const error = await failure(get(`${server.origin}/hops/${hops}`, { redirectsMax: redirectsMax ?? 0 }));
        expect([error.code, error.context["reason"]]).toEqual(["fetch-failed", "redirects"]);
      }
      const self = await startHttp((_request, response) => void response.writeHead(302, { location: "/" }).end());
      const error = await failure(get(`${self.origin}/`, { of: parsePolicy(self.origin) }));
      expect([error.context["reason"], self.asked.length]).toEqual(["redirects", 4]);
      await self.close();
    });

    it("leaves the allow-list at no hop, and never asks the other server", async () => {
      const away = `${stranger.origin}/image`;
      const first = await failure(get(to(302, away)));
      const second = await failure(get(to(307, to(308, away))));
      for (const error of [first, second]) {
        expect([error.code, error.context["reason"]]).toEqual(["url-refused", "not-allowed"]);
        expect(error.message).toMatch(
          /^cannot follow the redirect of "http:\/\/127\.0\.0\.1:\d+\/to\/30[28]": cannot fetch/,
        );
      }
      expect(second.context["hops"]).toEqual([`${server.origin}/to/307`, `${server.origin}/to/308`]);
      expect(stranger.connections.total).toBe(0);
    });

    it.each([
      ["another scheme", "file:///etc/passwd", "scheme"],
      ["data", "data:image/png;base64,iVBORw0KGgo=", "scheme"],
      ["https where http is listed", "https://127.0.0.1/", "not-allowed"],
      ["userinfo", "http://user:pw@127.0.0.1:PORT/image", "credentials"],
      ["an address in another spelling", "http://2130706433:PORT/image", "ip-literal"],
      ["cloud metadata", "http://169.254.169.254/latest/meta-data/", "ip-literal"],
      ["cloud metadata, protocol-relative", "//169.254.169.254/latest/meta-data/", "ip-literal"],
      ["another port", "http://127.0.0.1:1/", "not-allowed"],
      ["a backslash host", "/\\evil.test/", "malformed"],
      ["a trailing dot", "http://localhost.:PORT/image", "malformed"],
    ])("refuses %s", async (_what, location, reason) => {
      const error = await failure(get(to(302, location.replace("PORT", String(server.port)))));
      expect([error.code, error.context["reason"]]).toEqual(["url-refused", reason]);
      expect(error.message).not.toContain("pw");
    });

    it("holds the deadline over all hops together", async () => {
      const slow = await startHttp((_request, response) => {
        setTimeout(() => response.writeHead(302, { location: "/" }).end(), 0.4 * shortMs);
      });
      const start = performance.now();
      const error = await failure(
        get(`${slow.origin}/`, { of: parsePolicy(slow.origin), redirectsMax: 100, deadlineMs: shortMs }),
      );
      await slow.close();
      expect(error.context["reason"]).toBe("timeout");
      expect(performance.now() - start).toBeLessThan(longMs);
    });

    it("keeps the policies of concurrent requests apart", async () => {
      const narrow = parsePolicy(server.origin);
      const url = to(302, `http://localhost:${server.port}/image`);
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          get(url, { of: i % 2 === 0 ? policy : narrow }).then(
            () => "fetched",
            (error: AppError) => error.code,
          ),
        ),
      );
      expect(results).toEqual(results.map((_, i) => (i % 2 === 0 ? "fetched" : "url-refused")));
    });
  });
});
