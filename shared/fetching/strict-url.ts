/** @file Reads an absolute http(s) URL without the leniency of the URL parser. Knows no policy. */

/**
 * Why a URL is not fetched.
 * - `off`: no source is configured
 * - `malformed`: it is not a URL, or is written in a way two parsers may read differently
 * - `too-long`: more than `URL_LENGTH_MAX` characters
 * - `scheme`: neither https nor http
 * - `credentials`: a user name or password before the host
 * - `ip-literal`: an address instead of a name, in any spelling
 * - `host`: no source has this host
 * - `not-allowed`: the host is a source, with another scheme, port or path
 * - `address`: the name resolves to an address that is not public (only where the resolver is ours)
 */
export type RefusalReason =
  | "off"
  | "malformed"
  | "too-long"
  | "scheme"
  | "credentials"
  | "ip-literal"
  | "host"
  | "not-allowed"
  | "address";

/** A URL that reads the same everywhere, or why it does not. `why` is a clause for an error message. */
export type StrictUrl =
  | { readonly ok: true; readonly url: URL }
  | { readonly ok: false; readonly reason: RefusalReason; readonly why: string };

/** Longer URLs are cut or refused by servers and proxies anyway; 2,048 is what all of them take. */
export const URL_LENGTH_MAX = 2048;

/** Blanks, control characters and backslashes: the URL parser drops or turns them, others may not. */
export const AMBIGUOUS = /[\s\p{Cc}\\]/u;

const absolute = /^([a-z][a-z0-9+.-]*):(\/\/([^/?#]*))?/i;
const hostAndPort = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/;
const dnsName = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

const refused = (reason: RefusalReason, why: string): StrictUrl => ({ ok: false, reason, why });

/** Whether a host, as the URL parser returns it, is an IPv4 or IPv6 address. */
export const isIpLiteral = (hostname: string): boolean =>
  hostname.startsWith("[") || /^\d+\.\d+\.\d+\.\d+$/.test(hostname);

/**
 * Parses a URL and refuses what is legal but has no honest use here: userinfo, escapes in the host, missing slashes,
 * trailing dots, addresses spelled other than the parser would. The fragment is dropped.
 */
export function readStrictUrl(text: string): StrictUrl {
  if (text.length > URL_LENGTH_MAX) {
    return refused("too-long", `it has ${text.length} characters, at most ${URL_LENGTH_MAX} are taken`);
  }
  if (AMBIGUOUS.test(text)) {
    return refused("malformed", "it contains a blank, a control character or a backslash; write them percent-encoded");
  }
  const [, scheme, slashes, authority = ""] = absolute.exec(text) ?? [];
  if (scheme === undefined) return refused("malformed", "it is not an absolute URL; write https://host/path");
  if (!/^https?$/i.test(scheme)) return refused("scheme", `the scheme "${scheme}" is not fetched, only https and http`);
  if (slashes === undefined || authority === "")
    return refused("malformed", `"${scheme}:" needs two slashes and a host`);
  if (authority.includes("@")) return refused("credentials", "it carries a user name or password; leave them out");
  if (authority.includes("%")) return refused("malformed", "its host is percent-encoded; write it plainly");
  const written = hostAndPort.exec(authority)?.[1];
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || written === undefined) return refused("malformed", "its host or port is malformed");
  const host = url.hostname;
  if (host.endsWith(".")) return refused("malformed", "its host ends in a dot; leave the dot out");
  if (isIpLiteral(host) && written.toLowerCase() !== host) {
    return refused("ip-literal", `its host is the address ${host} in another spelling; name the host`);
  }
  if (!isIpLiteral(host) && !dnsName.test(host)) return refused("malformed", `"${host}" is not a host name`);
  url.hash = "";
  return { ok: true, url };
}

const SHOWN_LENGTH_MAX = 200;

/**
 * A URL as it may stand in messages and logs: no query, no fragment, no credentials, no control characters, at most
 * 200 characters.
 */
export function showUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // What does not parse may still hold a password, so all before the last "@" is left out.
  const bare = url === undefined ? text.replace(/^.*@/s, "…@").replace(/[?#].*$/s, "") : withoutSecrets(url);
  const clean = bare.replace(/\p{C}/gu, "\ufffd");
  return clean.length > SHOWN_LENGTH_MAX ? `${clean.slice(0, SHOWN_LENGTH_MAX)}…` : clean;
}

/** Only http(s) URLs have parts that can be told apart; of others ("data:", "javascript:") just the scheme is shown. */
function withoutSecrets(url: URL): string {
  if (url.protocol !== "https:" && url.protocol !== "http:") return `${url.protocol}…`;
  return url.origin + url.pathname;
}
