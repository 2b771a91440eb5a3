/**
 * @file Meta-saliency on a small net: what the step does to loss and maps, on the float64 interpreter, where its limits
 * for small steps can be seen, and in stock onnxruntime-web.
 */
import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { float, int, ints } from "../../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder } from "../../../shared/graph/builder.ts";
import { constantOf, volume } from "../../../shared/graph/constant.ts";
import type { DType, Graph, Value } from "../../../shared/graph/ir.ts";
import { prepare } from "../../../shared/graph/prepare.ts";
import { namedValues } from "../../../shared/graph/walk.ts";
import { exportModel } from "../../../shared/onnx/export.ts";
import { importModel } from "../../../shared/onnx/import.ts";
import { compileExplainer } from "../../../shared/saliency/compile.ts";
import { autoShare, metaOutputs } from "../../../shared/saliency/meta/step.ts";
import { parseMethod } from "../../../shared/saliency/method.ts";
import { defaultSpec, type ExplainSpec, type MetaSpec } from "../../../shared/saliency/spec.ts";
import { evaluate, type Tensor, tensor } from "../../support/evaluate.ts";
import { bitsOf, runOnnx, tensorOf } from "../../support/run-onnx.ts";
import { randomNumbers, tinyClassifier } from "../../support/tiny-models.ts";

const layers = ["relu1", "relu2"] as const;
const base: MetaSpec = { step: 1e-3, sign: "descent", variant: "stop-gradient", weights: "all" };

/**
 * image [1, 2, 6, 6] -> Conv 3x3 (4) -> BatchNormalization -> Relu `relu1` -> MaxPool -> depthwise Conv -> Mul -> Add
 * ->
 * Relu -> Conv 1x1 (5) -> Relu `relu2` -> GlobalAveragePool -> MatMul -> Add `logits`: every kind of weight that moves.
 */
