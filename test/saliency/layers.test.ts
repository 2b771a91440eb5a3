/** @file Which layers are listed and recommended, on small networks of the kinds people serve. */
import { describe, expect, it } from "vitest";
import { int, ints } from "../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf, volume } from "../../shared/graph/constant.ts";
import type { Dim, Graph, Value } from "../../shared/graph/ir.ts";
import { imageInput, LayerFinder, listLayers } from "../../shared/saliency/layers.ts";
import { findScores } from "../../shared/saliency/scores.ts";

const spec = { objective: "logit" } as const;

/** Writes networks by hand, every tensor under a name of the test's choice. */
class Net {
  readonly g = new GraphBuilder(emptyGraph(), "n/");
  readonly image: Value;
  constructor(shape: readonly Dim[]) {
    this.image = this.g.input("image", { dtype: "float32", shape });
  }
  weight(...dims: readonly number[]): Value {
    return this.g.constant(constantOf("float32", dims, new Float32Array(volume(dims))));
  }
  conv(x: Value, channels: number, kernel = 3, stride = 1): Value {
    const pad = (kernel - 1) / 2;
    return this.g.node("Conv", [x, this.weight(channels, Number(x.type?.shape[1]), kernel, kernel)], {
      strides: ints([stride, stride]),
      pads: ints([pad, pad, pad, pad]),
    });
  }
  /** Renames the value made last. */
  name(v: Value, name: string): Value {
    const node = this.g.nodes.pop();
    if (node?.outputs[0] !== v) throw new TypeError(`${v.name} was not made last`);
    const named: Value = { ...v, name };
    this.g.nodes.push({ ...node, outputs: [named] });
    return named;
  }
  head(x: Value, classes = 10): Graph {
    const flat = this.g.node("Flatten", [this.g.node("GlobalAveragePool", [x])]);
    const logits = this.g.node("Gemm", [flat, this.weight(Number(x.type?.shape[1]), classes)]);
    return this.g.build([this.name(logits, "logits")]);
  }
}

const recommended = (graph: Graph): readonly string[] =>
  listLayers(graph, spec)
    .filter((l) => l.recommended)
    .map((l) => l.name);
const finder = (graph: Graph): LayerFinder => new LayerFinder(graph, imageInput(graph), findScores(graph, spec).value);

/** Two residual stages; the second halves the map. Pre-activation sums are not activated, their ReLUs are. */
function residual(batch: Dim = "N", size: readonly Dim[] = [64, 64]): Graph {
  const net = new Net([batch, 3, ...size]);
  let x = net.name(net.g.relu(net.conv(net.image, 8, 7, 2)), "stem");
  for (const stage of [1, 2]) {
    const stride = stage === 1 ? 1 : 2;
    for (const block of [1, 2]) {
      const s = block === 1 ? stride : 1;
      const branch = net.conv(net.name(net.g.relu(net.conv(x, 8 * stage, 3, s)), `inner${stage}${block}`), 8 * stage);
      const skip = block === 1 ? net.conv(x, 8 * stage, 1, s) : x;
      x = net.name(net.g.relu(net.g.add(branch, skip)), `stage${stage}.block${block}`);
    }
  }
  return net.head(x);
}

