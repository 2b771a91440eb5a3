/** @file Excitation backprop: what each operator does with the signal, and the nets it is refused for. */
import { describe, expect, it } from "vitest";
import { backward } from "../../shared/autodiff/backward.ts";
import { excitation, isWeighted } from "../../shared/autodiff/modified-excitation.ts";
import { isNonNegative } from "../../shared/autodiff/modified-sign.ts";
import { float, int, ints } from "../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder, shapeOf } from "../../shared/graph/builder.ts";
import { constantOf, numbers, volume } from "../../shared/graph/constant.ts";
import type { Value } from "../../shared/graph/ir.ts";
import { evaluate, tensor } from "../support/evaluate.ts";
import { random } from "../support/random.ts";

type Build = (g: GraphBuilder, x: Value) => Value;

/** Uniform in [-1, 1). */
const drawn = (seed: number, count: number): number[] => {
  const next = random(seed);
  return Array.from({ length: count }, () => 2 * next() - 1);
};

const weights = (g: GraphBuilder, seed: number, dims: readonly number[]): Value =>
  g.constant(constantOf("float64", dims, drawn(seed, volume(dims))));

/** The signal at relu(image) of the signal `p` at the output (all ones where left out); both flattened. */
function signal(build: Build, image: readonly number[], dims: readonly number[], p?: readonly number[]) {
  const g = new GraphBuilder(emptyGraph());
  const x = g.input("x", { dtype: "float64", shape: dims });
  const seen = g.relu(x);
  const y = build(g, seen);
  const count = volume(shapeOf(y).map(Number));
  const sent = p ?? new Array<number>(count).fill(1);
  const seed = g.constant(constantOf("float64", shapeOf(y).map(Number), sent));
  const [at] = backward(g, new Map([[y, seed]]), [seen], excitation());
  const values = evaluate(g, new Map([[x, tensor(dims, image)]]));
  const data = at?.constant ? numbers(at.constant) : at && values.get(at)?.data;
  return { at: Array.from(data ?? []), y: Array.from(values.get(y)?.data ?? []), sent };
}

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const image = [1, 2, 3, 4];

