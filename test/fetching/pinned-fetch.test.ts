/** @file What the Node adapter adds: addresses judged, connections pinned, proxies ignored. */
import http from "node:http";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { isLoopback, notPublic } from "../../functions/node/addresses.ts";
import { pinnedFetch, type Resolve, type ResolvedAddress } from "../../functions/node/pinned-fetch.ts";
import { AppError } from "../../shared/errors.ts";
import { fetchImage } from "../../shared/fetching/fetch-image.ts";
import { parsePolicy } from "../../shared/fetching/policy.ts";
import { serveRoutes } from "./routes.ts";
import { startHttp, startRaw, type TestServer } from "./servers.ts";

const addresses: readonly (readonly [address: string, why: string | undefined])[] = [
  ["93.184.216.34", undefined],
  ["1.1.1.1", undefined],
  ["100.63.255.255", undefined],
  ["100.128.0.0", undefined],
  ["172.15.255.255", undefined],
  ["172.32.0.0", undefined],
  ["169.253.255.255", undefined],
  ["223.255.255.255", undefined],
  ["168.63.129.15", undefined],
  ["0.0.0.0", "unspecified"],
  ["0.1.2.3", "unspecified"],
  ["10.0.0.0", "private"],
  ["10.255.255.255", "private"],
  ["100.64.0.0", "shared (carrier-grade NAT)"],
  ["100.100.100.200", "shared (carrier-grade NAT)"],
  ["100.127.255.255", "shared (carrier-grade NAT)"],
  ["127.0.0.1", "loopback"],
  ["127.255.255.255", "loopback"],
  ["168.63.129.16", "cloud metadata"],
  ["169.254.169.254", "link-local"],
  ["172.16.0.0", "private"],
  ["172.31.255.255", "private"],
  ["192.0.0.192", "protocol assignment"],
  ["192.0.2.1", "documentation"],
  ["192.88.99.1", "6to4 relay"],
  ["192.168.255.255", "private"],
  ["198.18.0.0", "benchmarking"],
  ["198.19.255.255", "benchmarking"],
  ["198.51.100.7", "documentation"],
  ["203.0.113.7", "documentation"],
  ["224.0.0.1", "multicast"],
  ["239.255.255.250", "multicast"],
  ["240.0.0.0", "broadcast or reserved"],
  ["255.255.255.255", "broadcast or reserved"],
  ["2606:4700:4700::1111", undefined],
  ["2d00::1", undefined],
  ["2a00:1450:4001:80b::200e", undefined],
  ["64:ff9b::5db8:d822", undefined],
  ["64:ff9b::93.184.216.34", undefined],
  ["::", "unspecified"],
  ["::1", "loopback"],
  ["0:0:0:0:0:0:0:1", "loopback"],
  ["::ffff:127.0.0.1", "IPv4-mapped"],
  ["::ffff:93.184.216.34", "IPv4-mapped"],
  ["::127.0.0.1", "IPv4-compatible"],
  ["::a00:1", "IPv4-compatible"],
  ["::ffff:0:127.0.0.1", "reserved"],
  ["64:ff9b::7f00:1", "loopback"],
  ["64:ff9b::169.254.169.254", "link-local"],
  ["64:ff9b::10.0.0.1", "private"],
  ["64:ff9b:1::5db8:d822", "NAT64 of a local network"],
  ["64:ff9b::1:5db8:d822", "NAT64 of a local network"],
  ["100::1", "reserved"],
  ["2001::1", "Teredo"],
  ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"],
  ["2001:2::1", "protocol assignment"],
  ["2001:20::1", "protocol assignment"],
  ["2001:db8::1", "documentation"],
  ["3fff::1", "documentation"],
  ["2002:7f00:1::", "6to4"],
  ["2002:5db8:d822::1", "6to4"],
  ["2606:4700::5efe:10.0.0.1", "ISATAP"],
  ["2606:4700::200:5efe:10.0.0.1", "ISATAP"],
  ["fc00::1", "private (unique local)"],
  ["fd00:ec2::254", "private (unique local)"],
  ["fe80::1", "link-local"],
  ["fe80::1%eth0", "link-local"],
  ["febf::1", "link-local"],
  ["fec0::1", "reserved"],
  ["ff02::1", "multicast"],
  ["4000::1", "reserved"],
  ["", "malformed"],
  ["localhost", "malformed"],
  ["127.1", "malformed"],
  ["1.2.3.4.5", "malformed"],
];

