/** @file Whether the process lives, and whether it could answer: two questions for two kinds of restart. */
import { AppError } from "../../shared/errors.ts";
import type { Deps } from "../deps.ts";
import { hardened } from "./problems.ts";

const headers = hardened({ "content-type": "application/json", "cache-control": "no-store" });
/** A load balancer asks every few seconds and waits about this long. */
const readyMilliseconds = 5_000;

export const getHealth = (): Response => new Response('{"status":"ok"}', { headers });

/** 503 where storage cannot be reached or the configured model is not there; says which. */
export async function getReadiness({ service, settings }: Deps): Promise<Response> {
  try {
    const signal = AbortSignal.timeout(readyMilliseconds);
    const { model } = settings.defaults;
    if (model === undefined) await service.options.models.names(signal);
    else await service.options.models.get(model, signal);
    return new Response('{"status":"ready"}', { headers });
  } catch (error) {
    const why = error instanceof AppError ? error.message : "an internal error";
    return new Response(JSON.stringify({ status: "not ready", why }), { status: 503, headers });
  }
}
