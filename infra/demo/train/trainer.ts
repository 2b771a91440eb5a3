/**
 * @file The training loop: a step in the runtime, the update in TypeScript, a checkpoint every so often. Knows no files
 * but the checkpoint, and nothing of scenes.
 */
import { AppError } from "../../../shared/errors.ts";
import { exportModel } from "../../../shared/onnx/export.ts";
import { type Feeds, type Runtime, type Session, tensorNamed } from "../../../shared/runtime/runtime.ts";
import type { Batch, BatchSource } from "./batches.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { startState, type TrainingState, update } from "./optimizer.ts";
import { initialParameters, type Parameter, parametersOf, viewOf } from "./parameters.ts";
import { type Phase, phaseAt, planRate, stepsOf, type TrainingPlan } from "./plan.ts";
import { gradientName, trainingGraph } from "./training-graph.ts";

export interface TrainingOptions {
  readonly runtime: Runtime;
  readonly batches: BatchSource;
  readonly checkpoint: string;
  /** Steps between checkpoints. */
  readonly every: number;
  /** Once aborted the step in progress is finished, saved, and `cancelled` thrown. */
  readonly signal?: AbortSignal;
  readonly onStep?: (progress: Progress) => void;
  /** Called after each checkpoint, and awaited. */
  readonly onCheckpoint?: (progress: Progress) => Promise<void>;
}

export interface Progress {
  readonly state: TrainingState;
  readonly losses: readonly number[];
  /** Seconds trained, over all runs. */
  readonly seconds: number;
}

/**
 * Trains from the checkpoint, or from the start where there is none, to the end of the plan. With the same plan, engine
 * and threads the result is the same to the bit, however often it was interrupted.
 * @throws AppError `runtime-failed` where the loss is no longer a number; `cancelled` once saved after an abort
 */
export async function train(plan: TrainingPlan, options: TrainingOptions): Promise<Progress> {
  const { runtime, signal, checkpoint: file, every } = options;
  const resumed = await readCheckpoint(file, plan, runtime.name);
  const state = resumed?.state ?? startState(initialParameters(plan.net, plan.seed));
  const losses = [...(resumed?.losses ?? [])];
  const earlier = resumed?.seconds ?? 0;
  const began = performance.now();
  const progress = (): Progress => ({ state, losses, seconds: earlier + (performance.now() - began) / 1000 });
  const save = (): Promise<void> => writeCheckpoint(file, progress(), plan, runtime.name);
  const steps = stepsOf(plan);
  const stepper = new Stepper(plan, runtime);
  try {
    // It may have ended between its last checkpoint and what is made of it.
    if (resumed?.state.step === steps) await options.onCheckpoint?.(progress());
    while (state.step < steps) {
      losses.push(await stepper.step(state, await options.batches(state.step)));
      options.onStep?.(progress());
      if (signal?.aborted) {
        await save();
        throw new AppError("cancelled", `training was cancelled after step ${state.step}; the same command goes on`);
      }
      if (state.step % every !== 0 && state.step !== steps) continue;
      await save();
      await options.onCheckpoint?.(progress());
    }
    return progress();
  } finally {
    await stepper.release();
  }
}

/** Takes steps, in a session that is made anew for each phase. */
class Stepper {
  readonly #plan: TrainingPlan;
  readonly #runtime: Runtime;
  readonly #parameters: readonly Parameter[];
  #phase: Phase | undefined;
  #session: Session | undefined;

  constructor(plan: TrainingPlan, runtime: Runtime) {
    this.#plan = plan;
    this.#runtime = runtime;
    this.#parameters = parametersOf(plan.net);
  }

  async release(): Promise<void> {
    await this.#session?.release();
  }

  /** One step in place; the loss before it. */
  async step(state: TrainingState, { images, labels }: Batch): Promise<number> {
    const { net } = this.#plan;
    const phase = phaseAt(this.#plan, state.step);
    const { batch, size } = phase;
    const session = await this.#sessionOf(phase);
    const float32 = (dims: readonly number[], data: Float32Array) => ({ dtype: "float32" as const, dims, data });
    const feeds: Feeds = {
      image: float32([batch, 3, size, size], images),
      labels: float32([batch, net.classes], labels),
      ...Object.fromEntries(this.#parameters.map((p) => [p.name, float32(p.dims, viewOf(state.parameters, p))])),
    };
    const outputs = await session.run(feeds);
    const loss = tensorNamed(outputs, "loss", "float32").data[0] ?? Number.NaN;
    if (!Number.isFinite(loss)) {
      throw new AppError("runtime-failed", `the loss of step ${state.step} is ${loss}: use a lower --rate`);
    }
    const gradientOf = (name: string): Float32Array => tensorNamed(outputs, gradientName(name), "float32").data;
    update(state, this.#parameters, gradientOf, planRate(this.#plan, state.step));
    return loss;
  }

  async #sessionOf(phase: Phase): Promise<Session> {
    if (this.#session !== undefined && this.#phase === phase) return this.#session;
    await this.#session?.release();
    const graph = trainingGraph({ ...this.#plan.net, size: phase.size }, phase.batch);
    this.#session = await this.#runtime.create(exportModel(graph), { label: "the training step" });
    this.#phase = phase;
    return this.#session;
  }
}