describe("the signal", () => {
  it("goes to a product's inputs in proportion to x W+, the bias taking none", () => {
    const w = [
      [1, -2],
      [3, 4],
      [-5, 6],
      [0, 1],
    ];
    const build: Build = (g, x) => {
      const b = g.constant(constantOf("float64", [2], [100, -100]));
      return g.node("Gemm", [x, g.constant(constantOf("float64", [4, 2], w.flat())), b]);
    };
    // W+ x = [1 + 6, 8 + 18 + 4] of x = [1, 2, 3, 4]
    const [p, q] = [0.25 / 7, 0.75 / 30];
    const { at } = signal(build, image, [1, 4], [0.25, 0.75]);
    [1 * p, 2 * (3 * p + 4 * q), 3 * 6 * q, 4 * q].forEach((want, i) => {
      expect(at[i]).toBeCloseTo(want, 12);
    });
  });

  it("to an output nothing excites is lost, and is no NaN", () => {
    const build: Build = (g, x) => g.matmul(x, g.constant(constantOf("float64", [4, 2], [-1, 1, -1, 0, -1, 0, -1, 0])));
    expect(signal(build, image, [1, 4], [0.5, 0.5]).at).toEqual([0.5, 0, 0, 0]);
  });

  const keeping: readonly (readonly [string, Build])[] = [
    [
      "convolutions, also strided",
      (g, x) => {
        const conv = (v: Value, seed: number, strides: number): Value =>
          g.node("Conv", [v, weights(g, seed, [3, seed === 1 ? 2 : 3, 3, 3])], {
            strides: ints([strides, strides]),
            pads: ints([1, 1, 1, 1]),
          });
        return conv(g.relu(conv(x, 1, 1)), 2, 2);
      },
    ],
    [
      "average poolings",
      (g, x) =>
        g.node("GlobalAveragePool", [
          g.node("AveragePool", [x], { kernel_shape: ints([3, 3]), strides: ints([1, 1]), pads: ints([1, 1, 1, 1]) }),
        ]),
    ],
    ["means over axes", (g, x) => g.mean(x, [2, 3], false)],
    ["max pooling", (g, x) => g.node("MaxPool", [x], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) })],
    ["sums of branches", (g, x) => g.add(g.relu(g.node("Conv", [x, weights(g, 3, [2, 2, 1, 1])])), x)],
    ["concatenations", (g, x) => g.concat([x, g.node("AveragePool", [x], { kernel_shape: ints([1, 1]) })], 1)],
  ];
  it.each(keeping)("is neither lost nor made by %s", (_what, build) => {
    const dims = [1, 2, 6, 6];
    const x = drawn(7, volume(dims)).map((v) => Math.abs(v) + 0.1);
    const { y } = signal(build, x, dims);
    // From outputs that are positive: a ReLU at 0 hands nothing on.
    const sent = y.map((v) => (v > 0 ? v : 0));
    const { at } = signal(build, x, dims, sent);
    expect(total(at) / total(sent)).toBeCloseTo(1, 12);
    expect(Math.min(...at)).toBeGreaterThanOrEqual(0);
  });

  it("passes a normalisation by the training set's statistics as it is, spelled out or not", () => {
    const vector = (g: GraphBuilder, dims: readonly number[], ...v: number[]): Value =>
      g.constant(constantOf("float64", dims, v));
    const norm: Build = (g, x) =>
      g.node("BatchNormalization", [x, ...[2, 0.5, -3, 4].map((v) => vector(g, [2], v, v))]);
    const spelled: Build = (g, x) => g.add(g.mul(x, vector(g, [2, 1, 1], 2, -3)), vector(g, [2, 1, 1], 1, 1));
    for (const build of [norm, spelled]) {
      expect(signal(build, image, [1, 2, 1, 2], [1, 2, 3, 4]).at).toEqual([1, 2, 3, 4]);
    }
  });

  it("is shared by the terms of a sum in proportion, and by none of a sum that is 0", () => {
    const build: Build = (g, x) => g.add(g.mul(x, g.constant(constantOf("float64", [4], [3, -1, 1, 0]))), x);
    // Of the sum 4x the factor's branch takes 3/4; 0 = x - x has nobody to give to.
    expect(signal(build, image, [1, 4]).at).toEqual([1, 0, 1, 1]);
  });
});

