/** @file The decision whether a URL may be fetched. Pure: resolves no name, opens no connection. */
import { AppError } from "../errors.ts";
import { ALLOWED_URLS_VARIABLE, matchesHost, matchesSource, type UrlPolicy } from "./policy.ts";
import { AMBIGUOUS, isIpLiteral, type RefusalReason, readStrictUrl, showUrl } from "./strict-url.ts";

/** The `url-refused` error for a URL; its context has `reason` and the URL without query and credentials. */
export function refusal(text: string, reason: RefusalReason, why: string): AppError {
  const url = showUrl(text);
  return new AppError("url-refused", `cannot fetch "${url}": ${why}`, { reason, url });
}

/**
 * Parses a URL and holds it against the policy. Returns it without its fragment. Throws `url-refused` with
 * `context.reason`, a `RefusalReason`. The message does not tell which sources are allowed.
 */
export function checkUrl(policy: UrlPolicy, text: string): URL {
  if (policy.sources.length === 0) {
    const why = `fetching URLs is switched off here, as ${ALLOWED_URLS_VARIABLE} is empty; send the image itself`;
    throw refusal(text, "off", why);
  }
  const strict = readStrictUrl(text);
  if (!strict.ok) throw refusal(text, strict.reason, strict.why);
  const { url } = strict;
  if (policy.sources.some((source) => matchesSource(source, url))) return url;
  if (policy.sources.some((source) => matchesHost(source, url.hostname))) {
    throw refusal(text, "not-allowed", "its host is an allowed source, but not with this scheme, port or path");
  }
  if (isIpLiteral(url.hostname)) throw refusal(text, "ip-literal", "its host is an address; name the host instead");
  throw refusal(text, "host", `"${url.hostname}" is not an allowed source of images here`);
}

/**
 * The absolute URL a `Location` header means, as text that still has to pass `checkUrl`. What is absolute or ambiguous
 * is handed on as it stands, so that resolving cannot hide a spelling the check would refuse.
 */
export function resolveLocation(base: URL, location: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(location) || AMBIGUOUS.test(location)) return location;
  if (location.startsWith("//")) return base.protocol + location;
  return new URL(location, base).href;
}
