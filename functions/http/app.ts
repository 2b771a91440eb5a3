/** @file The HTTP app, the same on every platform: routes, who may use them, a log line each, errors as problems. */
import { type Context, Hono } from "hono";
import { AppError } from "../../shared/errors.ts";
import type { Timings } from "../../shared/explanation/document.ts";
import type { Deps } from "../deps.ts";
import { admitKey, admitRate, admitReader } from "./access.ts";
import { getExplanation } from "./artefacts.ts";
import type { RequestEnv } from "./context.ts";
import { getExplain, postExplain } from "./explain.ts";
import { getHealth, getReadiness } from "./health.ts";
import { getLayers, getModel, getModels } from "./models.ts";
import { openApi } from "./openapi.ts";
import { hardened, problemResponse } from "./problems.ts";
import { getSweep, getSweepReport, postCancel, postRedrive, postSweep } from "./sweeps.ts";

export type App = Hono<RequestEnv>;

/** Requests are answered by `app.fetch`; no route throws out of it. */
export function createApp(deps: Deps): App {
  const app = new Hono<RequestEnv>();
  app.use(async (c, next) => {
    const start = performance.now();
    c.set("requestId", c.req.header("cf-ray") ?? crypto.randomUUID());
    await next();
    const milliseconds = performance.now() - start;
    deps.metrics.count(c.req.method, c.res.status, milliseconds);
    deps.log({
      event: "request",
      request: c.get("requestId"),
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      outcome: c.get("outcome") ?? null,
      result: c.get("result") ?? null,
      bytes: Number(c.res.headers.get("content-length") ?? 0),
      milliseconds: Math.round(milliseconds),
      ...(c.get("timings") && { timings: rounded(c.get("timings")) }),
    });
  });
  app.onError((error, c) => {
    const requestId = c.get("requestId");
    c.set("outcome", error instanceof AppError ? error.code : "internal");
    if (!(error instanceof AppError))
      deps.log({ event: "fault", request: requestId, error: String(error), stack: error.stack });
    return problemResponse(error, requestId);
  });
  app.notFound((c) => {
    const error = new AppError(
      "not-found",
      `there is no ${c.req.method} ${c.req.path}; /openapi.json lists what there is`,
    );
    return problemResponse(error, c.get("requestId"));
  });

  app.get("/healthz", () => getHealth());
  app.get("/readyz", () => getReadiness(deps));
  app.get("/openapi.json", () => json(openApi));
  app.get("/", (c) => c.redirect("/openapi.json"));

  const reader = (handle: (c: Context<RequestEnv>) => Promise<Response>) => async (c: Context<RequestEnv>) => {
    await admitRate(c, deps);
    await admitReader(c, deps);
    return handle(c);
  };
  app.get(
    "/v1/explain",
    reader((c) => getExplain(c, deps)),
  );
  app.post("/v1/explain", async (c) => {
    await admitRate(c, deps);
    await admitKey(c, deps, "write");
    return postExplain(c, deps);
  });
  app.get(
    "/v1/explanations/*",
    reader((c) => getExplanation(c, deps)),
  );
  app.get(
    "/v1/models",
    reader((c) => getModels(c, deps)),
  );
  app.get(
    "/v1/models/:name",
    reader((c) => getModel(c, deps, c.req.param("name") ?? "")),
  );
  app.get(
    "/v1/models/:name/layers",
    reader((c) => getLayers(c, deps, c.req.param("name") ?? "")),
  );
  const sweeper =
    (handle: (c: Context<RequestEnv>, id: string) => Promise<Response>) => async (c: Context<RequestEnv>) => {
      await admitRate(c, deps);
      await admitKey(c, deps, "sweep");
      return handle(c, c.req.param("id") ?? "");
    };
  app.post(
    "/v1/sweeps",
    sweeper((c) => postSweep(c, deps)),
  );
  app.get(
    "/v1/sweeps/:id",
    reader((c) => getSweep(c, deps, c.req.param("id") ?? "")),
  );
  app.get(
    "/v1/sweeps/:id/report",
    reader((c) => getSweepReport(c, deps, c.req.param("id") ?? "")),
  );
  app.post(
    "/v1/sweeps/:id/cancel",
    sweeper((c, id) => postCancel(c, deps, id)),
  );
  app.post(
    "/v1/sweeps/:id/redrive",
    sweeper((c, id) => postRedrive(c, deps, id)),
  );
  // Never public, whatever is: it tells of everybody's requests.
  app.get("/metrics", async (c) => {
    await admitKey(c, deps, "read");
    return new Response(deps.metrics.text(), { headers: hardened({ "content-type": "text/plain; version=0.0.4" }) });
  });
  return app;
}

const json = (body: unknown): Response =>
  new Response(JSON.stringify(body), { headers: hardened({ "content-type": "application/json" }) });

/** Whole milliseconds: a log is read by people too. */
const rounded = (timings: Timings): Record<string, number> =>
  Object.fromEntries(Object.entries(timings).map(([stage, milliseconds]) => [stage, Math.round(milliseconds)]));
