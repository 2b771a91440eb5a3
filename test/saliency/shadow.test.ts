/**
 * @file The model's outputs stay the same to the bit, also where layers and rules read inside what the runtime fuses:
 * convolutions with normalisations and residual sums, GELU and LayerNormalization as exporters spell them out.
 */

import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { float, int, ints } from "../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf, volume } from "../../shared/graph/constant.ts";
import type { Graph, Value } from "../../shared/graph/ir.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { defaultSpec, type Layers } from "../../shared/saliency/spec.ts";
import { random } from "../support/random.ts";
import { bitsOf, randomFeeds, runOnnx } from "../support/run-onnx.ts";

class Net {
  readonly g = new GraphBuilder(emptyGraph(18), "n/");
  readonly #next = random(0xb1a5);
  weight(...dims: readonly number[]): Value {
    const scale = 1 / Math.sqrt(Math.max(1, volume(dims.slice(1))));
    return this.g.constant(
      constantOf(
        "float32",
        dims,
        Array.from({ length: volume(dims) }, () => (2 * this.#next() - 1) * scale),
      ),
    );
  }
  scalar = (v: number): Value => this.g.constant(constantOf("float32", [], [v]));
  image = (size: number): Value => this.g.input("image", { dtype: "float32", shape: [1, 3, size, size] });
}

const geluSpellings: Readonly<Record<string, (net: Net, x: Value) => Value>> = {
  "x (1 + erf) 0.5": ({ g, scalar }, x) =>
    g.mul(g.mul(x, g.add(g.node("Erf", [g.div(x, scalar(Math.SQRT2))]), scalar(1))), scalar(0.5)),
  "0.5 x (1 + erf)": ({ g, scalar }, x) =>
    g.mul(g.mul(scalar(0.5), x), g.add(g.node("Erf", [g.mul(x, scalar(Math.SQRT1_2))]), scalar(1))),
  tanh: ({ g, scalar }, x) => {
    const cubed = g.mul(scalar(0.044715), g.node("Pow", [x, scalar(3)]));
    const t = g.node("Tanh", [g.mul(scalar(Math.sqrt(2 / Math.PI)), g.add(x, cubed))]);
    return g.mul(g.mul(scalar(0.5), x), g.add(scalar(1), t));
  },
};

const width = 24;
const normalisations: Readonly<Record<string, (net: Net, x: Value) => Value>> = {
  operator: (net, x) =>
    net.g.node("LayerNormalization", [x, net.weight(width), net.weight(width)], {
      axis: int(-1),
      epsilon: float(1e-6),
    }),
  "spelled out": (net, x) => {
    const { g, scalar } = net;
    const centred = g.sub(x, g.mean(x, [-1]));
    const variance = g.mean(g.node("Pow", [centred, scalar(2)]), [-1]);
    const xhat = g.div(centred, g.sqrt(g.add(variance, scalar(1e-6))));
    return g.add(g.mul(xhat, net.weight(width)), net.weight(width));
  },
};

function transformer(gelu: (net: Net, x: Value) => Value, norm: (net: Net, x: Value) => Value): Graph {
  const net = new Net();
  const { g } = net;
  const patches = g.node("Conv", [net.image(16), net.weight(width, 3, 4, 4)], { strides: ints([4, 4]) });
  let x = g.concat([net.weight(1, 1, width), g.transpose(g.reshape(patches, [1, width, 16]), [0, 2, 1])], 1);
  const linear = (v: Value, from: number, to: number): Value =>
    g.add(g.matmul(v, net.weight(from, to)), net.weight(to));
  for (let block = 0; block < 2; block++) {
    const v = norm(net, x);
    const scores = g.div(g.matmul(linear(v, width, 8), g.transpose(linear(v, width, 8), [0, 2, 1])), net.scalar(3));
    x = g.add(x, linear(g.matmul(g.node("Softmax", [scores], { axis: int(-1) }), v), width, width));
    x = g.add(x, linear(gelu(net, linear(norm(net, x), width, 48)), 48, width));
  }
  const token = g.gather(norm(net, x), g.constant({ dtype: "int64", dims: [], bytes: new Uint8Array(8) }), 1);
  return g.build([g.node("Gemm", [token, net.weight(width, 5)])]);
}

function residual(): Graph {
  const net = new Net();
  const { g } = net;
  const conv = (x: Value, from: number): Value =>
    g.node("Conv", [x, net.weight(8, from, 3, 3), net.weight(8)], { pads: ints([1, 1, 1, 1]) });
  const ones = (): Value => g.constant(constantOf("float32", [8], new Float32Array(8).fill(0.7)));
  const normed = (x: Value): Value => g.node("BatchNormalization", [x, ones(), net.weight(8), net.weight(8), ones()]);
  let x = g.relu(normed(conv(net.image(16), 3)));
  x = g.relu(g.add(normed(conv(g.relu(normed(conv(x, 8))), 8)), x));
  x = g.relu(g.add(conv(x, 8), x));
  const features = g.node("Flatten", [g.node("GlobalAveragePool", [x])]);
  return g.build([g.node("Gemm", [features, net.weight(8, 5)])]);
}

/** The layers whose reading changes a bit of the model's output. */
async function disturbed(graph: Graph, choices: readonly Layers[]): Promise<readonly Layers[]> {
  const feeds = randomFeeds(graph, 7);
  const name = graph.outputs[0]?.name ?? "";
  const original = bitsOf((await runOnnx(exportModel(graph), feeds)).get(name));
  const changed: Layers[] = [];
  for (const layers of choices) {
    const spec = { ...defaultSpec, method: parseMethod("linear-approximation"), layers };
    const explainer = exportModel(compileExplainer(graph, spec, { sha256: "" }).graph);
    const target = new ort.Tensor("int64", BigInt64Array.from([-1n]), [1]);
    const outputs = await runOnnx(explainer, { ...feeds, target });
    if (bitsOf(outputs.get(name)) !== original) changed.push(layers);
  }
  return changed;
}

describe("the model's outputs are the same to the bit", () => {
  const spellings = Object.entries(geluSpellings).flatMap(([gelu, g]) =>
    Object.entries(normalisations).map(([norm, n]) => [gelu, norm, g, n] as const),
  );
  it.each(spellings)("with GELU as %s and LayerNormalization %s", async (_gelu, _norm, gelu, norm) => {
    expect(await disturbed(transformer(gelu, norm), ["auto", "input"])).toEqual([]);
  });

  it("whichever tensor of a residual network is read", async () => {
    const graph = residual();
    const maps = graph.nodes
      .flatMap((n) => n.outputs)
      .filter((v) => v?.type?.shape.length === 4 && v.type.shape[2] === 16);
    expect(maps.length).toBeGreaterThan(12);
    expect(
      await disturbed(
        graph,
        maps.flatMap((v) => (v ? [[v.name]] : [])),
      ),
    ).toEqual([]);
  });
});
