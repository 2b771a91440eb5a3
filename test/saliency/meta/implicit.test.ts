/**
 * @file Layers stepped without their stepped weights: the same maps and numbers as with them, where it is less work.
 */
import { describe, expect, it } from "vitest";
import { backward } from "../../../shared/autodiff/backward.ts";
import { float, int, ints } from "../../../shared/graph/attributes.ts";
import { type AttributeInput, emptyGraph, GraphBuilder } from "../../../shared/graph/builder.ts";
import { constantOf, volume } from "../../../shared/graph/constant.ts";
import type { Value } from "../../../shared/graph/ir.ts";
import { type Implicit, implicitLayers, squaredGradient, stepAt } from "../../../shared/saliency/meta/implicit.ts";
import { evaluate, tensor } from "../../support/evaluate.ts";
import { randomNumbers } from "../../support/tiny-models.ts";

interface Case {
  readonly op: "Conv" | "Gemm";
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly attributes?: AttributeInput;
}

const cases: Readonly<Record<string, Case>> = {
  "a 1x1 convolution": { op: "Conv", x: [1, 24, 2, 2], weight: [32, 24, 1, 1] },
  "a 3x3 convolution, padded": {
    op: "Conv",
    x: [1, 16, 2, 3],
    weight: [40, 16, 3, 3],
    attributes: { pads: ints([1, 1, 1, 1]) },
  },
  "a strided convolution, unevenly padded": {
    op: "Conv",
    x: [1, 16, 3, 3],
    weight: [96, 16, 3, 3],
    attributes: { pads: ints([0, 1, 1, 0]), strides: ints([2, 2]) },
  },
  "a dilated convolution": {
    op: "Conv",
    x: [1, 40, 4, 4],
    weight: [80, 40, 2, 2],
    attributes: { dilations: ints([2, 2]) },
  },
  "a 1-D convolution": { op: "Conv", x: [1, 16, 5], weight: [24, 16, 3] },
  "a fully connected layer": { op: "Gemm", x: [1, 12], weight: [9, 12], attributes: { transB: int(1) } },
  "a fully connected layer with a factor": {
    op: "Gemm",
    x: [1, 12],
    weight: [12, 9],
    attributes: { alpha: float(0.5) },
  },
};

/** The layer, its input, another input, and an output gradient, all drawn. */
function layerOf({ op, x: shape, weight: dims, attributes = {} }: Case) {
  const g = new GraphBuilder(emptyGraph(18));
  const dtype = "float64";
  const x = g.input("x", { dtype, shape });
  const there = g.input("there", { dtype, shape });
  const weight = g.constant(constantOf(dtype, dims, randomNumbers(3, volume(dims))), "weight");
  const call = { ...attributes, ...(op === "Conv" && { kernel_shape: ints(dims.slice(2)) }) };
  const y = g.node(op, [x, weight], call);
  const dy = g.input("dy", y.type ?? { dtype, shape: [] });
  const again = (input: Value, w: Value): Value => g.node(op, [input, w], call);
  const draw = (v: Value, seed: number) => {
    const size = (v.type?.shape ?? []).map(Number);
    return [v, tensor(size, randomNumbers(seed, volume(size)))] as const;
  };
  const feeds = new Map([draw(x, 1), draw(there, 2), draw(dy, 4)]);
  return { g, x, there, weight, y, dy, again, feeds };
}

function chosen(layer: Implicit | undefined): Implicit {
  if (layer === undefined) throw new TypeError("the layer is stepped implicitly");
  return layer;
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (v, i) => Math.abs(v - (b[i] ?? Number.NaN)))) / Math.max(...Array.from(a, Math.abs));

describe.each(Object.entries(cases))("%s", (_, each) => {
  const { g, there, weight, y, dy, again, feeds } = layerOf(each);
  const found = implicitLayers(g.build([y]), [weight]);
  const [layer] = found;

  it("is stepped implicitly", () => {
    expect(found.map((l) => l.weight.name)).toEqual([weight.name]);
  });

  it("gives at another input what the stepped weights give, and the same gradient there", () => {
    const [dw = weight] = backward(g, new Map([[y, dy]]), [weight]);
    const explicit = again(there, g.sub(weight, dw));
    const implicit = g.add(again(there, weight), stepAt(g, chosen(layer), dy, there, null));
    const [dExplicit = dy] = backward(g, new Map([[explicit, dy]]), [there], undefined, new Set([dw]));
    const [dImplicit = dy] = backward(g, new Map([[implicit, dy]]), [there]);
    const known = evaluate(g.build([explicit, implicit, dExplicit, dImplicit]), feeds);
    const data = (v: Value): Float64Array => Float64Array.from(known.get(v)?.data ?? []);
    expect(worst(data(explicit), data(implicit))).toBeLessThan(1e-12);
    expect(worst(data(dExplicit), data(dImplicit))).toBeLessThan(1e-12);
  });

  it("knows the square of the gradient it never forms", () => {
    const [dw = weight] = backward(g, new Map([[y, dy]]), [weight]);
    const square = squaredGradient(g, chosen(layer), dy);
    const known = evaluate(g.build([dw, square]), feeds);
    const explicit = (known.get(dw)?.data ?? new Float64Array()).reduce((s, v) => s + v * v, 0);
    expect((known.get(square)?.data[0] ?? Number.NaN) / explicit).toBeCloseTo(1, 12);
  });
});

describe("a layer is stepped by its weights", () => {
  it.each<readonly [string, Case]>([
    ["with many locations", { op: "Conv", x: [1, 4, 9, 9], weight: [4, 4, 3, 3] }],
    ["in groups", { op: "Conv", x: [1, 32, 2, 2], weight: [32, 1, 2, 2], attributes: { group: int(32) } }],
    ["with two images", { op: "Gemm", x: [2, 12], weight: [12, 9] }],
    ["with a transposed input", { op: "Gemm", x: [12, 1], weight: [12, 9], attributes: { transA: int(1) } }],
  ])("%s", (_, each) => {
    const { g, weight, y } = layerOf(each);
    expect(implicitLayers(g.build([y]), [weight]).length).toBe(0);
  });

  it("where they are used twice", () => {
    const { g, x, weight, y, again } = layerOf({ op: "Conv", x: [1, 24, 2, 2], weight: [32, 24, 1, 1] });
    expect(implicitLayers(g.build([g.add(y, again(x, weight))]), [weight]).length).toBe(0);
  });
});