describe("automatic layers", () => {
  it("are the ends of stages: after the activation, before the stride, not inside a branch", () => {
    expect(recommended(residual())).toEqual(["stage1.block2", "stage2.block2"]);
  });

  it("do not depend on the batch being symbolic", () => {
    expect(recommended(residual(1))).toEqual(recommended(residual("N")));
  });

  it("leave the map before the stride to the pooling that follows it, which adds nothing", () => {
    const net = new Net([1, 3, 64, 64]);
    const a = net.name(net.g.relu(net.conv(net.image, 4, 3, 4)), "a");
    const pooled = net.name(
      net.g.node("MaxPool", [a], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
      "pooled",
    );
    const b = net.name(net.g.relu(net.conv(pooled, 4)), "b");
    const last = net.name(
      net.g.node("MaxPool", [b], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
      "last-pool",
    );
    expect(recommended(net.head(last))).toEqual(["a", "b"]);
  });

  it("are those of stride 4 and more where height and width are left open: how fine a map is cannot be known", () => {
    expect(recommended(residual("N", ["H", "W"]))).toEqual(["stage2.block2"]);
  });

  it("recognise x * sigmoid(x) as an activation", () => {
    const net = new Net([1, 3, 32, 32]);
    const c = net.name(net.conv(net.image, 4, 3, 2), "conv");
    const s = net.name(net.g.mul(c, net.g.node("Sigmoid", [c])), "silu");
    const graph = net.head(s);
    expect(recommended(graph)).toEqual(["silu"]);
  });

  it("of a vision transformer that reads its class token are those at which every patch still has a gradient", () => {
    const net = new Net(["N", 3, 8, 8]);
    const { g } = net;
    const patches = net.name(net.conv(net.image, 6, 1, 2), "patches"); // [N, 6, 4, 4]
    let x = g.transpose(g.reshape(patches, [0, 6, 16]), [0, 2, 1]);
    const start = g.node("Expand", [
      net.weight(1, 1, 6),
      g.concat([g.gather(g.node("Shape", [x]), g.int64([0]), 0), g.int64([1, 6])], 0),
    ]);
    x = net.name(g.concat([start, x], 1), "tokens");
    for (const block of [1, 2, 3]) {
      const scores = g.node("Softmax", [g.matmul(x, g.transpose(x, [0, 2, 1]))], { axis: int(-1) });
      x = net.name(g.add(x, g.matmul(scores, g.matmul(x, net.weight(6, 6)))), `block${block}.attention`);
      x = net.name(g.add(x, g.node("Gelu", [g.matmul(x, net.weight(6, 6))])), `block${block}.mlp`);
    }
    const token = g.node("Gather", [x, g.constant({ dtype: "int64", dims: [], bytes: new Uint8Array(8) })], {
      axis: int(1),
    });
    const graph = g.build([net.name(g.node("Gemm", [token, net.weight(6, 4)]), "logits")]);
    expect(recommended(graph)).toEqual(["block1.attention", "block1.mlp", "block2.attention", "block2.mlp"]);
    expect(finder(graph).choose("last")[0]?.grid).toEqual({ rows: 4, columns: 4, prefix: 1 });
  });

  it("fail loudly where no tensor is a map of locations", () => {
    const net = new Net([1, 12]);
    const logits = net.name(net.g.node("Gemm", [net.image, net.weight(12, 3)]), "logits");
    expect(() => finder(net.g.build([logits])).choose("auto")).toThrowError(
      /no layer of this model is a map of locations/,
    );
  });
});

describe("the list of layers", () => {
  const layers = listLayers(residual(), spec);
  const find = (name: string) => layers.find((l) => l.name === name);

  it("says what share of all ways to the objective passes a layer", () => {
    expect(find("stage1.block2")?.share).toBeCloseTo(1, 6);
    expect(find("inner12")?.share).toBeCloseTo(0.5, 6);
  });

  it("counts the backward work down to a layer, which grows towards the image", () => {
    const costs = ["stage2.block2", "stage2.block1", "stage1.block2", "stem", "image"].map((n) => find(n)?.cost ?? -1);
    expect(costs[0]).toBeLessThan(0.01); // only the classifier is above it
    expect(costs).toEqual([...costs].sort((a, b) => a - b));
    expect(costs.at(-1)).toBeCloseTo(1, 6); // input gradients of all layers cost what their forward products cost
  });

  it("gives the stride of each map", () => {
    expect(["image", "stem", "stage2.block2"].map((n) => find(n)?.stride)).toEqual([1, 2, 4]);
  });

  it("tells layouts by what operators mean, not by extents: a 3x3 map of 3 channels is still channels first", () => {
    const net = new Net([1, 3, 3, 3]);
    const c = net.name(net.g.relu(net.conv(net.image, 3)), "c");
    expect(listLayers(net.head(c), spec).map((l) => l.layout)).toContain("nchw");
    const last = new Net([1, 8, 8, 3]);
    const inner = last.name(last.g.relu(last.conv(last.g.transpose(last.image, [0, 3, 1, 2]), 4)), "inner");
    const back = last.name(last.g.transpose(inner, [0, 2, 3, 1]), "back");
    const again = last.g.transpose(last.g.relu(back), [0, 3, 1, 2]);
    const list = listLayers(last.head(again), spec);
    expect(list.find((l) => l.name === "image")?.layout).toBe("nhwc");
    expect(list.find((l) => l.name === "back")?.layout).toBe("nhwc");
  });
});
