/**
 * @file Sweeps on Cloudflare: a Workflow calls the orchestrator step by step, a queue carries its shards. The
 * Workflow's own state is nothing but how often it was called: where it dies, another one goes on.
 */

import type { Queue, Workflow } from "@cloudflare/workers-types";
import { messageOf } from "../../shared/errors.ts";
import { isPassing } from "../../shared/pipeline/upload.ts";
import { type Advanced, advance } from "../../shared/sweeps/advance.ts";
import { checkSweepId, type Run } from "../../shared/sweeps/layout.ts";
import type { Deps } from "../deps.ts";
import { manifestLinesMax } from "./limits.ts";

/** The platform's step, as far as it is used. */
export interface Step {
  do<T>(name: string, config: StepConfig, work: () => Promise<T>): Promise<T>;
  sleep(name: string, milliseconds: number): Promise<void>;
}

interface StepConfig {
  readonly retries: { readonly limit: number; readonly delay: number; readonly backoff: "exponential" };
  readonly timeout: number;
}

/** What an instance is given: a run, and how many instances were before it. */
export interface SweepPayload extends Run {
  readonly chain: number;
}

export interface SweepBindings {
  readonly SHARDS: Queue<unknown>;
  readonly SWEEPS: Workflow<SweepPayload>;
}

/** An instance has 1,024 steps at most, of which a round takes two and going on one. */
export const roundsMax = 500;
/** What cannot pass is repeated for some minutes; then the instance fails, and the sweep waits to be started again. */
const stepConfig: StepConfig = { retries: { limit: 8, delay: 2_000, backoff: "exponential" }, timeout: 300_000 };
/**
 * As long as a consumer may take: a shard that takes longer is handed out again, which wastes work and harms nothing.
 */
const stallMilliseconds = 15 * 60_000;
const pauseMin = 500;
/** Between steps while storage is away: however long that lasts, the sweep goes on afterwards. */
const outageMilliseconds = 10_000;

export async function runSweep(payload: SweepPayload, step: Step, deps: Deps, bindings: SweepBindings): Promise<void> {
  const { sweep, run, chain } = payload;
  checkSweepId(sweep);
  for (let round = 0; round < roundsMax; round += 1) {
    const { phase, waitMilliseconds } = await step.do(`round ${round}`, stepConfig, async () => {
      const advanced = await advanceOnce({ sweep, run }, deps, bindings);
      deps.log({ event: "sweep", sweep, run, chain, round, ...advanced });
      return { ...advanced };
    });
    if (phase === "over") return;
    if (waitMilliseconds > 0) await step.sleep(`pause ${round}`, Math.max(pauseMin, waitMilliseconds));
  }
  await step.do("go on", stepConfig, async () => {
    await ensureInstance(bindings.SWEEPS, { sweep, run, chain: chain + 1 });
    return null;
  });
}

/** What may pass is waited for; a step's own retries would give up after minutes. */
async function advanceOnce({ sweep, run }: Run, { platform, log }: Deps, { SHARDS }: SweepBindings): Promise<Advanced> {
  try {
    return await advance(platform.store, sweep, {
      run,
      enqueue: async (shards) => void (await SHARDS.sendBatch(shards.map((body) => ({ body })))),
      manifestLinesMax,
      stallMilliseconds,
    });
  } catch (error) {
    if (!isPassing(error)) throw error;
    log({ event: "sweep", sweep, run, failed: messageOf(error) });
    return { phase: "waiting", waitMilliseconds: outageMilliseconds };
  }
}

/** An instance's name: the same run has the same one, so that it is not started twice. */
export const instanceId = ({ sweep, run, chain }: SweepPayload): string => `${sweep}-r${run}-${chain}`;

/** What drives nothing any more. The last instance of a sweep that is over completes again at once. */
const ended = new Set(["complete", "errored", "terminated", "unknown"]);

/**
 * Starts an instance, or has the last one that came after it begin again where it ended: the ledger says where the
 * sweep is.
 */
export async function ensureInstance(workflow: Workflow<SweepPayload>, first: SweepPayload): Promise<void> {
  const find = (params: SweepPayload) => workflow.get(instanceId(params)).catch(() => null);
  let params = first;
  for (let next = first; (await find(next)) !== null; next = { ...next, chain: next.chain + 1 }) params = next;
  const id = instanceId(params);
  let fault: unknown = null;
  // Also where there is one: the local stack, started anew, wakes an instance only so.
  await workflow.create({ id, params }).catch((error: unknown) => {
    fault = error;
  });
  // The platform names no code for an instance that is there: whether it is tells what was wrong.
  const instance = await find(params);
  if (instance === null) {
    if (fault === null) return;
    throw fault;
  }
  const { status } = await instance.status();
  if (ended.has(status)) await instance.restart();
}