describe("a net is refused", () => {
  const conv = (g: GraphBuilder, x: Value): Value => g.node("Conv", [x, weights(g, 5, [2, 2, 1, 1])]);
  const atInputOf = (g: GraphBuilder, v: Value): readonly Value[] => {
    const y = conv(g, v);
    const seed = g.constant(constantOf("float64", [1, 2, 2, 2], new Float64Array(8)));
    return backward(g, new Map([[y, seed]]), [v], excitation());
  };
  const open = () => {
    const g = new GraphBuilder(emptyGraph());
    return { g, x: g.input("x", { dtype: "float64", shape: [1, 2, 2, 2] }) };
  };

  const activations: readonly (readonly [string, Build])[] = [
    ["LeakyRelu", (g, x) => g.node("LeakyRelu", [x], { alpha: float(0.1) })],
    ["Gelu", (g, x) => g.node("Gelu", [x])],
    ["Conv", conv],
  ];
  it.each(activations)("whose weighted layer reads what %s makes, which may be negative", (op, make) => {
    const { g, x } = open();
    const v = make(g, x);
    const refusal = `Conv.*over inputs that are never negative, and .* may be \\(${op}.*can make it`;
    expect(() => atInputOf(g, v)).toThrowError(new RegExp(refusal));
  });

  it("at the image, of which nothing says that it is not negative", () => {
    const { g, x } = open();
    expect(() => atInputOf(g, x)).toThrowError(/"x" may be \(nothing says that the model's input is not\)/);
  });

  it("where two computed tensors are multiplied", () => {
    const { g, x } = open();
    const v = g.relu(x);
    const seed = g.constant(constantOf("float64", [1, 2, 2, 2], new Float64Array(8)));
    for (const y of [g.mul(v, g.node("Sigmoid", [v])), g.matmul(v, v)]) {
      expect(() => backward(g, new Map([[y, seed]]), [v], excitation())).toThrowError(
        /product of two computed tensors/,
      );
    }
  });
});

describe("a tensor is known not to be negative", () => {
  const g = new GraphBuilder(emptyGraph());
  const x = g.input("x", { dtype: "float64", shape: [1, 2, 4, 4] });
  const positive = g.relu(x);
  const number = (v: number): Value => g.scalar(v, "float64");
  it.each<readonly [string, Value, boolean]>([
    ["after ReLU", positive, true],
    ["after ReLU6", g.node("Clip", [x, number(0), number(6)]), true],
    ["after a clip from -1", g.node("Clip", [x, number(-1), number(6)]), false],
    ["after a clip of something positive", g.node("Clip", [positive, number(-1), number(6)]), true],
    ["after max(x, 0)", g.node("Max", [x, number(0)]), true],
    ["padded with zeros", g.pad(positive, [0, 0, 1, 1, 0, 0, 1, 1]), true],
    ["padded with -1", g.node("Pad", [positive, g.int64([0, 0, 1, 1, 0, 0, 1, 1]), number(-1)]), false],
    [
      "through pooling, concatenation and moves",
      g.transpose(g.concat([positive, g.max(positive, [2])], 2), [0, 2, 3, 1]),
      true,
    ],
    ["as a sum with a negative constant", g.add(positive, number(-1)), false],
    ["as a difference", g.sub(positive, positive), false],
    ["as a sum with something unknown", g.add(positive, x), false],
  ])("%s: %#", (_what, v, known) => {
    expect(isNonNegative(g, v)).toBe(known);
  });
});

describe("the contrastive signal", () => {
  it("is that of the weights less that of their negation, so below the last layer each location's mass is 0", () => {
    const g = new GraphBuilder(emptyGraph());
    const x = g.input("x", { dtype: "float64", shape: [1, 3, 2, 2] });
    const below = g.relu(g.node("Conv", [g.relu(x), weights(g, 8, [32, 3, 1, 1])]));
    const last = g.node("Conv", [below, weights(g, 9, [5, 32, 1, 1])]);
    const hot = g.constant(
      constantOf(
        "float64",
        [1, 5, 2, 2],
        Array.from({ length: 20 }, (_, i) => (i < 4 ? 0.25 : 0)),
      ),
    );
    const of = (contrast?: Value): readonly Value[] =>
      backward(g, new Map([[last, hot]]), [below], excitation(contrast ? { contrast } : {}));
    const [difference, plain] = [...of(last), ...of()];
    const values = evaluate(g, new Map([[x, tensor([1, 3, 2, 2], drawn(10, 12).map(Math.abs))]]));
    const read = (v: Value | undefined): number[] => Array.from((v && values.get(v)?.data) ?? []);
    const locations = [0, 1, 2, 3].map((u) => total(read(difference).filter((_, i) => i % 4 === u)));
    expect(locations).toHaveLength(4);
    for (const mass of locations) expect(mass).toBeCloseTo(0, 12);
    expect(read(difference).some((v) => Math.abs(v) > 1e-3)).toBe(true);
    expect(total(read(plain))).toBeCloseTo(1, 12);
  });

  it("knows a weighted layer from the product of two computed tensors", () => {
    const g = new GraphBuilder(emptyGraph());
    const x = g.input("x", { dtype: "float64", shape: [2, 2] });
    const made = [
      g.matmul(x, weights(g, 1, [2, 2])),
      g.node("Gemm", [weights(g, 2, [2, 2]), x]),
      g.matmul(x, x),
      g.relu(x),
    ];
    expect(made.map((v) => isWeighted(g.producer(v) ?? { ...emptyNode, outputs: [v] }))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

const emptyNode = { op: "", domain: "", name: "", inputs: [], attributes: new Map([["none", int(0)]]) };