function smallNet(dtype: DType, seed = 7): Graph {
  const g = new GraphBuilder(emptyGraph(18), "");
  let salt = 0;
  const weight = (dims: readonly number[], scale = 0.6, offset = 0): Value => {
    salt += 1;
    const values = randomNumbers(1000 * seed + salt, volume(dims), scale).map((v) => v + offset);
    return g.constant(constantOf(dtype, dims, values), `weight${salt}`);
  };
  const named = (v: Value, name: string): Value => g.named(v, name);
  const image = g.input("image", { dtype, shape: [1, 2, 6, 6] });
  const same = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
  const conv1 = g.node("Conv", [image, weight([4, 2, 3, 3]), weight([4])], same);
  const norm = [weight([4], 0.2, 1), weight([4]), weight([4], 0.2), weight([4], 0.2, 1)];
  const relu1 = named(g.relu(g.node("BatchNormalization", [conv1, ...norm], { epsilon: float(1e-5) })), "relu1");
  const pooled = g.node("MaxPool", [relu1], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  const deep = g.node("Conv", [pooled, weight([4, 1, 3, 3])], { ...same, group: int(4) });
  const affine = g.relu(g.add(g.mul(deep, weight([4, 1, 1], 0.2, 1)), weight([4, 1, 1])));
  const relu2 = named(g.relu(g.node("Conv", [affine, weight([5, 4, 1, 1]), weight([5], 0.3, 0.3)])), "relu2");
  const features = g.reshape(g.node("GlobalAveragePool", [relu2]), [1, 5]);
  const logits = g.add(g.matmul(features, weight([5, 3], 1.5)), weight([3]));
  return g.build([named(logits, "logits")]);
}

interface Found {
  readonly maps: ReadonlyMap<string, Float64Array>;
  readonly step: number;
  readonly before: number;
  readonly after: number;
  readonly slope: number;
}

const picture = (seed = 3): Tensor => tensor([1, 2, 6, 6], randomNumbers(seed, 72));

/** The explainer of the net, run by the interpreter. */
function explained(
  spec: Partial<ExplainSpec>,
  { net = smallNet("float64"), image = picture(), target = 1 } = {},
): Found {
  const full = { ...defaultSpec, method: parseMethod("norm-grad"), layers, layerMaps: true, ...spec };
  const { graph } = compileExplainer(net, full, { sha256: "" });
  const [x, c] = graph.inputs;
  if (!x || !c) throw new TypeError("an image and a target");
  const known = evaluate(
    graph,
    new Map([
      [x, image],
      [c, tensor([1], [target])],
    ]),
  );
  const outputs = new Map(graph.outputs.map((v) => [v.name, known.get(v)?.data ?? new Float64Array()]));
  const number = (key: keyof typeof metaOutputs): number => outputs.get(metaOutputs[key])?.[0] ?? Number.NaN;
  return {
    maps: new Map(layers.map((l) => [l, Float64Array.from(outputs.get(`map/${l}`) ?? [])])),
    step: number("step"),
    before: number("before"),
    after: number("after"),
    slope: number("slope"),
  };
}

const distance = (a: Found, b: Found): number =>
  Math.max(
    ...layers.map((layer) => {
      const [x, y] = [a.maps.get(layer) ?? [], b.maps.get(layer) ?? []];
      const size = Math.max(...Array.from(x, Math.abs));
      return Math.max(...Array.from(x, (v, i) => Math.abs(v - (y[i] ?? Number.NaN)))) / size;
    }),
  );

describe("the step of meta-saliency", () => {
  it("of size 0 reproduces the map without a step exactly", () => {
    const plain = explained({});
    const still = explained({ meta: { ...base, step: 0 } });
    for (const layer of layers) expect(still.maps.get(layer)).toEqual(plain.maps.get(layer));
    expect(still.after).toBe(still.before);
    expect(still.slope).toBeGreaterThan(0);
  });

  it.each(["descent", "ascent"] as const)("%s changes the loss by eps |gradient|^2, the nearer the smaller", (sign) => {
    const shares = [1e-2, 1e-3, 1e-4].map((step) => {
      const { before, after, slope } = explained({ meta: { ...base, sign, step } });
      return ((before - after) / (step * slope)) * (sign === "descent" ? 1 : -1);
    });
    const errors = shares.map((s) => Math.abs(s - 1));
    expect(errors[2]).toBeLessThan(1e-3);
    // A tenth of the step, a tenth of the error: the next term of the expansion.
    expect((errors[1] ?? 0) / (errors[2] ?? 1)).toBeCloseTo(10, 0);
    expect((errors[0] ?? 0) / (errors[1] ?? 1)).toBeGreaterThan(5);
  });

  it("is the gradient descent of PyTorch's SGD: the loss's slope along every kind of weight", () => {
    const net = smallNet("float64");
    const { slope } = explained({ meta: base }, { net });
    const weights = [...namedValues(net).values()].filter((v) => v.constant && /^weight/.test(v.name));
    const logits = net.outputs[0];
    const image = net.inputs[0];
    if (!logits || !image) throw new TypeError("an input and an output");
    const loss = (weight: Value, at: number, by: number): number => {
      const data = Float64Array.from(new Float64Array(weight.constant?.bytes.slice().buffer ?? new ArrayBuffer(0)));
      data[at] = (data[at] ?? 0) + by;
      const fed = new Map([
        [image, picture()],
        [weight, tensor(weight.constant?.dims ?? [], data)],
      ]);
      const y = Array.from(evaluate(net, fed).get(logits)?.data ?? []);
      return Math.log(y.reduce((s, v) => s + Math.exp(v), 0)) - (y[1] ?? 0);
    };
    // BatchNormalization's running mean and variance (the 5th and 6th weights) are not trained.
    const trained = weights.filter((w) => !["5", "6"].includes(w.name.replace(/\D*(\d+).*/, "$1")));
    const h = 1e-5;
    let squares = 0;
    for (const weight of trained) {
      for (let i = 0; i < volume(weight.constant?.dims ?? []); i++) {
        squares += ((loss(weight, i, h) - loss(weight, i, -h)) / (2 * h)) ** 2;
      }
    }
    expect(Math.abs(slope / squares - 1)).toBeLessThan(1e-6);
  });

  it("turns the map into the one without it as eps goes to 0", () => {
    const plain = explained({});
    const moved = [1e-2, 1e-3, 1e-4].map((step) => distance(plain, explained({ meta: { ...base, step } })));
    expect(moved[0]).toBeGreaterThan(1e-3);
    expect((moved[1] ?? 0) / (moved[2] ?? 1)).toBeCloseTo(10, 0);
  });

  it("goes the other way with ascent", () => {
    const up = explained({ meta: { ...base, sign: "ascent", step: 1e-4 } });
    const down = explained({ meta: { ...base, step: 1e-4 } });
    const plain = explained({});
    expect(up.after).toBeGreaterThan(up.before);
    expect(down.after).toBeLessThan(down.before);
    const [layer] = layers;
    const [a, b, c] = [up, down, plain].map((f) => f.maps.get(layer) ?? new Float64Array());
    const middle = Float64Array.from(a ?? [], (v, i) => (v + (b?.[i] ?? 0)) / 2);
    const size = Math.max(...(c ?? []));
    expect(Math.max(...middle.map((v, i) => Math.abs(v - (c?.[i] ?? 0)))) / size).toBeLessThan(
      0.1 * distance(plain, down),
    );
  });

  it("auto changes the loss by a tenth of it to first order, and by that within a quarter in truth", () => {
    for (const target of [0, 1, 2]) {
      for (const seed of [3, 4, 5]) {
        const { step, before, after, slope } = explained(
          { meta: { ...base, step: "auto" } },
          { image: picture(seed), target },
        );
        expect((step * slope) / before).toBeCloseTo(autoShare, 12);
        expect(Math.abs((before - after) / (autoShare * before) - 1)).toBeLessThan(0.25);
      }
    }
  });

  it("of its own size gives what auto gives", () => {
    const automatic = explained({ meta: { ...base, step: "auto" } });
    const given = explained({ meta: { ...base, step: automatic.step } });
    expect(distance(automatic, given)).toBeLessThan(1e-12);
    expect(given.slope).toBeCloseTo(automatic.slope, 10);
  });

  it("moves only the last layers' weights where only these are asked for", () => {
    const all = explained({ meta: base });
    const last = explained({ meta: { ...base, weights: { last: 1 } } });
    const every = explained({ meta: { ...base, weights: { last: 4 } } });
    expect(last.slope).toBeLessThan(all.slope);
    expect(every.slope).toBeCloseTo(all.slope, 12);
    expect(distance(all, every)).toBe(0);
    expect(distance(all, last)).toBeGreaterThan(1e-6);
  });

  it("leaves a tensor before the weights that move as it was, and its gradient sees no step", () => {
    const last = { ...base, step: 1e-3, weights: { last: 1 } } as const;
    const still = explained({ method: parseMethod("bias:norm"), meta: { ...last, step: 0 } });
    const moved = explained({ method: parseMethod("bias:norm"), meta: last });
    // The step is a constant: the gradient changes by the weights' change alone, in proportion to eps.
    const twice = explained({ method: parseMethod("bias:norm"), meta: { ...last, step: 2e-3 } });
    expect(distance(still, twice) / distance(still, moved)).toBeCloseTo(2, 1);
  });
});

describe("a layer that is stepped without its stepped weights", () => {
  it("is a constant to the gradient too, where the layer explained is what the step was computed from", () => {
    const [classes, target, step] = [20, 7, 0.5];
    const { graph, declared } = importModel(tinyClassifier({ classes }));
    const net = prepare(graph, { declared });
    const image = tensor([1, 3, 8, 8], randomNumbers(11, 192));
    const spec = {
      ...defaultSpec,
      layers: ["relu2"],
      method: parseMethod("bias:sum"),
      meta: { ...base, step, weights: { last: 1 } },
    };
    const explainer = compileExplainer(net, spec, { sha256: "" }).graph;
    const values = namedValues(explainer);
    const value = (name: string): Value => {
      const found = values.get(name);
      if (!found) throw new TypeError(`no tensor ${name}`);
      return found;
    };
    const fed = new Map([[value("image"), image] as const, [value("target"), tensor([1], [target])] as const]);
    const known = evaluate(explainer, fed);
    const data = (name: string): readonly number[] => Array.from(known.get(value(name))?.data ?? []);
    // d logit / d relu2 = W'_c / 16, W' = W - eps (p - onehot) x^T
    const features = data("features");
    const error = (data("probabilities")[target] ?? 0) - 1;
    const row = data("fc.weight").slice(target * features.length, (target + 1) * features.length);
    const expected = row.reduce((sum, w, k) => sum + (w - step * error * (features[k] ?? 0)) / 16, 0);
    const stepped = explainer.nodes.filter((n) => n.op === "Gemm" && n.inputs[1]?.name === "fc.weight");
    expect(stepped.length).toBeGreaterThanOrEqual(2);
    for (const found of data("saliency")) expect(found).toBeCloseTo(expected, 6);
  });
});

const methods = ["norm-grad", "norm-grad-selective", "linear-approximation", "gradient", "norm-grad-conv3x3"];

describe("the full variant", () => {
  it.each(methods)("of %s is the stop-gradient one at twice the step, up to the square of the step", (name) => {
    // So for the same loss inside and out.
    const of = (meta: MetaSpec): Found => explained({ method: parseMethod(name), objective: "nll", meta });
    const gaps = [1e-2, 1e-3, 1e-4].map((step) => {
      const [full, stop] = [of({ ...base, variant: "full", step }), of({ ...base, step: 2 * step })];
      return distance(stop, full);
    });
    const effect = distance(of({ ...base, step: 0 }), of({ ...base, step: 2e-4 }));
    expect(gaps[2]).toBeLessThan(0.05 * effect);
    expect((gaps[1] ?? 0) / (gaps[2] ?? 1)).toBeGreaterThan(50);
  });

  it("of size 0 is the map without a step", () => {
    const plain = explained({});
    expect(distance(plain, explained({ meta: { ...base, step: 0, variant: "full" } }))).toBeLessThan(1e-12);
  });

  it.each(layers)("has at %s the slope of the stepped objective in a virtual bias and factor there", (layer) => {
    const step = 1e-2;
    const maps = (method: string): Float64Array =>
      explained({ method: parseMethod(method), meta: { ...base, step, variant: "full" } }).maps.get(layer) ??
      new Float64Array();
    const h = 1e-4;
    const [up, down] = [h, -h].map((by) => steppedLogit(step, layer, { bias: by, factor: 1 }));
    const total = (map: Float64Array): number => map.reduce((a, b) => a + b, 0);
    const bias = ((up ?? 0) - (down ?? 0)) / (2 * h);
    expect(Math.abs(total(maps("bias:sum")) - bias) / Math.abs(bias)).toBeLessThan(1e-5);
    const [more, less] = [1 + h, 1 - h].map((factor) => steppedLogit(step, layer, { bias: 0, factor }));
    const factor = ((more ?? 0) - (less ?? 0)) / (2 * h);
    expect(Math.abs(total(maps("scaling:sum")) - factor) / Math.abs(factor)).toBeLessThan(1e-5);
  });

  it("refuses what has no derivative or no closed form, and says what to use", () => {
    const refuse =
      (method: string): (() => unknown) =>
      () =>
        explained({ method: parseMethod(method), meta: { ...base, variant: "full" } });
    for (const method of ["grad-cam", "guided-backprop", "conv1x1:filter-norm"]) {
      expect(refuse(method)).toThrow(/use the variant stop-gradient/);
    }
  });
});

/** f(theta - eps dCE/dtheta) with a bias and a factor inserted at a layer in both evaluations: one number. */
function steppedLogit(
  step: number,
  layer: string,
  virtual: { readonly bias: number; readonly factor: number },
): number {
  const net = withVirtualLayer(smallNet("float64"), layer, virtual);
  const { graph } = compileExplainer(
    net,
    { ...defaultSpec, layers: ["relu2"], method: parseMethod("norm-grad"), meta: { ...base, step } },
    { sha256: "" },
  );
  const [x, c] = graph.inputs;
  if (!x || !c) throw new TypeError("an image and a target");
  // The stepped logits are what the loss after the step is taken of.
  const logs = graph.nodes.filter((n) => n.op === "LogSoftmax").at(-1)?.inputs[0];
  const known = evaluate(
    graph,
    new Map([
      [x, picture()],
      [c, tensor([1], [1])],
    ]),
  );
  return (logs && known.get(logs)?.data[1]) ?? Number.NaN;
}

/** The constants are rank 0: part of a formula, which no step moves. */
function withVirtualLayer(graph: Graph, layer: string, by: { readonly bias: number; readonly factor: number }): Graph {
  const g = new GraphBuilder({ ...graph, nodes: [] }, "virtual/");
  const moved = new Map<Value, Value>();
  for (const node of graph.nodes) {
    g.nodes.push({ ...node, inputs: node.inputs.map((v) => (v && moved.get(v)) ?? v) });
    const [y] = node.outputs;
    if (y?.name !== layer) continue;
    moved.set(y, g.add(g.mul(y, g.scalar(by.factor, "float64")), g.scalar(by.bias, "float64")));
  }
  return g.build(graph.outputs);
}

describe("a meta-saliency explainer in the runtime", () => {
  const modelBytes = tinyClassifier({ batch: "N" });
  const model = (): Graph => {
    const { graph, declared } = importModel(modelBytes);
    return prepare(graph, { declared });
  };
  const spec = (meta: MetaSpec): ExplainSpec => ({ ...defaultSpec, layers: ["relu1", "relu2"], meta });
  const image = (batch = 1): ort.Tensor => tensorOf([batch, 3, 8, 8], randomNumbers(5, batch * 192));
  const target = new ort.Tensor("int64", BigInt64Array.from([2n]), [1]);

  it.each(["stop-gradient", "full"] as const)("returns the model's own outputs to the bit (%s)", async (variant) => {
    const { graph } = compileExplainer(
      model(),
      { ...spec({ ...base, variant }), method: parseMethod("norm-grad") },
      { sha256: "" },
    );
    const [plain, found] = await Promise.all([
      runOnnx(modelBytes, { image: image() }),
      runOnnx(exportModel(graph), { image: image(), target }),
    ]);
    expect(bitsOf(found.get("probabilities"))).toBe(bitsOf(plain.get("probabilities")));
  });

  it("takes one image: an open batch becomes 1, which the runtime then insists on", async () => {
    const { graph } = compileExplainer(model(), spec(base), { sha256: "" });
    expect(graph.inputs.map((v) => v.type?.shape[0])).toEqual([1, 1]);
    await expect(runOnnx(exportModel(graph), { image: image(2), target })).rejects.toThrow(/invalid dimensions/i);
  });

  it("refuses a model that fixes another batch", () => {
    const { graph, declared } = importModel(tinyClassifier({ batch: 2 }));
    expect(() => compileExplainer(prepare(graph, { declared }), spec(base), { sha256: "" })).toThrow(/a batch of 1/);
  });

  it("refuses more layers than there are, and weights of 16 bits", () => {
    const compile = (graph: Graph, meta: MetaSpec) => () => compileExplainer(graph, spec(meta), { sha256: "" });
    expect(compile(model(), { ...base, weights: { last: 9 } })).toThrow(/the model has 3/);
    expect(compile(smallNet("float16"), base)).toThrow(/use the model in float32/);
  });
});
