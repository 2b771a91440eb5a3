/**
 * @file Sweeps on Cloudflare: a Workflow calls the orchestrator step by step, a queue carries its shards. The
 * Workflow's own state is nothing but how often it was called: where it dies, another one goes on.
 */
import type { Queue, Workflow } from "@cloudflare/workers-types";
import { advance } from "../../shared/sweeps/advance.ts";
import { checkSweepId, type Run } from "../../shared/sweeps/layout.ts";
import type { ShardMessage } from "../../shared/sweeps/shard.ts";
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
/** A step that fails is repeated for some minutes; then the instance fails, and the sweep waits to be started again. */
const stepConfig: StepConfig = { retries: { limit: 8, delay: 2_000, backoff: "exponential" }, timeout: 300_000 };
/** What a queue takes at once. */
export const sendMax = 100;
/**
 * As long as a consumer may take: a shard that takes longer is handed out again, which wastes work and harms nothing.
 */
const stallMilliseconds = 15 * 60_000;
const pauseMin = 500;

export async function runSweep(payload: SweepPayload, step: Step, deps: Deps, bindings: SweepBindings): Promise<void> {
  const { sweep, run, chain } = payload;
  checkSweepId(sweep);
  for (let round = 0; round < roundsMax; round += 1) {
    const { phase, waitMilliseconds } = await step.do(`round ${round}`, stepConfig, async () => {
      const advanced = await advance(deps.platform.store, sweep, {
        enqueue: (shards) => sendShards(bindings.SHARDS, shards),
        manifestLinesMax,
        stallMilliseconds,
      });
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

async function sendShards(queue: Queue<unknown>, shards: readonly ShardMessage[]): Promise<void> {
  for (let i = 0; i < shards.length; i += sendMax) {
    await queue.sendBatch(shards.slice(i, i + sendMax).map((body) => ({ body })));
  }
}

/** An instance's name: the same run has the same one, so that it is not started twice. */
export const instanceId = ({ sweep, run, chain }: SweepPayload): string => `${sweep}-r${run}-${chain}`;

/** What ended before its sweep did. */
const ended = new Set(["errored", "terminated", "unknown"]);

/** Starts an instance, or has the one that failed begin again: the ledger says where the sweep is. */
export async function ensureInstance(workflow: Workflow<SweepPayload>, params: SweepPayload): Promise<void> {
  const id = instanceId(params);
  try {
    await workflow.create({ id, params });
  } catch (error) {
    // The platform names no code for an instance that is there: whether it is tells what was wrong.
    const instance = await workflow.get(id).catch(() => null);
    if (instance === null) throw error;
    const { status } = await instance.status();
    if (ended.has(status)) await instance.restart();
  }
}
