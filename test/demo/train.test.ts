/** @file The trainer on a net of a few hundred weights: its gradients, its loss, its checkpoints, what it ships. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Batch, BatchSource } from "../../infra/demo/train/batches.ts";
import { type Architecture, multiplyAdds } from "../../infra/demo/train/classifier.ts";
import { rateAt } from "../../infra/demo/train/optimizer.ts";
import { initialParameters, lengthOf, parametersOf, viewOf } from "../../infra/demo/train/parameters.ts";
import { phaseAt, type TrainingPlan } from "../../infra/demo/train/plan.ts";
import { inferenceGraph } from "../../infra/demo/train/ship.ts";
import { type Progress, type TrainingOptions, train } from "../../infra/demo/train/trainer.ts";
import { gradientName, trainingGraph } from "../../infra/demo/train/training-graph.ts";
import type { Value } from "../../shared/graph/ir.ts";
import { openRuntime } from "../../shared/runtime/choose.ts";
import type { Runtime } from "../../shared/runtime/runtime.ts";
import { evaluate, type Tensor, tensor } from "../support/evaluate.ts";
import { random } from "../support/random.ts";

const tiny: Architecture = {
  size: 16,
  stem: 3,
  stages: [
    { channels: 4, residuals: 1 },
    { channels: 6, residuals: 2 },
  ],
  classes: 3,
};

/** Pictures of noise in which a class is a channel brighter than the rest. */
function noiseBatch(step: number, count: number, size = tiny.size): Batch {
  const next = random(step + 1);
  const plane = size ** 2;
  const labels = Float32Array.from({ length: count * tiny.classes }, () => (next() < 0.4 ? 1 : 0));
  const images = Float32Array.from(
    { length: count * 3 * plane },
    (_, i) => 2 * next() - 1 + (labels[Math.floor(i / plane)] ?? 0),
  );
  return { images, labels };
}

/** `steps` steps, of which the first eight are on smaller pictures. */
const planOf = (steps: number, seed = 3): TrainingPlan => ({
  net: tiny,
  phases: [
    { steps: 8, batch: 6, size: 8, changes: 1 },
    { steps: steps - 8, batch: 8, size: 16, changes: 1 },
  ],
  seed,
  rate: 0.02,
});
const plan = planOf(20);
const batchAt = (step: number): Batch => {
  const { batch, size } = phaseAt(planOf(1000), step);
  return noiseBatch(step, batch, size);
};
const batches: BatchSource = async (step) => batchAt(step);

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "backlight-train-"));
  runtime = await openRuntime("auto");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (name: string, options: Partial<TrainingOptions> = {}, changed = plan) =>
  train(changed, { runtime, batches, checkpoint: path.join(folder, name), every: 5, ...options });

const bits = ({ state, losses }: Progress): string =>
  JSON.stringify([state.step, losses, ...[state.parameters, state.first, state.second, state.average].map(hexOf)]);
