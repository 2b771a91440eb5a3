/** @file Explainers of a small classifier, run in stock onnxruntime-web: what they return, and what is refused. */
import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { compileExplainer, manifestKey } from "../../shared/saliency/compile.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { defaultSpec, type ExplainSpec } from "../../shared/saliency/spec.ts";
import { bitsOf, runOnnx, tensorOf } from "../support/run-onnx.ts";
import {
  modelBytes,
  node,
  randomNumbers,
  type TinyClassifierOptions,
  tensorInfo,
  tinyClassifier,
} from "../support/tiny-models.ts";

const size = 8;
const classes = 5;
const image = (seed: number, batch = 1): ort.Tensor =>
  tensorOf([batch, 3, size, size], randomNumbers(seed, batch * 3 * size * size));
const targets = (...ids: readonly number[]): ort.Tensor =>
  new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [ids.length]);

function graphOf(options: TinyClassifierOptions = {}) {
  const { graph, declared } = importModel(tinyClassifier(options));
  return prepare(graph, { declared });
}

function compiled(spec: Partial<ExplainSpec> = {}, options: TinyClassifierOptions = {}) {
  const explainer = compileExplainer(graphOf(options), { ...defaultSpec, layers: "last", ...spec }, { sha256: "0" });
  return { ...explainer, bytes: exportModel(explainer.graph) };
}

async function saliency(
  bytes: Uint8Array,
  x: ort.Tensor,
  target: ort.Tensor,
  name = "saliency",
): Promise<Float32Array> {
  const data = (await runOnnx(bytes, { image: x, target })).get(name)?.data;
  if (!(data instanceof Float32Array)) throw new TypeError("saliency is float32");
  return data;
}

const close = (a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number): void => {
  expect(a.length).toBe(b.length);
  const scale = Array.from(b).reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
  expect(Math.max(...Array.from(a, (v, i) => Math.abs(v - (b[i] ?? Number.NaN)))) / scale).toBeLessThan(tolerance);
};

describe("the explainer", () => {
  it("returns the model's outputs bit for bit, whatever layers are read", async () => {
    const original = await runOnnx(tinyClassifier(), { image: image(1) });
    for (const layers of [
      ["conv1"],
      ["relu1"],
      ["pool1"],
      ["conv2"],
      ["relu2"],
      ["image"],
      ["conv1", "relu1", "pool1", "conv2", "relu2"],
    ]) {
      const { bytes } = compiled({ layers });
      const outputs = await runOnnx(bytes, { image: image(1), target: targets(2) });
      expect(bitsOf(outputs.get("probabilities")), layers.join()).toEqual(bitsOf(original.get("probabilities")));
    }
  });

  it("takes image and target, and returns the model's outputs, saliency, then raw maps by layer", () => {
    const { graph } = compiled({ layers: ["relu1", "relu2"], layerMaps: true });
    expect(graph.inputs.map((v) => v.name)).toEqual(["image", "target"]);
    expect(graph.outputs.map((v) => v.name)).toEqual(["probabilities", "saliency", "map/relu1", "map/relu2"]);
    expect(graph.outputs.map((v) => v.type?.shape)).toEqual([
      [1, classes],
      [1, 1, 8, 8],
      [1, 1, 8, 8],
      [1, 1, 4, 4],
    ]);
  });

  it("records its spec, layers and source in the file itself", () => {
    const { bytes, manifest } = compiled({ layers: ["relu1", "relu2"], weights: "linear" });
    const text = importModel(bytes).graph.metadata.get(manifestKey) ?? "";
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(manifest)));
    expect(manifest.layers.map((l) => l.weight)).toEqual([1 / 3, 2 / 3]);
    expect(manifest.objectiveTensor).toBe("logits");
  });

  it("gives the same bytes for the same model and spec", () => {
    expect(compiled().bytes).toEqual(compiled().bytes);
  });

  it("decides negative targets by rank: -1 the top class, -C the last", async () => {
    const outputs = await runOnnx(tinyClassifier(), { image: image(3) });
    const scores = Array.from(outputs.get("probabilities")?.data as Float32Array); // the model's output type
    const order = scores.map((_, i) => i).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
    const { bytes } = compiled({ method: parseMethod("linear-approximation") });
    for (const rank of [1, 2, classes]) {
      const [byRank, byClass] = [
        await saliency(bytes, image(3), targets(-rank)),
        await saliency(bytes, image(3), targets(order[rank - 1] ?? -1)),
      ];
      expect(byRank).toEqual(byClass);
    }
  });

  it.each([[classes], [-classes - 1]])("fails the run for target %i, which no class has", async (target) => {
    await expect(saliency(compiled().bytes, image(1), targets(target))).rejects.toThrow(/bound|range/i);
  });

  it("explains a batch with a class for each image as it explains each alone", async () => {
    for (const method of ["norm-grad-selective", "grad-cam", "conv3x3:max", "gradient"]) {
      const spec = { method: parseMethod(method), layers: ["relu1", "relu2"] } as const;
      const { bytes } = compiled(spec, { batch: "N" });
      const together = await saliency(bytes, image(9, 2), targets(4, 1));
      const all = image(9, 2).data as Float32Array; // tensorOf makes float32
      const half = all.length / 2;
      const alone = [4, 1].map((t, i) =>
        saliency(bytes, tensorOf([1, 3, size, size], all.slice(i * half, (i + 1) * half)), targets(t)),
      );
      const each = (await Promise.all(alone)).flatMap((m) => Array.from(m));
      close(together, each, 1e-5);
    }
  });
});