describe("an address", () => {
  it.each(addresses)("%s: %s", (address, why) => {
    expect(notPublic(address)).toBe(why);
  });

  it("agrees on loopback with the system, which binds there and nowhere else", () => {
    expect(isLoopback("127.0.0.1")).toBe(true);
    expect(isLoopback("::1")).toBe(true);
    expect(isLoopback("0.0.0.0")).toBe(false);
  });
});

describe("the pinned fetch", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startHttp(serveRoutes);
  });
  afterAll(() => server.close());

  const v4 = (address: string): ResolvedAddress => ({ address, family: 4 });

  /** Global unicast, but of a block IANA has given to nobody: public for the judge, and no packet gets there. */
  const nowhere: ResolvedAddress = { address: "2d00::1", family: 6 };

  /** Answers with the lists in turn, the last for ever after, and counts. */
  function resolver(...answers: readonly (readonly ResolvedAddress[])[]): { resolve: Resolve; asked: string[] } {
    const asked: string[] = [];
    return {
      asked,
      async resolve(hostname) {
        asked.push(hostname);
        return answers[Math.min(asked.length, answers.length) - 1] ?? [];
      },
    };
  }

  async function attempt(list: string, url: string, resolve?: Resolve, deadlineMs = 5000): Promise<unknown> {
    const policy = parsePolicy(list);
    const fetch = pinnedFetch({ policy, ...(resolve && { resolve }) });
    try {
      return (await fetchImage(policy, url, { fetch, bytesMax: 10_000, deadlineMs })).finalUrl;
    } catch (error) {
      if (error instanceof AppError) return error.context["reason"];
      throw error;
    }
  }

  it("reaches nobody inside when a name has one address when it is checked and another afterwards", async () => {
    const { resolve, asked } = resolver([nowhere], [v4("127.0.0.1")]);
    const rebinding = `http://images.test:${server.port}/image`;

    // The attack is real: who checks one answer and lets the connection ask again ends up inside.
    const naive = resolver([nowhere], [v4("127.0.0.1")]);
    const [checked] = await naive.resolve("images.test");
    expect(notPublic(checked?.address ?? "")).toBeUndefined();
    const lookup: net.LookupFunction = (hostname, options, callback) => {
      void naive.resolve(hostname).then((all) => {
        const [first] = all;
        if (options.all) callback(null, [...all]);
        else callback(null, first?.address ?? "", first?.family);
      });
    };
    const status = await new Promise((done) => {
      http.get(rebinding, { lookup, agent: false }, (response) => done(response.resume().statusCode));
    });
    expect(status).toBe(200);

    const before = server.connections.total;
    expect(await attempt(`http://images.test:${server.port}`, rebinding, resolve, 500)).toMatch(/^(timeout|network)$/);
    expect(asked).toEqual(["images.test"]);
    // The next request meets the second answer, and is refused before it connects.
    expect(await attempt(`http://images.test:${server.port}`, rebinding, resolve)).toBe("address");
    expect(asked).toEqual(["images.test", "images.test"]);
    expect(server.connections.total).toBe(before);
  });

  it("connects to the address that was judged, whatever the system would say of the name", async () => {
    // The system says 127.0.0.1, where the server is; the resolver says 127.0.0.2, where nothing is.
    const { resolve, asked } = resolver([v4("127.0.0.2")], [v4("127.0.0.1")]);
    const url = `http://localhost:${server.port}/image`;
    const before = server.connections.total;
    expect(await attempt(`http://localhost:${server.port}`, url, resolve)).toMatch(/^(timeout|network)$/);
    expect([server.connections.total, asked.length]).toEqual([before, 1]);
    expect(await attempt(`http://localhost:${server.port}`, url, resolve)).toBe(url);
    expect([server.connections.total, asked.length]).toEqual([before + 1, 2]);
  });

  it("sends the URL's own name in the Host header and in the TLS hello", async () => {
    const raw = await startRaw((socket) => socket.end("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"));
    const tls = await startRaw((socket) => socket.destroy());
    await attempt(`http://localhost:${raw.port}`, `http://localhost:${raw.port}/`, resolver([v4("127.0.0.1")]).resolve);
    await attempt(
      `https://localhost:${tls.port}`,
      `https://localhost:${tls.port}/`,
      resolver([v4("127.0.0.1")]).resolve,
    );
    expect(raw.asked[0]).toMatch(new RegExp(`^GET / HTTP/1.1\r\n(.*\r\n)*host: localhost:${raw.port}\r\n`, "i"));
    expect(tls.asked[0]?.charCodeAt(0)).toBe(22); // a TLS handshake record; the name in it is not yet encrypted
    expect(tls.asked[0]).toContain("localhost");
    await raw.close();
    await tls.close();
  });

  it("refuses a host of which one address among good ones is not public", async () => {
    for (const bad of [
      "127.0.0.1",
      "10.0.0.1",
      "169.254.169.254",
      "::ffff:127.0.0.1",
      "64:ff9b::7f00:1",
      "fe80::1%lo",
    ]) {
      const { resolve } = resolver([nowhere, { address: bad, family: net.isIP(bad) }]);
      const before = server.connections.total;
      expect(await attempt(`http://images.test:${server.port}`, `http://images.test:${server.port}/`, resolve)).toBe(
        "address",
      );
      expect(server.connections.total).toBe(before);
    }
  });

  it("refuses a host without an address, and reports one that does not resolve as a failure", async () => {
    expect(await attempt("http://images.test", "http://images.test/", resolver([]).resolve)).toBe("address");
    const fails: Resolve = () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" }));
    expect(await attempt("http://images.test", "http://images.test/", fails)).toBe("network");
    const hangs: Resolve = () => new Promise(() => undefined);
    expect(await attempt("http://images.test", "http://images.test/", hangs, 300)).toBe("timeout");
  });

  it("judges every hop anew: an allowed name that resolves inside is refused behind a redirect too", async () => {
    const { resolve, asked } = resolver([v4("127.0.0.1")]);
    const list = `${server.origin}, http://inside.test:${server.port}`;
    const url = `${server.origin}/to/302?${encodeURIComponent(`http://inside.test:${server.port}/image`)}`;
    expect(await attempt(list, url, resolve)).toBe("address");
    expect(asked).toEqual(["inside.test"]);
  });

  it("lets through addresses and localhost that the policy names, and those only", async () => {
    const { port, origin } = server;
    expect(await attempt(origin, `${origin}/image`)).toBe(`${origin}/image`);
    expect(await attempt(`http://localhost:${port}`, `http://localhost:${port}/image`)).toMatch(/image$/);
    const local = resolver([v4("127.0.0.1")]).resolve;
    expect(await attempt(`http://*.images.test:${port}`, `http://a.images.test:${port}/image`, local)).toBe("address");
    const inside = resolver([v4("10.0.0.1")]).resolve;
    expect(await attempt(`http://localhost:${port}`, `http://localhost:${port}/image`, inside)).toBe("address");
    // Also by itself, without the check that comes before it.
    const fetch = pinnedFetch({ policy: parsePolicy("https://images.test") });
    const init = {
      method: "GET",
      headers: {},
      redirect: "manual",
      credentials: "omit",
      referrerPolicy: "no-referrer",
    } as const;
    const signal = AbortSignal.timeout(5000);
    await expect(fetch(`${origin}/image`, { ...init, signal })).rejects.toMatchObject({ code: "url-refused" });
  });

  it("does not tell the address", async () => {
    const policy = parsePolicy("http://images.test");
    const fetch = pinnedFetch({ policy, resolve: resolver([v4("10.1.2.3")]).resolve });
    const error: unknown = await fetchImage(policy, "http://images.test/a", { fetch, bytesMax: 1 }).catch(
      (e: unknown) => e,
    );
    expect(JSON.stringify([error, String(error)])).not.toContain("10.1.2.3");
    expect(String(error)).toContain('cannot fetch "http://images.test/a": "images.test" has a private address');
  });

  it("goes past proxies, which would hide where it goes", async () => {
    const proxy = await startHttp((_request, response) => void response.end("proxied"));
    for (const name of ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]) {
      vi.stubEnv(name, proxy.origin);
    }
    vi.stubEnv("NODE_USE_ENV_PROXY", "1");
    vi.stubEnv("no_proxy", "");
    expect(await attempt(server.origin, `${server.origin}/image`)).toBe(`${server.origin}/image`);
    expect(proxy.connections.total).toBe(0);
    vi.unstubAllEnvs();
    await proxy.close();
  });
});
