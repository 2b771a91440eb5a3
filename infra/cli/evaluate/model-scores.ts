/** @file The model itself, without explanation: the probability of a class for many inputs at once. */
import { readPrediction, withScores } from "../../../shared/explanation/prediction.ts";
import { exportModel } from "../../../shared/onnx/export.ts";
import type { Feeds, RunTensor, Session } from "../../../shared/runtime/runtime.ts";
import { openGraph, weightFiles } from "../explainer.ts";
import type { EvaluateJob } from "./job.ts";

export interface Scorer {
  /** Of each input in a batch, [count, ...one input] in a row. */
  probabilities(batch: Float32Array, of: number): Promise<readonly number[]>;
  close(): Promise<void>;
}

/** Opens the model when first asked. A model of a fixed batch is run one input at a time. */
export function openModel(job: EvaluateJob): Scorer {
  const [run] = job.runs;
  if (run === undefined) throw new TypeError("an evaluation has a method");
  const { manifest } = run.explainer;
  const [batchSize, ...rest] = job.model.input.shape;
  const inner = rest.map(Number); // known: the model was loaded at the recipe's size
  const size = inner.reduce((n, d) => n * d, 1);
  let session: Promise<Session> | undefined;
  const open = (): Promise<Session> => {
    const bytes = exportModel(withScores(job.model.graph, manifest), { externalWeights: weightFiles(job.model) });
    return openGraph(job.runtime, job.model, bytes, job.model.name, job.terminal.signal);
  };
  const scoresOf = async (data: Float32Array, count: number): Promise<RunTensor> => {
    session ??= open();
    const feeds = { [job.model.input.name]: { dtype: "float32" as const, dims: [count, ...inner], data } };
    const outputs = await (await session).run(feeds, job.terminal.signal);
    const scores = outputs[manifest.objectiveTensor];
    if (scores === undefined) throw new TypeError(`the model has no output "${manifest.objectiveTensor}"`);
    return scores;
  };
  const probability = (scores: RunTensor, row: number, count: number, of: number): number => {
    const outputs: Feeds = { [manifest.objectiveTensor]: rowOf(scores, row, count) };
    return readPrediction(outputs, manifest, job.labels).ranking.find((r) => r.class === of)?.probability ?? 0;
  };
  return {
    probabilities: async (batch, of) => {
      const count = batch.length / size;
      const together = typeof batchSize === "string" ? count : 1;
      const found: number[] = [];
      for (let at = 0; at < count; at += together) {
        const part = Math.min(together, count - at);
        const scores = await scoresOf(batch.slice(at * size, (at + part) * size), part);
        for (let row = 0; row < part; row += 1) found.push(probability(scores, row, part, of));
      }
      return found;
    },
    close: async () => (await session)?.release(),
  };
}

/** One input's part of a tensor whose first axis is the batch. */
function rowOf(tensor: RunTensor, row: number, count: number): RunTensor {
  const size = tensor.data.length / count;
  const data = tensor.data.slice(row * size, (row + 1) * size);
  return { ...tensor, dims: [1, ...tensor.dims.slice(1)], data } as RunTensor; // slice keeps the array's type
}
