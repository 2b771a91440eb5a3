/** @file Which URLs may be fetched: the operator's list of sources, read and matched. Fetches nothing. */
import { AppError } from "../errors.ts";
import { isIpLiteral, readStrictUrl } from "./strict-url.ts";

/** The environment variable the list comes from; named in messages, so that an operator knows where to look. */
export const ALLOWED_URLS_VARIABLE = "BACKLIGHT_ALLOWED_URLS";

/** One entry of the list. Hosts are as the URL parser spells them: lower case, punycode, IPv6 in brackets. */
export interface AllowedSource {
  /** The entry as the operator wrote it. */
  readonly text: string;
  readonly scheme: "https:" | "http:";
  readonly host: string;
  /** True for `*.host`: names below `host`, at any depth, but not `host` itself. */
  readonly subdomains: boolean;
  /** As in `URL.port`: empty for the scheme's own port. */
  readonly port: string;
  /** Begins and ends with a slash; "/" is every path. */
  readonly path: string;
}

/** The list. Without sources nothing is fetched. Holds no state: one policy serves any number of requests. */
export interface UrlPolicy {
  readonly sources: readonly AllowedSource[];
}

/**
 * Reads a comma-separated list such as `https://images.example.com, https://*.example.org:8443/photos/`. Each entry is
 * an origin (scheme, host and port are exact) with an optional path prefix; `*.` before the host means its subdomains.
 * Addresses and `localhost` are reachable only where an entry names them. Empty or absent: nothing may be fetched.
 * Throws `config-invalid`, naming the entry.
 */
export function parsePolicy(text: string | undefined): UrlPolicy {
  const entries = (text ?? "").split(",").map((entry) => entry.trim());
  return { sources: entries.filter((entry) => entry !== "").map(parseSource) };
}

function parseSource(text: string): AllowedSource {
  const invalid = (why: string): AppError =>
    new AppError("config-invalid", `cannot use "${text}" in ${ALLOWED_URLS_VARIABLE}: ${why}`, { entry: text });
  const [, scheme, wildcard, rest] = /^(https?:\/\/)(\*\.)?(.*)$/is.exec(text) ?? [];
  if (scheme === undefined || rest === undefined) throw invalid("it does not begin with https:// or http://");
  const strict = readStrictUrl(scheme + rest);
  if (!strict.ok) throw invalid(strict.why);
  const { url } = strict;
  const subdomains = wildcard !== undefined;
  if (/[?#]/.test(rest)) throw invalid("a query or fragment cannot be matched; end it with the path");
  if (subdomains && (isIpLiteral(url.hostname) || !url.hostname.includes("."))) {
    throw invalid(`"*.${url.hostname}" is too wide; name a domain of two labels or more, such as *.example.org`);
  }
  return {
    text,
    scheme: url.protocol === "https:" ? "https:" : "http:",
    host: url.hostname,
    subdomains,
    port: url.port,
    path: url.pathname.endsWith("/") ? url.pathname : `${url.pathname}/`,
  };
}

/** Whether the source covers the host. Compared at label boundaries: `*.example.org` is not `evilexample.org`. */
export function matchesHost(source: AllowedSource, hostname: string): boolean {
  return source.subdomains ? hostname.endsWith(`.${source.host}`) : hostname === source.host;
}

/**
 * What a server may read as a way out of its folder though the URL parser does not: escaped slashes and backslashes
 * (also escaped twice) and the "..;" of Java servers.
 */
const evasive = /%(?:25)*(?:2f|5c|00)|%25(?:25)*2e|\/\.\.?(?:;|%(?:25)*3b)/i;

/** Whether the source covers the path, at segment boundaries. The parser has already resolved "." and "..". */
function matchesPath(source: AllowedSource, pathname: string): boolean {
  if (source.path === "/") return true;
  return `${pathname}/`.startsWith(source.path) && !evasive.test(pathname);
}

/** Whether the source covers the URL: scheme, host, port and path. */
export function matchesSource(source: AllowedSource, url: URL): boolean {
  return (
    url.protocol === source.scheme &&
    url.port === source.port &&
    matchesHost(source, url.hostname) &&
    matchesPath(source, url.pathname)
  );
}