describe("a model whose height and width are open", () => {
  const open = (inputShape: readonly (number | string)[]): Uint8Array => {
    const { graph, declared } = importModel(tinyClassifier());
    const prepared = prepare(graph, { declared, inputShapes: new Map([["image", inputShape]]) });
    const spec = { ...defaultSpec, layers: ["relu1", "relu2"] };
    return exportModel(compileExplainer(prepared, spec, { sha256: "" }).graph);
  };

  it.each([
    [8, 8],
    [13, 10],
    [9, 17],
  ])("is explained at %i x %i as the model fixed to that size is", async (h, w) => {
    const x = tensorOf([1, 3, h, w], randomNumbers(h * w, 3 * h * w));
    const [own, fixed] = [open(["N", 3, "H", "W"]), open([1, 3, h, w])];
    close(await saliency(own, x, targets(1)), await saliency(fixed, x, targets(1)), 1e-5);
  });
});

describe("objectives", () => {
  /** The map sum_k g_k at the image is the gradient itself, summed over colours. */
  const gradient = async (spec: Partial<ExplainSpec>, target: number, softmax = true): Promise<Float32Array> => {
    const { bytes } = compiled({ ...spec, method: parseMethod("gradient-sum"), layers: "input" }, { softmax });
    return saliency(bytes, image(5), targets(target));
  };
  const each = Array.from({ length: classes }, (_, c) => c);

  async function probabilities(): Promise<number[]> {
    return Array.from(
      (await runOnnx(tinyClassifier(), { image: image(5) })).get("probabilities")?.data as Float32Array,
    );
  }

  it("takes the logit before a final Softmax", async () => {
    close(await gradient({ objective: "logit" }, 2), await gradient({ objective: "logit" }, 2, false), 1e-6);
  });

  it("has d log p_c = dy_c - sum_j p_j dy_j, and nll as its negative", async () => {
    const p = await probabilities();
    const logits = await Promise.all(each.map((c) => gradient({ objective: "logit" }, c)));
    const want = Array.from(
      logits[2] ?? [],
      (v, u) => v - each.reduce((s, j) => s + (p[j] ?? 0) * (logits[j]?.[u] ?? 0), 0),
    );
    close(await gradient({ objective: "log-softmax" }, 2), want, 1e-4);
    close(
      await gradient({ objective: "nll" }, 2),
      want.map((v) => -v),
      1e-4,
    );
    close(
      await gradient({ objective: "probability" }, 2),
      want.map((v) => v * (p[2] ?? 0)),
      1e-4,
    );
    // Where the model ends in logits the softmax is ours.
    close(
      await gradient({ objective: "probability" }, 2, false),
      want.map((v) => v * (p[2] ?? 0)),
      1e-4,
    );
  });

  it("averages the gradient over locations by a softmax for pointing", async () => {
    const { bytes, manifest } = compiled({ objective: "pointing", method: parseMethod("bias:sum"), layers: ["relu2"] });
    expect(manifest.objectiveTensor).toBe("relu2");
    const map = await saliency(bytes, image(5), targets(3));
    expect(map.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    expect(map.every((v) => v > 0)).toBe(true);
  });
});

describe("at the input of a global average pool before a linear classifier", () => {
  const at = async (method: string, target: number, layers = ["relu2"]): Promise<Float32Array> =>
    saliency(compiled({ method: parseMethod(method), layers }).bytes, image(6), targets(target));

  it("the gradient is the same everywhere", async () => {
    const map = await at("gradient", 1);
    expect(Math.max(...map) - Math.min(...map)).toBe(0);
  });

  it("Grad-CAM is the positive part of the linear approximation, which sums to the logit less its bias", async () => {
    const linear = await at("linear-approximation", 1);
    close(
      await at("grad-cam", 1),
      linear.map((v) => Math.max(0, v)),
      1e-5,
    );
    expect(await at("grad-cam", 1, ["relu1"])).not.toEqual(
      (await at("linear-approximation", 1, ["relu1"])).map((v) => Math.max(0, v)),
    );
  });

  it("NormGrad ranks locations alike for all classes, the selective variant does not", async () => {
    const ranks = (m: Float32Array): string =>
      m
        .map((_, i) => i)
        .sort((a, b) => (m[b] ?? 0) - (m[a] ?? 0))
        .join();
    const classesSeen = async (method: string): Promise<number> =>
      new Set(await Promise.all([0, 1, 2, 3, 4].map(async (c) => ranks(await at(method, c))))).size;
    expect(await classesSeen("norm-grad")).toBe(1);
    expect(await classesSeen("norm-grad-selective")).toBeGreaterThan(1);
  });
});

describe("combinations", () => {
  const layers = ["relu1", "relu2"];
  const map = async (spec: Partial<ExplainSpec>): Promise<Float32Array> =>
    saliency(compiled({ layers, ...spec }).bytes, image(7), targets(0));

  it("stays within 0 and 1, and the product below the sum", async () => {
    const [sum, product] = [await map({ combine: "sum" }), await map({ combine: "product" })];
    expect(Math.min(...sum, ...product)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...sum, ...product)).toBeLessThanOrEqual(1 + 1e-6);
    expect(product.every((v, i) => v <= (sum[i] ?? 0) + 1e-6)).toBe(true);
  });

  it("drops a layer of weight 0", async () => {
    close(await map({ combine: "product", weights: [1, 0] }), await map({ combine: "sum", weights: [1, 0] }), 1e-6);
  });

  it("turns a constant map into 0 instead of a division by zero", async () => {
    const both = await map({ combine: "sum", method: parseMethod("gradient") }); // constant at relu2
    expect(both.every(Number.isFinite)).toBe(true);
    close(
      both,
      (await map({ combine: "sum", method: parseMethod("gradient"), weights: [1, 0] })).map((v) => v / 2),
      1e-6,
    );
  });
});

