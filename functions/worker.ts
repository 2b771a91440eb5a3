/** @file The Worker: its handlers and its Workflow are wiring. What they do is in shared/ and beside this file. */
import { WorkflowEntrypoint } from "cloudflare:workers";
import type { ExecutionContext, ExportedHandler, Queue, R2Bucket, RateLimit } from "@cloudflare/workers-types";
import { EDGE_LIMITS, EDGE_PICTURE_SIDE } from "../shared/imaging/limits.ts";
import { type Upload, uploadEvent } from "../shared/pipeline/events.ts";
import { reconcile } from "../shared/pipeline/reconcile.ts";
import { edgeRuntime } from "../shared/runtime/edge.ts";
import { edgeCodecs } from "../shared/runtime/edge-codecs.ts";
import { r2Store } from "../shared/storage/r2.ts";
import { s3Store } from "../shared/storage/s3.ts";
import { createDeps, type Deps } from "./deps.ts";
import { type App, createApp } from "./http/app.ts";
import { problemResponse } from "./http/problems.ts";
import { consumeDeadShards, consumeShards } from "./queue/shards.ts";
import { consumeDeadLetters, consumeUploads } from "./queue/uploads.ts";
import { readSettings } from "./settings.ts";
import { startScheduled } from "./sweeps/schedule.ts";
import { ensureInstance, runSweep, type Step, type SweepBindings, type SweepPayload } from "./sweeps/workflow.ts";

/** Bindings of wrangler.toml. Variables and secrets are read by settings.ts. */
interface Env extends Record<string, unknown>, SweepBindings {
  readonly BUCKET: R2Bucket;
  readonly UPLOADS: Queue<unknown>;
  readonly LIMITER: RateLimit;
}

/** Who consumes which queue of wrangler.toml; what failed too often is in those that end in "-failed". */
const consumers: Readonly<Record<string, typeof consumeUploads>> = {
  "backlight-uploads": consumeUploads,
  "backlight-uploads-failed": consumeDeadLetters,
  "backlight-sweeps": consumeShards,
  "backlight-sweeps-failed": consumeDeadShards,
};
/** The trigger of the reconciliation, as in wrangler.toml; every other one starts sweeps. */
const reconciliationCron = "*/15 * * * *";

const MEGA = 1_000_000;
/** Half of what the engine's heap may grow to: estimates of what sessions hold are rough. */
const sessionBytesMax = 48 * MEGA;
/** Compiling holds the whole model in JavaScript, beside an engine that may have grown to its ceiling. */
const compileBytesMax = 24 * MEGA;
/** Of 10,000 subrequests an invocation may make, a thousand images take about fifteen. */
const reconcileImagesMax = 100_000;
/** A queue's retries of an upload take up to about this long. */
const reconcileGraceMilliseconds = 15 * 60_000;

interface Started {
  readonly deps: Deps;
  readonly app: App;
}

/** Made once an isolate; where settings are wrong every request says so until they are right. */
let started: Promise<Started> | undefined;

function start(env: Env): Promise<Started> {
  started ??= make(env);
  started.catch(() => {
    started = undefined;
  });
  return started;
}

async function make(env: Env): Promise<Started> {
  const settings = await readSettings(env);
  const deps = createDeps(
    {
      name: "workerd",
      store: settings.s3 === null ? r2Store(env.BUCKET, settings.bucket) : s3Store(settings.s3),
      runtime: edgeRuntime(),
      decoding: { codecs: edgeCodecs(), limits: EDGE_LIMITS },
      pictureSide: EDGE_PICTURE_SIDE,
      fetch: (url, init) => fetch(url, init),
      admit: async (caller) => (await env.LIMITER.limit({ key: caller })).success,
      sessionBytesMax,
      compileBytesMax,
      startSweep: (run) => ensureInstance(env.SWEEPS, { ...run, chain: 0 }),
    },
    settings,
    (event) => console.log(JSON.stringify(event)),
  );
  return { deps, app: createApp(deps) };
}

const onEvents = {
  async queue(batch, env) {
    const { deps } = await start(env);
    const consume = consumers[batch.queue];
    if (consume === undefined) throw new TypeError(`nobody consumes the queue "${batch.queue}"`);
    await consume(batch.messages, deps);
  },

  async scheduled({ cron, scheduledTime }, env) {
    const { deps } = await start(env);
    await startScheduled(cron, new Date(scheduledTime), deps);
    if (cron !== reconciliationCron) return;
    const found = await reconcile(deps.platform.store, {
      bucket: deps.settings.bucket,
      imagesMax: reconcileImagesMax,
      graceMilliseconds: reconcileGraceMilliseconds,
      enqueue: async (uploads: readonly Upload[]) => {
        await env.UPLOADS.sendBatch(uploads.map((upload) => ({ body: uploadEvent(upload) })));
      },
    });
    deps.log({ event: "reconciliation", ...found });
  },
} satisfies Pick<ExportedHandler<Env>, "queue" | "scheduled">;

/** Requests and responses are the standard's, whose types the platform's own only resemble. */
async function onRequest(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
  try {
    const { app } = await start(env);
    return await app.fetch(request, {}, ctx);
  } catch (error) {
    return problemResponse(error, crypto.randomUUID());
  }
}

/** The durable part of a sweep. */
export class SweepWorkflow extends WorkflowEntrypoint<Env> {
  async run({ payload }: { readonly payload: SweepPayload }, step: Step): Promise<void> {
    const { deps } = await start(this.env);
    await runSweep(payload, step, deps, this.env);
  }
}

const worker = { fetch: onRequest, ...onEvents };

// The platform looks for a default export.
export { worker as default };