const hexOf = ({ buffer, byteOffset, byteLength }: Float32Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString("hex");

/** Feeds of the training graph, in float64. */
function feedsOf(inputs: readonly Value[], flat: Float32Array, batch: Batch): Map<Value, Tensor> {
  const parameters = parametersOf(tiny);
  return new Map(
    inputs.map((input) => {
      const dims = (input.type?.shape ?? []).map(Number);
      const parameter = parameters.find((p) => p.name === input.name);
      const data = parameter ? viewOf(flat, parameter) : input.name === "image" ? batch.images : batch.labels;
      return [input, tensor(dims, Float64Array.from(data))];
    }),
  );
}

const tensorAt = (values: ReadonlyMap<Value, Tensor>, value: Value | undefined): Tensor => {
  const found = value && values.get(value);
  if (found === undefined) throw new Error("no such value");
  return found;
};

describe("the training graph", () => {
  const graph = trainingGraph(tiny, 2);
  const [loss] = graph.outputs;
  const flat = initialParameters(tiny, 5);
  const batch = noiseBatch(0, 2);
  const lossAt = (feeds: ReadonlyMap<Value, Tensor>): number => tensorAt(evaluate(graph, feeds), loss).data[0] ?? NaN;

  it("has gradients that equal the slope of the loss along random directions of every parameter", () => {
    const feeds = feedsOf(graph.inputs, flat, batch);
    const found = evaluate(graph, feeds);
    const next = random(8);
    const step = 1e-5;
    for (const { name } of parametersOf(tiny)) {
      const input = graph.inputs.find((v) => v.name === name);
      const x = input && feeds.get(input);
      if (input === undefined || x === undefined) throw new Error(`no input "${name}"`);
      const gradient = tensorAt(
        found,
        graph.outputs.find((v) => v.name === gradientName(name)),
      );
      expect(gradient.dims).toEqual(x.dims);
      const direction = x.data.map(() => 2 * next() - 1);
      const moved = (by: number): number =>
        lossAt(
          new Map(feeds).set(
            input,
            tensor(
              x.dims,
              x.data.map((v, i) => v + by * (direction[i] ?? 0)),
            ),
          ),
        );
      const slope = (moved(step) - moved(-step)) / (2 * step);
      const products = Array.from(gradient.data, (d, i) => d * (direction[i] ?? 0));
      const size = products.reduce((sum, p) => sum + Math.abs(p), 0);
      expect(size, `the gradient of ${name}`).toBeGreaterThan(0);
      const error = Math.abs(products.reduce((sum, p) => sum + p, 0) - slope) / Math.max(size, 1e-4);
      expect(error, `relative error of ${name}`).toBeLessThan(1e-6);
    }
  });

  it("has the cross-entropy of the probabilities the shipped net gives", () => {
    const shipped = inferenceGraph(tiny, flat);
    const [image] = shipped.inputs;
    if (image === undefined) throw new Error("no input");
    const images = tensor([2, 3, tiny.size, tiny.size], Float64Array.from(batch.images));
    const { data: p } = tensorAt(evaluate(shipped, new Map([[image, images]])), shipped.outputs[0]);
    const terms = Array.from(p, (q, i) => -Math.log(batch.labels[i] === 1 ? q : 1 - q));
    const mean = terms.reduce((sum, t) => sum + t, 0) / terms.length;
    // The shipped weights are rounded to float32.
    expect(lossAt(feedsOf(graph.inputs, flat, batch))).toBeCloseTo(mean, 6);
  });

  it("ships convolutions, ReLUs, sums, a pool, a linear layer and a sigmoid, its stages named", () => {
    const shipped = inferenceGraph(tiny, flat);
    const operators = new Set(shipped.nodes.map((node) => node.op));
    expect(operators).toEqual(new Set(["Conv", "Relu", "Add", "GlobalAveragePool", "Flatten", "Gemm", "Sigmoid"]));
    const names = shipped.nodes.flatMap((node) => node.outputs.map((v) => v?.name));
    expect(names).toEqual(expect.arrayContaining(["stage1", "stage2", "logits", "probabilities"]));
  });

  it("counts its multiply-adds as its convolutions have them", () => {
    const convolved = 3 * 3 * 64 + 3 * 4 * 16 + 4 * 4 * 16 + 4 * 6 * 4 + 2 * 6 * 6 * 4;
    expect(multiplyAdds(tiny)).toBe(9 * convolved + 6 * 3);
    expect(lengthOf(parametersOf(tiny))).toBe(9 * (9 + 12 + 16 + 24 + 72) + 2 * (3 + 4 + 4 + 6 + 12) + 18 + 3);
  });
});

describe("training", () => {
  it("lowers the loss", async () => {
    const { losses } = await run("falls", {}, planOf(150));
    const mean = (part: readonly number[]): number => part.reduce((a, b) => a + b, 0) / part.length;
    expect(mean(losses.slice(-20))).toBeLessThan(0.5 * mean(losses.slice(0, 10)));
  });

  it("gives the same bits from the same seed, and others from another", async () => {
    const once = await run("once", {}, planOf(10));
    expect(bits(await run("twice", {}, planOf(10)))).toBe(bits(once));
    expect(bits(await run("other", {}, planOf(10, 4)))).not.toBe(bits(once));
  });

  it("goes on after an end without warning as if there had been none", async () => {
    const straight = await run("straight");
    // It dies at step 13, three steps after the last checkpoint.
    const dying: BatchSource = async (step) => {
      if (step === 13) throw new Error("the power failed");
      return batchAt(step);
    };
    await expect(run("resumed", { batches: dying })).rejects.toThrow("the power failed");
    const asked: number[] = [];
    const resumed = await run("resumed", {
      batches: async (step) => {
        asked.push(step);
        return batchAt(step);
      },
    });
    expect(asked[0]).toBe(10);
    expect(bits(resumed)).toBe(bits(straight));
    const seen: number[] = [];
    const again = await run("resumed", { onCheckpoint: async ({ state }) => void seen.push(state.step) });
    expect(seen).toEqual([20]);
    expect(bits(again)).toBe(bits(straight));
  });

  it("saves the step it is at when cancelled, and goes on from there", async () => {
    const straight = await run("uncancelled", {}, planOf(12));
    const cancel = new AbortController();
    const onStep = ({ state }: Progress): void => {
      if (state.step === 7) cancel.abort();
    };
    await expect(run("cancelled", { signal: cancel.signal, onStep }, planOf(12))).rejects.toMatchObject({
      code: "cancelled",
    });
    const steps: number[] = [];
    const resumed = await run("cancelled", { onStep: ({ state }) => steps.push(state.step) }, planOf(12));
    expect(steps[0]).toBe(8);
    expect(bits(resumed)).toBe(bits(straight));
  });

  it("does not go on from a checkpoint that was cut, altered, or made with other options", async () => {
    const file = path.join(folder, "damaged");
    await run("damaged", {}, planOf(10));
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(0, whole.length - 100));
    await expect(run("damaged")).rejects.toMatchObject({
      code: "model-malformed",
      message: expect.stringContaining("altered or cut"),
    });
    const altered = Uint8Array.from(whole);
    altered[whole.length - 50] = (altered[whole.length - 50] ?? 0) ^ 1;
    await writeFile(file, altered);
    await expect(run("damaged")).rejects.toMatchObject({
      code: "model-malformed",
      message: expect.stringContaining("altered or cut"),
    });
    await writeFile(file, whole);
    await expect(run("damaged", {}, planOf(20, 4))).rejects.toMatchObject({ code: "spec-invalid" });
    await expect(run("damaged")).resolves.toMatchObject({ state: { step: 20 } });
  });

  it("may be planned longer or shorter until its rate falls, and not from there on", async () => {
    const straight = await run("as planned", {}, planOf(40));
    const dying =
      (at: number): BatchSource =>
      async (step) => {
        if (step === at) throw new Error("the power failed");
        return batchAt(step);
      };
    await expect(run("replanned", { batches: dying(26) }, planOf(60))).rejects.toThrow("the power failed");
    expect(bits(await run("replanned", {}, planOf(40)))).toBe(bits(straight));
    await expect(run("replanned", {}, planOf(60))).rejects.toMatchObject({ code: "spec-invalid" });
  });

  it("stops where the loss is no number", async () => {
    const broken: BatchSource = async (step) => {
      const batch = batchAt(step);
      batch.images.fill(Number.NaN);
      return batch;
    };
    await expect(run("broken", { batches: broken })).rejects.toMatchObject({ code: "runtime-failed" });
  });

  it("has a rate that rises, stays, and falls to nothing, whose plateau does not depend on the number of steps", () => {
    const rates = Array.from({ length: 1000 }, (_, step) => rateAt(step, { steps: 1000, rate: 1 }));
    expect(rates[0]).toBeLessThan(0.01);
    expect(rates[500]).toBe(1);
    expect(rates[999]).toBeLessThan(0.01);
    expect(rates.slice(0, 700)).toEqual(
      Array.from({ length: 700 }, (_, step) => rateAt(step, { steps: 5000, rate: 1 })),
    );
  });
});