describe("what does not fit", () => {
  const refused: readonly (readonly [string, Partial<ExplainSpec>, RegExp])[] = [
    ["an unknown layer", { layers: ["relu9"] }, /no tensor "relu9" in this model; layers near that name: "relu1"/],
    [
      "a layer behind the objective",
      { layers: ["probabilities"] },
      /"probabilities" is not between the image and the objective/,
    ],
    [
      "a layer without locations",
      { layers: ["features"] },
      /"features" has shape \[1, 6\]: no map of locations; layers before it: .*"relu2"/,
    ],
    ["weights of another number", { layers: ["relu1", "relu2"], weights: [1] }, /1 weights were given for 2 layers/],
    ["negative weights", { layers: ["relu1", "relu2"], weights: [2, -1] }, /must be finite, not negative/],
    [
      "an unknown objective tensor",
      { output: "logit" },
      /no tensor "logit" to take the objective at; the nearest are "logits"/,
    ],
    [
      "a map as logits",
      { output: "relu2" },
      /"relu2" has shape \[1, 6, 4, 4\], not one score a class; use the pointing or region objective/,
    ],
    [
      "conv-real where no convolution ends",
      { layers: ["pool1"], method: parseMethod("norm-grad-real") },
      /"pool1" is not the output of one; outputs of convolutions are "conv1", "conv2"/,
    ],
  ];
  it.each(refused)("refuses %s", (_what, spec, message) => {
    expect(() => compiled(spec)).toThrowError(message);
  });
});

describe("an operator without a gradient", () => {
  const withUnknown = (): Uint8Array =>
    modelBytes({
      nodes: [
        node("Relu", ["image"], ["early"]),
        node("Mystery", ["early"], ["odd"], {}, "odd one"),
        node("Relu", ["odd"], ["late"]),
        node("GlobalAveragePool", ["late"], ["gap"]),
        node("Flatten", ["gap"], ["logits"]),
      ],
      inputs: [tensorInfo("image", [1, 3, 4, 4])],
      outputs: [tensorInfo("logits", [1, 3])],
      graph: { value_info: [tensorInfo("odd", [1, 3, 4, 4])] },
    });
  const compileAt = (layer: string) => {
    const { graph, declared } = importModel(withUnknown());
    return compileExplainer(prepare(graph, { declared }), { ...defaultSpec, layers: [layer] }, { sha256: "" });
  };

  it("is in nobody's way behind which a layer lies", () => {
    expect(compileAt("late").graph.outputs.map((v) => v.name)).toEqual(["logits", "saliency"]);
  });

  it("is reported with the layers that can be explained all the same", () => {
    const message =
      'cannot take a gradient through Mystery (odd one) -> "odd": no gradient rule is known for Mystery, ' +
      'in %odd float32[1,3,4,4] = Mystery(%early); layers behind it can be explained: "late"; ' +
      "the README lists the operators a gradient passes";
    expect(() => compileAt("early")).toThrowError(message);
  });
});
