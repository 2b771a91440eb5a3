/** @file What must hold of any correct implementation (method.md 9), on nets small enough for float64 by hand. */
import { describe, expect, it } from "vitest";
import { backward } from "../../shared/autodiff/backward.ts";
import { deconvnet, guided } from "../../shared/autodiff/modified.ts";
import { rules } from "../../shared/autodiff/rules.ts";
import { int, ints } from "../../shared/graph/attributes.ts";
import { type AttributeInput, emptyGraph, GraphBuilder, shapeOf } from "../../shared/graph/builder.ts";
import { constantOf, volume } from "../../shared/graph/constant.ts";
import type { DType, Value } from "../../shared/graph/ir.ts";
import { resizeMap } from "../../shared/imaging/resize.ts";
import { saliencyHead } from "../../shared/saliency/heads.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { evaluate, type Tensor, tensor } from "../support/evaluate.ts";
import { tensorOf } from "../support/run-onnx.ts";
import { randomNumbers } from "../support/tiny-models.ts";
import { compiled, expectClose, image, outputOf, sum, targets } from "./small.ts";

const tolerance = 1e-10;
const drawn = (seed: number, dims: readonly number[]): Tensor =>
  tensor(dims, Array.from(randomNumbers(seed, volume(dims))));

/** A graph in float64 under construction, its inputs fed. */
class Net {
  readonly g = new GraphBuilder(emptyGraph());
  readonly feeds = new Map<Value, Tensor>();
  input(name: string, value: Tensor, dtype: DType = "float64"): Value {
    const v = this.g.input(name, { dtype, shape: value.dims });
    this.feeds.set(v, value);
    return v;
  }
  weights(seed: number, dims: readonly number[]): Value {
    return this.g.constant(constantOf("float64", dims, drawn(seed, dims).data));
  }
  values(...wanted: readonly Value[]): readonly (readonly number[])[] {
    const all = evaluate(this.g, this.feeds);
    return wanted.map((v) => Array.from(all.get(v)?.data ?? []));
  }
}

const close = (a: readonly number[] | undefined, b: readonly number[]): void => {
  expect(a).toHaveLength(b.length);
  expect(Math.max(...b.map((v, i) => Math.abs(v - (a?.[i] ?? Number.NaN))))).toBeLessThan(tolerance);
};

// --- 1 and 2: contributions and the layers they are summands of ---------------------------------------------------

interface Window {
  readonly k: number;
  readonly s: number;
  readonly p: number;
  readonly d: number;
}

/** sum_u of g_{o,u} x_{c, u s + t d - p}: contributions summed over locations, [M, C/G, k, k] flattened. */
function summed(x: Tensor, g: Tensor, { k, s, p, d }: Window, group: number): number[] {
  const [, channels = 0, H = 0, W = 0] = x.dims;
  const [, outputs = 0, h = 0, w = 0] = g.dims;
  const per = channels / group;
  return Array.from({ length: outputs * per * k * k }, (_, at) => {
    const [tx, ty] = [at % k, Math.floor(at / k) % k];
    const [c, o] = [Math.floor(at / (k * k)) % per, Math.floor(at / (k * k * per))];
    const channel = Math.floor(o / (outputs / group)) * per + c;
    let total = 0;
    for (let u = 0; u < h; u++) {
      for (let v = 0; v < w; v++) {
        const [row, column] = [u * s + ty * d - p, v * s + tx * d - p];
        if (row < 0 || column < 0 || row >= H || column >= W) continue;
        total += (g.data[(o * h + u) * w + v] ?? 0) * (x.data[(channel * H + row) * W + column] ?? 0);
      }
    }
    return total;
  });
}

