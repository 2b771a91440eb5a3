/** @file SmoothGrad and integrated gradients, against their definitions, in onnxruntime-web. */
import { describe, expect, it } from "vitest";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { int64s } from "../../shared/graph/constant.ts";
import { addNoise } from "../../shared/saliency/noise.ts";
import { evaluate, tensor } from "../support/evaluate.ts";
import { bitsOf, runOnnx, tensorOf } from "../support/run-onnx.ts";
import { randomNumbers, tinyClassifier } from "../support/tiny-models.ts";
import { classes, compiled, expectClose, image, outputOf, size, sum, targets } from "./small.ts";

const count = 4;
const x = image(1);
const pixels = 3 * size * size;
const noise = tensorOf([count, 3, size, size], randomNumbers(2, count * pixels, 0.3));
/** The image with each sample's noise. */
const noisy = Array.from({ length: count }, (_, s) =>
  tensorOf(
    [1, 3, size, size],
    (x.data as Float32Array).map((v, i) => v + ((noise.data as Float32Array)[s * pixels + i] ?? 0)), // float32 as made
  ),
);
const samples = { count, noise: "given" } as const;

const meanOf = (maps: readonly Float32Array[]): Float32Array =>
  Float32Array.from(maps[0] ?? [], (_, i) => sum(maps.map((m) => m[i] ?? 0)) / maps.length);

