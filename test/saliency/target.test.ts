/** @file What can be asked for at run time: sums and differences of classes, regions of a dense output. */
import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import type { Objective } from "../../shared/saliency/spec.ts";
import { tensorOf } from "../support/run-onnx.ts";
import { classes, compiled, expectClose, image, outputOf, sum, targets } from "./small.ts";

const x = image(4);
const ids = (batch: number, ...values: readonly number[]): ort.Tensor =>
  new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [batch, values.length / batch]);
const coefficients = (batch: number, ...values: readonly number[]): ort.Tensor =>
  tensorOf([batch, values.length / batch], Float32Array.from(values));

describe("several classes in one objective", () => {
  const alone = (target: number, objective: Objective): Promise<Float32Array> =>
    outputOf(compiled({ method: "linear-approximation", objective }).bytes, { image: x, target: targets(target) });

  it.each(["logit", "log-softmax", "probability"] as const)(
    "are the sum of theirs, by coefficient: %s",
    async (objective) => {
      const { bytes } = compiled({ method: "linear-approximation", objective, terms: 2 });
      const found = await outputOf(bytes, { image: x, target: ids(1, 3, 1), coefficient: coefficients(1, 1, -0.5) });
      const [first, second] = [await alone(3, objective), await alone(1, objective)];
      expectClose(
        found,
        first.map((v, i) => v - 0.5 * (second[i] ?? 0)),
      );
    },
  );

  it("may be ranks, and a coefficient of 0 leaves a place empty", async () => {
    const { bytes } = compiled({ method: "norm-grad-selective", layers: ["relu1"], terms: 3 });
    const run = (target: ort.Tensor, coefficient: ort.Tensor): Promise<Float32Array> =>
      outputOf(bytes, { image: x, target, coefficient });
    const logits = await outputOf(
      bytes,
      { image: x, target: ids(1, 0, 0, 0), coefficient: coefficients(1, 1, 0, 0) },
      "logits",
    );
    const order = [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0));
    const [top = 0, second = 0] = order;
    const want = await run(ids(1, top, second, 4), coefficients(1, 1, -1, 0));
    expect(await run(ids(1, -1, -2, 0), coefficients(1, 1, -1, 0))).toEqual(want);
    const { bytes: plain } = compiled({ method: "norm-grad-selective", layers: ["relu1"] });
    expectClose(
      await run(ids(1, 2, 2, 2), coefficients(1, 0.5, 0.5, 0)),
      await outputOf(plain, { image: x, target: targets(2) }),
    );
  });

  it("differ from image to image", async () => {
    const spec = { method: "linear-approximation", terms: 2 };
    const { bytes } = compiled(spec, { batch: "N" });
    const both = image(5, 2);
    const half = both.size / 2;
    const together = await outputOf(bytes, {
      image: both,
      target: ids(2, 0, 1, 2, 3),
      coefficient: coefficients(2, 1, -1, 1, 1),
    });
    const each = await Promise.all(
      [0, 1].map((i) =>
        outputOf(bytes, {
          image: tensorOf([1, 3, 8, 8], (both.data as Float32Array).slice(i * half, (i + 1) * half)), // float32 as made
          target: i === 0 ? ids(1, 0, 1) : ids(1, 2, 3),
          coefficient: i === 0 ? coefficients(1, 1, -1) : coefficients(1, 1, 1),
        }),
      ),
    );
    expectClose(
      together,
      each.flatMap((m) => Array.from(m)),
    );
  });

  it("cost a single class nothing: its explainer has the inputs it always had", () => {
    const { graph } = compiled({ method: "gradient" });
    expect(graph.inputs.map((v) => v.name)).toEqual(["image", "target"]);
    expect(graph.nodes.some((n) => n.op === "OneHot")).toBe(false);
    expect(compiled({ method: "gradient", terms: 2 }).graph.inputs.map((v) => v.name)).toEqual([
      "image",
      "target",
      "coefficient",
    ]);
  });

  it("are at least one", () => {
    expect(() => compiled({ method: "gradient", terms: 0 })).toThrowError(/made of 1 to 1000 classes, not 0/);
  });

  it("have no common training step", () => {
    const meta = { step: 0.1, sign: "descent", variant: "stop-gradient", weights: "all" } as const;
    expect(() => compiled({ method: "gradient", terms: 2, meta })).toThrowError(/a step towards one class/);
  });
});

describe("a region of a dense output", () => {
  // relu2 as scores: 6 classes on a 4 x 4 map. d objective / d score is then the share of each location.
  const spec = { objective: "region", output: "relu2", layers: ["relu2"], method: "gradient-sum" } as const;
  const box = (...values: readonly number[]): ort.Tensor => tensorOf([values.length / 4, 4], Float32Array.from(values));
  const shares = (region: ort.Tensor): Promise<Float32Array> =>
    outputOf(compiled(spec).bytes, { image: x, target: targets(2), region });

  it("counts each location by how much of it lies in the box", async () => {
    // x from 0.25 to 0.75: columns 1 and 2; y from 0 to 0.375: row 0, half of row 1
    const share = 1 / 3;
    expectClose(await shares(box(0.25, 0, 0.5, 0.375)), [
      ...[0, share, share, 0],
      ...[0, share / 2, share / 2, 0],
      ...new Array<number>(8).fill(0),
    ]);
  });

  it("is everything, or a pixel's location", async () => {
    expectClose(await shares(box(0, 0, 1, 1)), new Array<number>(16).fill(1 / 16));
    const pixel = await shares(box(5 / 8, 3 / 8, 1 / 8, 1 / 8));
    expectClose(
      pixel,
      Array.from({ length: 16 }, (_, i) => (i === 4 + 2 ? 1 : 0)),
    );
  });

  it("outside the image is nothing, not NaN", async () => {
    expect(await shares(box(1.5, 0, 0.5, 1))).toEqual(new Float32Array(16));
    expect(sum(await shares(box(0.5, 0, 3, 1)))).toBeCloseTo(1, 5);
  });

  it("ranks classes by their mean in the box", async () => {
    const { bytes } = compiled({ ...spec, method: "linear-approximation", layers: ["pool1"] });
    const scores = await outputOf(
      compiled({ ...spec, method: "norm-grad", layers: ["relu2"] }).bytes,
      { image: x, target: targets(0), region: box(0, 0, 1, 1) },
      "logits",
    );
    expect(scores).toHaveLength(classes);
    const region = box(0.5, 0.5, 0.5, 0.5);
    const run = (target: number): Promise<Float32Array> =>
      outputOf(bytes, { image: x, target: targets(target), region });
    const all = await Promise.all([0, 1, 2, 3, 4, 5].map(run));
    const activations = compiled({
      method: "scaling:sum",
      output: "relu2",
      objective: "region",
      layers: ["relu2"],
    }).bytes;
    const means = await Promise.all(
      [0, 1, 2, 3, 4, 5].map(async (c) => sum(await outputOf(activations, { image: x, target: targets(c), region }))),
    );
    const top = means.indexOf(Math.max(...means));
    expect(await run(-1)).toEqual(all[top]);
  });

  it("needs a map of scores", () => {
    expect(() => compiled({ ...spec, output: "logits" })).toThrowError(/needs scores at each location/);
  });
});