describe("contributions sum over locations to the gradient of the layer's weights", () => {
  const windows: readonly (readonly [string, Window, number])[] = [
    ["1x1", { k: 1, s: 1, p: 0, d: 1 }, 1],
    ["3x3", { k: 3, s: 1, p: 1, d: 1 }, 1],
    ["3x3 in strides of 2", { k: 3, s: 2, p: 1, d: 1 }, 1],
    ["5x5 in strides of 2", { k: 5, s: 2, p: 2, d: 1 }, 1],
    ["dilated", { k: 3, s: 1, p: 2, d: 2 }, 1],
    ["depthwise", { k: 3, s: 1, p: 1, d: 1 }, 4],
  ];
  it.each(windows)("convolution, %s", (_name, window, group) => {
    const net = new Net();
    const x = drawn(1, [1, 4, 7, 6]);
    const { k, s, p, d } = window;
    const w = net.weights(2, [4, 4 / group, k, k]);
    const attributes: AttributeInput = {
      strides: ints([s, s]),
      pads: ints([p, p, p, p]),
      dilations: ints([d, d]),
      group: int(group),
    };
    const y = net.g.node("Conv", [net.input("x", x), w], attributes);
    const g = drawn(3, shapeOf(y).map(Number));
    const [dw] = backward(net.g, new Map([[y, net.input("g", g)]]), [w]);
    close(dw && net.values(dw)[0], summed(x, g, window, group));
  });

  it("scaling and bias", () => {
    const net = new Net();
    const [x, g] = [drawn(1, [1, 3, 4, 5]), drawn(2, [1, 3, 4, 5])];
    const [alpha, beta] = [net.weights(3, [3, 1, 1]), net.weights(4, [3, 1, 1])];
    const y = net.g.add(net.g.mul(net.input("x", x), alpha), beta);
    const [da, db] = backward(net.g, new Map([[y, net.input("g", g)]]), [alpha, beta]);
    const perChannel = (f: (i: number) => number): number[] =>
      [0, 1, 2].map((k) => sum(Array.from({ length: 20 }, (_, u) => f(k * 20 + u))));
    close(
      da && net.values(da)[0],
      perChannel((i) => (g.data[i] ?? 0) * (x.data[i] ?? 0)),
    );
    close(
      db && net.values(db)[0],
      perChannel((i) => g.data[i] ?? 0),
    );
  });
});

describe("a virtual identity layer", () => {
  const K = 3;
  /** relu conv, the layer inserted, then a rest that is not linear; its gradient by f's one output. */
  const build = (insert: (net: Net, x: Value) => readonly [Value, Value | null]) => {
    const net = new Net();
    const conv = (v: Value, seed: number): Value =>
      net.g.relu(net.g.node("Conv", [v, net.weights(seed, [K, K, 3, 3])], { pads: ints([1, 1, 1, 1]) }));
    const x = conv(net.input("image", drawn(5, [1, K, 5, 5])), 6);
    const [after, parameter] = insert(net, x);
    const y = net.g.mean(conv(after, 7), [1, 2, 3]);
    const one = net.g.constant(constantOf("float64", [1, 1, 1, 1], [1]));
    const [dx, dp] = backward(net.g, new Map([[y, one]]), [x, ...(parameter ? [parameter] : [])]);
    const values = net.values(y, x, dx ?? x, dp ?? x);
    return { y: values[0] ?? [], x: values[1] ?? [], g: values[2] ?? [], dp: values[3] ?? [] };
  };
  const field = (data: readonly number[]): Tensor => tensor([1, K, 5, 5], data);
  const eye = (net: Net, group: number, k: number): Value => {
    const at = (i: number): boolean => {
      const centre = i % (k * k) === (k * k - 1) / 2;
      const [c, o] = [Math.floor(i / (k * k)) % (K / group), Math.floor(i / ((k * k * K) / group))];
      return centre && (group > 1 || c === o);
    };
    const dims = [K, K / group, k, k];
    return net.g.constant(
      constantOf(
        "float64",
        dims,
        Array.from({ length: volume(dims) }, (_, i) => (at(i) ? 1 : 0)),
      ),
    );
  };
  const conv =
    (k: number, group = 1) =>
    (net: Net, x: Value): readonly [Value, Value] => {
      const w = eye(net, group, k);
      const pad = (k - 1) / 2;
      return [net.g.node("Conv", [x, w], { pads: ints([pad, pad, pad, pad]), group: int(group) }), w];
    };
  const plain = build((_, x) => [x, null]);
  const constant = (net: Net, value: number): Value =>
    net.g.constant(constantOf("float64", [K, 1, 1], [value, value, value]));

  const layers: readonly (readonly [
    string,
    Parameters<typeof build>[0],
    (x: Tensor, g: Tensor) => readonly number[],
  ])[] = [
    ["1x1", conv(1), (x, g) => summed(x, g, { k: 1, s: 1, p: 0, d: 1 }, 1)],
    ["3x3", conv(3), (x, g) => summed(x, g, { k: 3, s: 1, p: 1, d: 1 }, 1)],
    ["depthwise 3x3", conv(3, K), (x, g) => summed(x, g, { k: 3, s: 1, p: 1, d: 1 }, K)],
    [
      "scaling",
      (net, x) => {
        const alpha = constant(net, 1);
        return [net.g.mul(x, alpha), alpha];
      },
      (x, g) =>
        [0, 1, 2].map((k) =>
          sum(Array.from({ length: 25 }, (_, u) => (g.data[k * 25 + u] ?? 0) * (x.data[k * 25 + u] ?? 0))),
        ),
    ],
    [
      "bias",
      (net, x) => {
        const beta = constant(net, 0);
        return [net.g.add(x, beta), beta];
      },
      (_, g) => [0, 1, 2].map((k) => sum(g.data.slice(k * 25, (k + 1) * 25))),
    ],
  ];
  it.each(layers)("changes no output and has the gradient of the summed contributions: %s", (_name, insert, want) => {
    const inserted = build(insert);
    expect(inserted.y).toEqual(plain.y);
    close(inserted.g, plain.g);
    close(inserted.dp, want(field(plain.x), field(plain.g)));
  });
});

