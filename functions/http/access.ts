/** @file Who may do what: API keys, signed URLs, and how often. Answers nothing itself. */
import type { Context } from "hono";
import { checkApiKey, type Scope } from "../../shared/access/api-keys.ts";
import { isSigned, verifyUrl } from "../../shared/access/signed-url.ts";
import { AppError } from "../../shared/errors.ts";
import type { Deps } from "../deps.ts";

/** As configured: a window of a minute. */
const retryAfterSeconds = 60;

/** Lets readers in: everybody where reads are public, a signed URL, or a key that may read. */
export async function admitReader(c: Context, { settings }: Deps): Promise<void> {
  if (settings.publicReads) return;
  const url = new URL(c.req.url);
  if (isSigned(url)) {
    await verifyUrl(settings.signingKeys, { method: c.req.method, url, now: Math.floor(Date.now() / 1000) });
    return;
  }
  await checkApiKey(settings.apiKeys, c.req.header("authorization"), "read");
}

/** Lets in who has a key of the scope. A signed URL is for reading and never enough. */
export async function admitKey(c: Context, { settings }: Deps, scope: Scope): Promise<void> {
  await checkApiKey(settings.apiKeys, c.req.header("authorization"), scope);
}

/** Throws `rate-limited` for a caller, by address, who came too often. */
export async function admitRate(c: Context, { platform }: Deps): Promise<void> {
  const caller = c.req.header("cf-connecting-ip") ?? "local";
  if (await platform.admit(caller)) return;
  throw new AppError("rate-limited", `too many requests of this address; try again in ${retryAfterSeconds} s`, {
    retryAfterSeconds,
  });
}
