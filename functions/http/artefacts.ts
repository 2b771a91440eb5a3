/** @file `GET /v1/explanations/{id}`: results that exist, by their id; and the names and ETags of their files. */
import type { Context } from "hono";
import { AppError } from "../../shared/errors.ts";
import { views } from "../../shared/explanation/picture.ts";
import { type ExplanationId, idText, parseId } from "../../shared/pipeline/layout.ts";
import { type Artefact, resultCacheControl } from "../../shared/pipeline/results.ts";
import type { Deps } from "../deps.ts";
import type { RequestEnv } from "./context.ts";
import { respond } from "./explain.ts";
import { wanted } from "./negotiate.ts";
import { hardened } from "./problems.ts";

const suffixes = [...views, "map"] as const;

export const nameOf = (artefact: Artefact): string =>
  artefact.kind === "picture" ? `${artefact.view}.${artefact.format}` : artefact.kind;

/** Strong: a file's bytes are decided by the result's key. */
export const etagOf = ({ result }: ExplanationId, artefact: Artefact): string => `"${result}-${nameOf(artefact)}"`;

/** Whether If-None-Match names the ETag (RFC 9110, 13.1.2: compared weakly). */
export const etagMatches = (header: string | undefined, etag: string): boolean =>
  (header ?? "").split(",").some((part) => part.trim() === "*" || part.trim().replace(/^W\//, "") === etag);

/** Where a file of a result is. */
export function artefactPath(id: ExplanationId, artefact: Artefact): string {
  const path = `/v1/explanations/${idText(id).split("/").map(encodeURIComponent).join("/")}`;
  if (artefact.kind === "document") return path;
  return artefact.kind === "map" ? `${path}/map` : `${path}/${artefact.view}?format=${artefact.format}`;
}

export async function getExplanation(c: Context<RequestEnv>, deps: Deps): Promise<Response> {
  const url = new URL(c.req.url);
  const path = url.pathname.slice("/v1/explanations/".length).split("/").map(decodeSegment);
  const suffix = suffixes.find((each) => each === path.at(-1));
  const id = parseId((suffix === undefined ? path : path.slice(0, -1)).join("/"));
  const format = url.searchParams.get("format") ?? undefined;
  const artefact: Artefact =
    suffix === undefined ? { kind: "document" } : wanted(suffix, format, pictureAccept(c.req.header("accept")));
  const etag = etagOf(id, artefact);
  c.set("result", idText(id));
  const headers = { etag, "cache-control": resultCacheControl, vary: "accept" };
  if (etagMatches(c.req.header("if-none-match"), etag))
    return new Response(null, { status: 304, headers: hardened(headers) });
  const bytes = await deps.service.read(id, artefact);
  if (bytes === null) {
    const what = `the ${nameOf(artefact)} of "${idText(id)}"`;
    throw new AppError(
      "not-found",
      `${what} is not there: it was never asked for, or was deleted; ask /v1/explain for it`,
    );
  }
  c.set("outcome", "cached");
  return respond(artefact, bytes, headers);
}

/** Below /overlay and /heatmap are pictures only; what a client says of JSON does not matter there. */
const pictureAccept = (header: string | undefined): string | undefined =>
  header === undefined || !/image\/|\*\/\*/.test(header) ? undefined : header;

function decodeSegment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AppError("not-found", `"${text}" in the path is not percent-encoded`);
  }
}