// --- 4 and 8: relations between points of the grid -----------------------------------------------------------------

describe("points of the grid", () => {
  const dims = [1, 4, 3, 5] as const;
  const [x, g] = [drawn(8, dims), drawn(9, dims)];
  const map = (method: string, dy = g): readonly number[] => {
    const net = new Net();
    const site = { g: net.g, x: net.input("x", x, "float32"), dy: net.input("g", dy, "float32") }; // as heads compute
    return net.values(saliencyHead(site, parseMethod(method).head))[0] ?? [];
  };
  const scaled = (a: number): Tensor =>
    tensor(
      dims,
      Array.from(g.data, (v) => a * v),
    );

  it("the trace of g xT is the linear approximation, its diagonal the scaling contribution", () => {
    const products = Array.from({ length: 4 }, (_, k) =>
      Array.from({ length: 15 }, (_, u) => (g.data[k * 15 + u] ?? 0) * (x.data[k * 15 + u] ?? 0)),
    );
    const trace = Array.from({ length: 15 }, (_, u) => sum(products.map((row) => row[u] ?? 0)));
    close(map("linear-approximation"), trace);
    close(
      map("hires-cam"),
      trace.map((v) => Math.max(0, v)),
    );
    close(
      map("scaling:max"),
      trace.map((_, u) => Math.max(...products.map((row) => row[u] ?? 0))),
    );
  });

  it("NormGrad of a times the objective is |a| times NormGrad, so the same after scaling to its range", () => {
    for (const a of [3, -0.5])
      close(
        map("norm-grad", scaled(a)),
        map("norm-grad").map((v) => Math.abs(a) * v),
      );
  });
});

// --- 6, 7 and 11: sums ----------------------------------------------------------------------------------------------

