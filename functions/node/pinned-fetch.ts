/**
 * @file A fetch for Node that looks before it connects: the name is resolved once, every address is judged, and the
 * connection goes to what was judged. Follows no redirect; `fetchImage` does, and comes back here for each hop.
 */
import { lookup } from "node:dns/promises";
import http from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";
import { refusal } from "../../shared/fetching/check-url.ts";
import type { FetchFunction, FetchInit } from "../../shared/fetching/fetch-image.ts";
import type { UrlPolicy } from "../../shared/fetching/policy.ts";
import { isIpLiteral } from "../../shared/fetching/strict-url.ts";
import { isLoopback, notPublic } from "./addresses.ts";

/** An address as `dns.lookup` gives it. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a host name. Rejects where there is none. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export interface PinnedFetchOptions {
  readonly policy: UrlPolicy;
  /** The system's resolver where absent. */
  readonly resolve?: Resolve;
}

const systemResolve: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true });

// Agents of our own: the global ones may be set to use a proxy, which would hide where a connection really goes. No
// connection is kept, so none is reused for a name that has moved since.
const agents = { http: new http.Agent({ keepAlive: false }), https: new https.Agent({ keepAlive: false }) };

/**
 * Makes the fetch. It rejects with `url-refused` (`context.reason` "address") when any address of the host is not
 * public; only addresses and `localhost` that the policy itself names are exempt. Method, headers and signal of the
 * request are used; the body of an answer is there for status 200 only. Proxy variables are ignored.
 */
export function pinnedFetch({ policy, resolve = systemResolve }: PinnedFetchOptions): FetchFunction {
  return async (text, init) => {
    const url = new URL(text);
    init.signal.throwIfAborted();
    const pinned = isIpLiteral(url.hostname)
      ? namedAddress(policy, url)
      : judged(policy, url, await resolve(url.hostname));
    return request(url, init, pinned);
  };
}

const isNamed = (policy: UrlPolicy, host: string): boolean =>
  policy.sources.some((source) => !source.subdomains && source.host === host);

/** The address of a URL whose host is one: the operator must have written it into the policy. */
function namedAddress(policy: UrlPolicy, url: URL): readonly ResolvedAddress[] {
  if (!isNamed(policy, url.hostname)) throw refusal(url.href, "ip-literal", "its host is an address; name the host");
  const address = url.hostname.replace(/^\[|\]$/g, "");
  return [{ address, family: address.includes(":") ? 6 : 4 }];
}

/** The addresses, if all may be reached: one bad one among good ones is how a check that takes the first is fooled. */
function judged(policy: UrlPolicy, url: URL, addresses: readonly ResolvedAddress[]): readonly ResolvedAddress[] {
  const local = url.hostname === "localhost" && isNamed(policy, url.hostname);
  for (const { address } of addresses) {
    const why = local && isLoopback(address) ? undefined : notPublic(address);
    // The address itself is not told: who may ask for URLs need not learn the map of our network.
    if (why !== undefined) throw refusal(url.href, "address", `"${url.hostname}" has a ${why} address`);
  }
  if (addresses.length === 0) throw refusal(url.href, "address", `"${url.hostname}" has no address`);
  return addresses;
}

function request(url: URL, init: FetchInit, pinned: readonly ResolvedAddress[]): Promise<Response> {
  const { method, headers, signal } = init;
  const options = { method, headers, signal, lookup: answering(pinned) };
  return new Promise((resolve, reject) => {
    const sent =
      url.protocol === "https:"
        ? https.request(url, { ...options, agent: agents.https, rejectUnauthorized: true })
        : http.request(url, { ...options, agent: agents.http });
    sent.on("error", reject);
    // Without a listener Node drops such a connection and says nothing, and the promise would stay open for ever.
    sent.on("upgrade", (_incoming, socket) => {
      socket.destroy();
      reject(new Error("the server switched protocols"));
    });
    sent.on("response", (incoming) => {
      try {
        resolve(toResponse(incoming));
      } catch (cause) {
        sent.destroy();
        reject(cause);
      }
    });
    sent.end();
  });
}

/** A `lookup` for `net.connect` that knows one answer. Host header and TLS server name stay the URL's. */
function answering(pinned: readonly ResolvedAddress[]): LookupFunction {
  return (_hostname, options, callback) => {
    const [first] = pinned;
    if (options.all) callback(null, [...pinned]);
    else callback(null, first?.address ?? "", first?.family);
  };
}

function toResponse(incoming: http.IncomingMessage): Response {
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const status = incoming.statusCode ?? 0;
  if (status === 200) {
    // Node and the DOM library declare one and the same class twice, a little differently.
    const body = Readable.toWeb(incoming) as ReadableStream<Uint8Array<ArrayBuffer>>;
    return new Response(body, { status, headers });
  }
  incoming.destroy();
  return new Response(null, { status, headers });
}
