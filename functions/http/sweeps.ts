/** @file `/v1/sweeps`: starting, watching, cancelling and redriving sweeps. */
import type { Context } from "hono";
import { AppError } from "../../shared/errors.ts";
import { readBytes } from "../../shared/storage/body.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { readSweep } from "../../shared/sweeps/definition.ts";
import { estimateSweep } from "../../shared/sweeps/estimate.ts";
import { type Run, reportFolder } from "../../shared/sweeps/layout.ts";
import {
  cancelSweep,
  createSweep,
  currentRun,
  isReported,
  newSweepId,
  readSweepRecord,
  redriveSweep,
  resumeRun,
} from "../../shared/sweeps/lifecycle.ts";
import { reportMore } from "../../shared/sweeps/report.ts";
import { servedPage } from "../../shared/sweeps/report-page.ts";
import { type SweepStatus, sweepStatus } from "../../shared/sweeps/status.ts";
import type { Deps } from "../deps.ts";
import { manifestLinesMax } from "../sweeps/limits.ts";
import type { RequestEnv } from "./context.ts";
import { hardened } from "./problems.ts";

type C = Context<RequestEnv>;

/** A definition is small: its images are in the bucket. */
const jsonBytesMax = 64_000;
/** Images a dry run counts within a request. */
const dryRunImagesMax = 200_000;
/** Who polls more often is told what was so a moment ago. */
const freshMilliseconds = 1_000;
/** A report of a sweep under way reads up to a thousand records: who asks again so soon is given the same. */
const partialFreshMilliseconds = 10_000;
/** Sweeps whose state is remembered. */
const rememberedMax = 100;

const json = (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: hardened({ "content-type": "application/json", "cache-control": "no-store", ...headers }),
  });

export async function postSweep(c: C, deps: Deps): Promise<Response> {
  const { platform, settings, service } = deps;
  const { store } = platform;
  const request = readSweep(await readJson(c), settings.defaults);
  if (request.cron !== null) {
    throw new AppError("request-invalid", 'cannot start a sweep with "cron": put it below sweeps/definitions/ instead');
  }
  if (request.dryRun) {
    const limits = { imagesMax: dryRunImagesMax, manifestLinesMax, workers: request.definition.maxConcurrency };
    return json(await service.exclusive(() => estimateSweep({ store, service }, request.definition, limits)));
  }
  const id = request.id ?? newSweepId();
  const { created } = await createSweep({ store, models: service.options.models }, id, request.definition);
  const run = await currentRun(store, id);
  // Asked for again: whatever stopped it, it goes on.
  if (!created) await resumeRun(store, run);
  await startRun(deps, run);
  const status = await sweepStatus(store, id);
  return json(status, created ? 202 : 200, { location: `/v1/sweeps/${id}` });
}

async function startRun({ platform }: Deps, run: Run): Promise<void> {
  if (platform.startSweep === undefined)
    throw new AppError("config-invalid", "this function is not set up to run sweeps");
  await platform.startSweep(run);
}

const remembered = new WeakMap<Deps, Map<string, { readonly until: number; readonly status: Promise<SweepStatus> }>>();

export async function getSweep(_c: C, deps: Deps, id: string): Promise<Response> {
  const known = remembered.get(deps) ?? new Map();
  remembered.set(deps, known);
  const found = known.get(id);
  if (found !== undefined && found.until > Date.now()) return json(await found.status);
  const status = sweepStatus(deps.platform.store, id);
  if (known.size >= rememberedMax) known.clear();
  known.set(id, { until: Date.now() + freshMilliseconds, status });
  status.catch(() => known.delete(id));
  return json(await status);
}

export async function postCancel(_c: C, deps: Deps, id: string): Promise<Response> {
  const { store } = deps.platform;
  await cancelSweep(store, id);
  const run = await currentRun(store, id);
  // Whoever drives it writes its last report; where nobody does any more, somebody has to.
  if (!(await isReported(store, run))) await startRun(deps, run);
  return json(await sweepStatus(store, id), 202);
}

export async function postRedrive(_c: C, deps: Deps, id: string): Promise<Response> {
  const run = await redriveSweep(deps.platform.store, id);
  await startRun(deps, run);
  return json(await sweepStatus(deps.platform.store, id), 202);
}

const reportFiles = { html: "report.html", json: "report.json", jsonl: "results.jsonl" } as const;
const types = { html: "text/html; charset=utf-8", json: "application/json", jsonl: "application/jsonl" } as const;

/** The page has its own script and style, and pictures of this API. */
const pagePolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self'";

/** The final report; of a sweep under way, the results so far. `format` is html, json or jsonl. */
export async function getSweepReport(c: C, deps: Deps, id: string): Promise<Response> {
  const { store } = deps.platform;
  const asked = c.req.query("format") ?? "html";
  if (asked !== "html" && asked !== "json" && asked !== "jsonl") {
    throw new AppError("request-invalid", `a sweep's report has no format "${asked}": there are html, json and jsonl`);
  }
  const sweep = await readSweepRecord(store, id);
  const run = await currentRun(store, id);
  const isFinal = await isReported(store, run);
  const key = `${reportFolder(id)}${isFinal ? "" : "partial-"}${reportFiles[asked]}`;
  if (!isFinal && !(await isYoung(store, key))) await reportMore(store, sweep, run, { final: false });
  const found = await store.get(key);
  if (found?.outcome !== "found") throw new AppError("not-found", `the sweep "${id}" has no report yet`);
  const headers = hardened({
    "content-type": types[asked],
    "cache-control": "no-store",
    ...(asked === "html" && { "content-security-policy": pagePolicy }),
  });
  if (asked !== "html") return new Response(found.body, { headers });
  return new Response(servedPage(await new Response(found.body).text()), { headers });
}

async function isYoung(store: ObjectStore, key: string): Promise<boolean> {
  const found = await store.head(key);
  return found !== null && Date.now() - found.modified.getTime() < partialFreshMilliseconds;
}

async function readJson(c: C): Promise<unknown> {
  const { body } = c.req.raw;
  if (body === null)
    throw new AppError("request-invalid", 'the request has no body: send JSON such as {"source": "images/"}');
  const limit = { bytesMax: jsonBytesMax, what: "the request's JSON", code: "request-invalid" } as const;
  try {
    return JSON.parse(new TextDecoder().decode(await readBytes(body, limit)));
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("request-invalid", "the request's body is not JSON");
  }
}