describe("SmoothGrad", () => {
  it.each([
    ["gradient", "input"],
    ["linear-approximation", "input"],
    ["norm-grad-selective", ["relu1", "relu2"]],
    ["grad-cam", ["relu1"]],
    ["guided-backprop", ["pool1"]],
  ] as const)("is the mean of the maps of noisy images: %s at %s", async (method, layers) => {
    const [smooth, plain] = [
      compiled({ method: `smooth:${method}`, layers, samples, layerMaps: true }),
      compiled({ method, layers, layerMaps: true }),
    ];
    const name = plain.graph.outputs.at(-1)?.name ?? "";
    const maps = await Promise.all(noisy.map((image) => outputOf(plain.bytes, { image, target: targets(2) }, name)));
    expectClose(await outputOf(smooth.bytes, { image: x, noise, target: targets(2) }, name), meanOf(maps));
  });

  it("of gradients takes the mean before it aggregates: of one colour the map is |mean g|", async () => {
    const grey = (x.data as Float32Array).slice(0, size * size); // float32 as made
    const own = randomNumbers(3, count * size * size, 0.3);
    const greyNoise = tensorOf([count, 1, size, size], own);
    const added = Array.from({ length: count }, (_, s) =>
      tensorOf(
        [1, 1, size, size],
        grey.map((v, i) => v + (own[s * size * size + i] ?? 0)),
      ),
    );
    const spec = { layers: "input", samples } as const;
    const smooth = compiled({ method: "smooth-gradient:gradient", ...spec }, { channels: 1 });
    const plain = compiled({ method: "gradient-sum", layers: "input" }, { channels: 1 });
    const gradients = await Promise.all(added.map((image) => outputOf(plain.bytes, { image, target: targets(0) })));
    const found = await outputOf(smooth.bytes, {
      image: tensorOf([1, 1, size, size], grey),
      noise: greyNoise,
      target: targets(0),
    });
    expectClose(found, meanOf(gradients).map(Math.abs));
  });

  it("gives the same bits for the same seed in every session, others for another seed", async () => {
    const seeded = (seed: number) =>
      compiled({ method: "smooth-grad", layers: "input", samples: { count, noise: { level: 0.2, seed } } }).bytes;
    expect(seeded(1)).toEqual(seeded(1));
    const feeds = { image: x, target: targets(1) };
    const [first, again, other] = await Promise.all([1, 1, 2].map((seed) => outputOf(seeded(seed), feeds)));
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it("explains a batch as it explains each image alone, the class ranked on the image without noise", async () => {
    const spec = { method: "smooth-grad", layers: "input" as const, samples: { count } };
    const { bytes } = compiled(spec, { batch: "N" });
    const both = image(9, 2);
    const together = await outputOf(bytes, { image: both, target: targets(-1, -classes) });
    const alone = await Promise.all(
      [-1, -classes].map((t, i) => {
        const own = (both.data as Float32Array).slice(i * pixels, (i + 1) * pixels); // float32 as made
        return outputOf(bytes, { image: tensorOf([1, 3, size, size], own), target: targets(t) });
      }),
    );
    expectClose(
      together,
      alone.flatMap((m) => Array.from(m)),
    );
  });

  it("draws normal noise of the level asked for, anew for each sample", () => {
    const g = new GraphBuilder(emptyGraph());
    const v = g.input("x", { dtype: "float32", shape: [1, 3, 32, 32] });
    const by = addNoise(g, v, "nchw", { level: 0.1, seed: 5, count: 2 });
    const both = [0, 1].map((i) => by(g, g.constant(int64s([], [i]))));
    const values = evaluate(
      g,
      new Map([
        [
          v,
          tensor(
            [1, 3, 32, 32],
            Array.from({ length: 3072 }, (_, i) => i % 3),
          ),
        ],
      ]),
    );
    const [first = [], second = []] = both.map((y) => Array.from(values.get(y)?.data ?? [], (n, i) => n - (i % 3)));
    for (const n of [first, second]) {
      expect(Math.abs(sum(n) / n.length)).toBeLessThan((0.2 * 4) / Math.sqrt(3072));
      // max - min is 2
      expect(Math.sqrt(sum(n.map((e) => e * e)) / n.length)).toBeCloseTo(0.2, 2);
      expect(n.filter((e) => Math.abs(e) < 0.2).length / n.length).toBeCloseTo(0.683, 1);
    }
    const product = sum(first.map((e, i) => e * (second[i] ?? 0))) / (0.04 * 3072);
    expect(Math.abs(product)).toBeLessThan(4 / Math.sqrt(3072));
  });
});

describe("integrated gradients", () => {
  const integrated = async (
    layers: "input" | readonly string[],
    steps: number,
    target: number,
  ): Promise<Float32Array> =>
    outputOf(compiled({ method: "integrated-gradients", layers, samples: { count: steps } }).bytes, {
      image: x,
      target: targets(target),
    });

  it("sum to the difference of the score at the image and at zero", async () => {
    const logit = async (tensor: typeof x): Promise<number> =>
      (await outputOf(tinyClassifier({ softmax: false }), { image: tensor }, "logits"))[3] ?? Number.NaN;
    const zero = tensorOf([1, 3, size, size], new Float32Array(pixels));
    const difference = (await logit(x)) - (await logit(zero));
    expect(sum(await integrated("input", 500, 3))).toBeCloseTo(difference, 3);
  });

  it("at an inner layer follow the path of its activations: with a linear rest, the linear approximation", async () => {
    const { bytes } = compiled({ method: "linear-approximation", layers: ["relu2"] });
    expectClose(await integrated(["relu2"], 3, 1), await outputOf(bytes, { image: x, target: targets(1) }));
  });

  it("are the activations times the mean gradient at the middles of the steps", async () => {
    const steps = 3;
    const plain = compiled({ method: "bias:sum", layers: "input" }, { channels: 1 });
    const path = compiled(
      { method: "integrated-gradients", layers: "input", samples: { count: steps } },
      { channels: 1 },
    );
    const own = randomNumbers(6, size * size);
    const at = (alpha: number) =>
      tensorOf(
        [1, 1, size, size],
        own.map((v) => alpha * v),
      );
    const gradients = await Promise.all(
      [0, 1, 2].map((i) => outputOf(plain.bytes, { image: at((i + 0.5) / steps), target: targets(1) })),
    );
    const want = meanOf(gradients).map((v, i) => v * (own[i] ?? 0));
    expectClose(await outputOf(path.bytes, { image: at(1), target: targets(1) }), want);
  });

  it("of several layers have a path each", async () => {
    const layers = ["relu1", "relu2"];
    const { bytes } = compiled({ method: "integrated-gradients", layers, samples: { count: 8 }, layerMaps: true });
    const feeds = { image: x, target: targets(0) };
    for (const layer of layers) {
      expectClose(await outputOf(bytes, feeds, `map/${layer}`), await integrated([layer], 8, 0));
    }
  });
});

describe("averaged methods", () => {
  it("return the model's outputs bit for bit", async () => {
    const original = await runOnnx(tinyClassifier(), { image: x });
    for (const method of ["smooth-grad", "smooth-gradient:norm-grad", "integrated-gradients"]) {
      const { bytes } = compiled({ method, layers: ["conv1", "relu2"], samples: { count: 2 } }, { softmax: true });
      const outputs = await runOnnx(bytes, { image: x, target: targets(2) });
      expect(bitsOf(outputs.get("probabilities")), method).toEqual(bitsOf(original.get("probabilities")));
    }
  });

  it("keep the file small: samples cost no nodes", () => {
    const nodes = (count: number) => compiled({ method: "smooth-grad", layers: "input", samples: { count } });
    expect(nodes(100).bytes.length - nodes(4).bytes.length).toBeLessThan(2000);
  });

  it.each([0, 1.5, -1, 1e6])("refuse %d samples", (count) => {
    expect(() => compiled({ method: "smooth-grad", samples: { count } })).toThrowError(/number of samples must be/);
  });

  const meta = { step: 0.02, sign: "descent", variant: "stop-gradient", weights: "all" } as const;
  const feeds = { image: x, target: targets(1) };

  it("are explained after a training step too: at a step of 0 as without one", async () => {
    for (const method of ["smooth-grad", "integrated-gradients"]) {
      const spec = { method, layers: ["relu1"], samples: { count: 3 } };
      const [stepped, plain] = [compiled({ ...spec, meta: { ...meta, step: 0 } }), compiled(spec)];
      expectClose(await outputOf(stepped.bytes, feeds), await outputOf(plain.bytes, feeds));
    }
  });

  it("see the stepped net in every sample: without noise one sample is the map after the step", async () => {
    const still = { count: 1, noise: { level: 0, seed: 0 } };
    for (const layers of ["input", ["relu1", "relu2"]] as const) {
      const [smooth, plain] = [
        compiled({ method: "smooth:norm-grad-selective", layers, samples: still, meta }),
        compiled({ method: "norm-grad-selective", layers, meta }),
      ];
      const unstepped = compiled({ method: "norm-grad-selective", layers });
      const after = await outputOf(plain.bytes, feeds);
      expectClose(await outputOf(smooth.bytes, feeds), after);
      expect(after).not.toEqual(await outputOf(unstepped.bytes, feeds));
    }
    const path = { method: "integrated-gradients", layers: ["relu2"], samples: { count: 2 }, meta };
    const linear = { method: "linear-approximation", layers: ["relu2"], meta };
    expectClose(await outputOf(compiled(path).bytes, feeds), await outputOf(compiled(linear).bytes, feeds));
  });
});