describe("the linear approximation", () => {
  it("sums to the logit less its bias at the input of a global average pool, and CAM is its multiple", async () => {
    const { bytes } = compiled({ method: "linear-approximation", layers: ["relu2"] });
    const feeds = { image: image(6), target: targets(1) };
    const zero = compiled({ method: "integrated-gradients", layers: ["relu2"], samples: { count: 1 } }).bytes;
    expectClose(await outputOf(zero, feeds), await outputOf(bytes, feeds)); // both sum to f(x) - f(0), f(0) the bias
    const bias = randomNumbers(1006, 5, 0.5)[1] ?? Number.NaN;
    const logit = (await outputOf(bytes, feeds, "logits"))[1] ?? Number.NaN;
    expect(sum(await outputOf(bytes, feeds))).toBeCloseTo(logit - bias, 5);
    const weights = randomNumbers(1005, 30, 0.5).slice(6, 12);
    const gradient = compiled({ method: "gradient-sum", layers: ["relu2"] }).bytes;
    expectClose(await outputOf(gradient, feeds), new Array<number>(16).fill(sum(weights) / 16));
  });

  it("sums to the logit at every cut of a net of ReLU, pooling and no bias", () => {
    const net = new Net();
    const conv = (v: Value, seed: number, dims: readonly number[]): Value =>
      net.g.node("Conv", [v, net.weights(seed, dims)], { pads: ints([1, 1, 1, 1]) });
    const image = net.input("image", drawn(10, [1, 3, 8, 8]));
    const first = net.g.relu(conv(image, 11, [6, 3, 3, 3]));
    const pooled = net.g.node("MaxPool", [first], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    const second = net.g.relu(conv(pooled, 12, [5, 6, 3, 3]));
    const average = net.g.node("AveragePool", [second], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    const logit = net.g.matmul(net.g.reshape(net.g.mean(average, [2, 3]), [1, 5]), net.weights(13, [5, 1]));
    const cuts = [image, first, pooled, second, average];
    const one = net.g.constant(constantOf("float64", [1, 1], [1]));
    const gradients = backward(net.g, new Map([[logit, one]]), cuts);
    const sums = cuts.map((x, i) => net.g.sum(net.g.mul(x, gradients[i] ?? x), [0, 1, 2, 3], false));
    const [score = [], ...found] = net.values(logit, ...sums);
    expect(Math.abs(score[0] ?? 0)).toBeGreaterThan(1e-3);
    for (const total of found) close(total, score);
  });
});

it("the pointing objective's gradient is that of log sum exp over locations, which the slope confirms", async () => {
  const spec = { method: "gradient-sum", objective: "pointing", layers: ["relu2"] } as const;
  const shares = await outputOf(compiled(spec).bytes, { image: image(5), target: targets(3) });
  // d/dy log sum exp y = softmax(y): from the activations themselves
  const own = { method: "linear-approximation", objective: "region", output: "relu2", layers: ["relu2"] } as const;
  const region = tensorOf([1, 4], Float32Array.of(0, 0, 1, 1));
  const scores = await outputOf(compiled(own).bytes, { image: image(5), target: targets(3), region }); // y / 16
  const raised = scores.map((v) => Math.exp(16 * v));
  expectClose(
    shares,
    raised.map((v) => v / sum(raised)),
  );
});

// --- 12: modified backward passes ------------------------------------------------------------------------------------

describe("guided backpropagation and the deconvolutional network", () => {
  /** relu(conv) twice then a sum; `positive` makes every weight and activation so. */
  const gradients = (positive: boolean, at: "below" | "above"): readonly (readonly number[])[] => {
    const net = new Net();
    const weights = (seed: number): Value => {
      const { dims, data } = drawn(seed, [3, 3, 3, 3]);
      return net.g.constant(constantOf("float64", dims, positive ? data.map(Math.abs) : data));
    };
    const conv = (v: Value, seed: number): Value =>
      net.g.node("Conv", [v, weights(seed)], { pads: ints([1, 1, 1, 1]) });
    const { dims, data } = drawn(20, [1, 3, 6, 6]);
    const image = net.input("image", tensor(dims, positive ? Array.from(data, Math.abs) : Array.from(data)));
    const last = net.g.relu(conv(net.g.relu(conv(image, 21)), 22));
    const y = conv(last, 23);
    const seed = net.g.constant(constantOf("float64", [1, 3, 6, 6], drawn(24, [1, 3, 6, 6]).data.map(Math.abs)));
    const wanted = at === "below" ? image : last;
    return [rules, guided, deconvnet].flatMap((table) =>
      backward(net.g, new Map([[y, seed]]), [wanted], table).flatMap((dx) => net.values(dx)),
    );
  };

  it("are the gradient where all gradients and activations are positive", () => {
    const [truth = [], ...others] = gradients(true, "below");
    for (const other of others) close(other, truth);
  });

  it("are the gradient at a tensor with no ReLU above it, and differ from it and each other below", () => {
    const [truth = [], ...others] = gradients(false, "above");
    for (const other of others) close(other, truth);
    const [g = [], byGuided = [], byDeconvnet = []] = gradients(false, "below");
    expect(byGuided).not.toEqual(g);
    expect(byDeconvnet).not.toEqual(g);
    expect(byGuided).not.toEqual(byDeconvnet);
  });
});

// --- 14 and 17: combination ------------------------------------------------------------------------------------------

describe("a combination", () => {
  const feeds = { image: image(7), target: targets(0) };
  const layers = ["relu1", "pool1", "relu2"];
  const unit = (map: ArrayLike<number>): number[] => {
    const [low, high] = [Math.min(...Array.from(map)), Math.max(...Array.from(map))];
    return Array.from(map, (v) => (v - low) / (high - low));
  };

  it("has weights that sum to 1", () => {
    for (const weights of ["uniform", "linear", [3, 1, 2]] as const) {
      const { manifest } = compiled({ method: "norm-grad", layers, weights });
      expect(sum(manifest.layers.map((l) => l.weight))).toBeCloseTo(1, 12);
    }
  });

  it("is made of maps resized between half-pixel centres and scaled to their range", async () => {
    const { bytes } = compiled({ method: "norm-grad", layers, combine: "sum", layerMaps: true });
    const maps = await Promise.all(
      layers.map(async (layer) => {
        const data = await outputOf(bytes, feeds, `map/${layer}`);
        const side = Math.sqrt(data.length);
        return unit(resizeMap({ width: side, height: side, data }, 8, 8).data);
      }),
    );
    const want = maps[0]?.map((_, i) => sum(maps.map((m) => m[i] ?? 0)) / 3) ?? [];
    expectClose(await outputOf(bytes, feeds), want);
  });

  it("of one layer that counts is that layer's map; the equal product peaks where the plain product does", async () => {
    const { bytes } = compiled({ method: "norm-grad", layers, combine: "product", layerMaps: true });
    const single = compiled({ method: "norm-grad", layers, combine: "product", weights: [1, 0, 0] });
    expectClose(await outputOf(single.bytes, feeds), unit(await outputOf(bytes, feeds, "map/relu1")));
    const parts = await Promise.all(
      [0, 1, 2].map((j) =>
        outputOf(
          compiled({ method: "norm-grad", layers, weights: [0, 1, 2].map((k) => (k === j ? 1 : 0)) }).bytes,
          feeds,
        ),
      ),
    );
    const plain = Array.from(parts[0] ?? [], (_, i) => parts.reduce((p, m) => p * (m[i] ?? 0), 1));
    const product = await outputOf(bytes, feeds);
    expect(product.indexOf(Math.max(...product))).toBe(plain.indexOf(Math.max(...plain)));
  });
});
