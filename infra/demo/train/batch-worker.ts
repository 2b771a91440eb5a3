/** @file What the thread of batch-thread.ts does: it is sent steps and sends back their batches. */
import { parentPort, workerData } from "node:worker_threads";
import { loadAtlas } from "../atlas.ts";
import { type Batch, trainingBatches } from "./batches.ts";
import type { TrainingPlan } from "./plan.ts";

export interface MadeBatch {
  readonly step: number;
  readonly batch: Batch;
}

const plan: TrainingPlan = workerData;
const batchAt = trainingBatches(plan, await loadAtlas());
parentPort?.on("message", (step: number) => {
  const made: MadeBatch = { step, batch: batchAt(step) };
  parentPort?.postMessage(made, [made.batch.images.buffer, made.batch.labels.buffer]);
});
