/** @file The sweep itself: what it computes, what it leaves alone, what it refuses. */
import { describe, expect, it } from "vitest";
import { backward } from "../../shared/autodiff/backward.ts";
import { deconvnet, guided } from "../../shared/autodiff/modified.ts";
import { rules } from "../../shared/autodiff/rules.ts";
import type { RuleTable } from "../../shared/autodiff/vjp.ts";
import { ints } from "../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf } from "../../shared/graph/constant.ts";
import type { Value } from "../../shared/graph/ir.ts";
import { evaluate, tensor } from "../support/evaluate.ts";

const start = (): GraphBuilder => new GraphBuilder(emptyGraph());
const vector = (g: GraphBuilder, name: string, length = 3): Value =>
  g.input(name, { dtype: "float64", shape: [length] });
const ones = (g: GraphBuilder, length = 3): Value =>
  g.constant(constantOf("float64", [length], new Array<number>(length).fill(1)));

/** What the values are when every input is 2, 3, 4 ... */
function valuesOf(g: GraphBuilder, values: readonly Value[], from = 2): readonly (readonly number[])[] {
  const graph = g.build(values);
  const feeds = new Map(
    graph.inputs.map((x) => {
      const dims = (x.type?.shape ?? []).map(Number);
      const length = dims.reduce((n, d) => n * d, 1);
      return [
        x,
        tensor(
          dims,
          Array.from({ length }, (_, i) => from + i),
        ),
      ] as const;
    }),
  );
  const found = evaluate(graph, feeds);
  return values.map((v) => Array.from(found.get(v)?.data ?? [], (d) => d + 0)); // -0 is 0
}
const operators = (g: GraphBuilder, values: readonly Value[]): readonly string[] =>
  g.build(values).nodes.map((node) => node.op);

describe("the sweep", () => {
  it("differentiates by inner tensors as by inputs", () => {
    const g = start();
    const x = vector(g, "x");
    const inner = g.exp(x);
    const y = g.mul(inner, inner);
    const [dInner, dx] = backward(g, new Map([[y, ones(g)]]), [inner, x]);
    const [found = [], foundX = []] = valuesOf(g, [g.identity(dInner ?? y), g.identity(dx ?? y)]);
    const at = [2, 3, 4];
    expect(found).toEqual(at.map((x) => expect.closeTo(2 * Math.exp(x), 9)));
    expect(foundX).toEqual(at.map((x) => expect.closeTo(2 * Math.exp(2 * x), 9)));
  });

  it("adds up what comes back along several paths and from several outputs", () => {
    const g = start();
    const x = vector(g, "x");
    const [a, b] = [g.scale(x, 2), g.scale(x, 5)];
    const [dx] = backward(
      g,
      new Map([
        [g.add(a, b), ones(g)],
        [a, ones(g)],
      ]),
      [x],
    );
    expect(valuesOf(g, [dx ?? x])).toEqual([[9, 9, 9]]);
  });

  it("returns the cotangent of an output that is itself wanted", () => {
    const g = start();
    const x = vector(g, "x");
    const u = vector(g, "u");
    expect(backward(g, new Map([[x, u]]), [x])).toEqual([u]);
  });

  it("gives zeros, of the right shape and type, where no path leads", () => {
    const g = start();
    const [x, apart] = [vector(g, "x"), vector(g, "apart", 5)];
    const [d] = backward(g, new Map([[g.exp(x), ones(g)]]), [apart]);
    expect(d?.type).toEqual({ dtype: "float64", shape: [5] });
    expect(valuesOf(g, [d ?? x])).toEqual([[0, 0, 0, 0, 0]]);
  });

  it("gives zeros behind an operator that is constant wherever it is continuous", () => {
    const g = start();
    const x = vector(g, "x");
    const [d] = backward(g, new Map([[g.node("Floor", [x]), ones(g)]]), [x]);
    expect(valuesOf(g, [d ?? x])).toEqual([[0, 0, 0]]);
  });

  it("expands a gradient that is the same at every location before handing it out", () => {
    const g = start();
    const x = g.input("x", { dtype: "float64", shape: [1, 2, 3, 3] });
    const y = g.node("GlobalAveragePool", [x]);
    const u = g.constant(constantOf("float64", [1, 2, 1, 1], [9, 18]));
    const [d] = backward(g, new Map([[y, u]]), [x]);
    expect(valuesOf(g, [d ?? x])).toEqual([[...new Array<number>(9).fill(1), ...new Array<number>(9).fill(2)]]);
  });
});

describe("the sweep spends nothing on what nobody asked for", () => {
  const conv = (g: GraphBuilder): { x: Value; bias: Value; y: Value } => {
    const x = g.input("x", { dtype: "float64", shape: [1, 2, 4, 4] });
    const weights = g.constant(constantOf("float64", [3, 2, 3, 3], new Array<number>(54).fill(0.5)));
    const bias = g.constant(constantOf("float64", [3], [1, 2, 3]));
    return { x, bias, y: g.node("Conv", [x, weights, bias]) };
  };
  const cotangent = (g: GraphBuilder, y: Value): ReadonlyMap<Value, Value> =>
    new Map([[y, g.input("u", y.type ?? { dtype: "float64", shape: [] })]]);

  it("a bias gradient needs no convolution", () => {
    const g = start();
    const { bias, y } = conv(g);
    const gradients = backward(g, cotangent(g, y), [bias]);
    expect(operators(g, gradients)).toEqual(["ReduceSum"]);
  });

  it("an input gradient makes no weight gradient", () => {
    const g = start();
    const { x, y } = conv(g);
    const gradients = backward(g, cotangent(g, y), [x]);
    expect(operators(g, gradients)).toEqual(["ConvTranspose"]);
  });

  it("a max pool is asked for its indices only where a gradient passes it", () => {
    const g = start();
    const x = g.input("x", { dtype: "float64", shape: [1, 1, 4, 4] });
    const pooled = g.node("MaxPool", [x], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    const y = g.exp(pooled);
    backward(g, cotangent(g, y), [pooled]);
    expect(g.nodes.find((node) => node.op === "MaxPool")?.outputs).toHaveLength(1);
  });

  it("leaves the forward nodes as they were", () => {
    const g = start();
    const { x, y } = conv(g);
    const before = [...g.nodes];
    backward(g, cotangent(g, y), [x]);
    expect(g.nodes.slice(0, before.length)).toEqual(before);
    expect(g.nodes[0]).toBe(before[0]);
  });
});

describe("the sweep refuses", () => {
  const throughUnknown = (g: GraphBuilder, x: Value): Value =>
    g.emit({ op: "Mystery", domain: "com.example", name: "", inputs: [x], attributes: new Map() }, 1)[0] ?? x;

  it("an operator it does not know, naming it and the tensor it makes", () => {
    const g = start();
    const x = vector(g, "x");
    const y = throughUnknown(g, x);
    expect(() => backward(g, new Map([[y, ones(g)]]), [x])).toThrow(/Mystery.*"backlight\/Mystery_\d+"/);
  });

  it("an operator whose rule declines, with the reason", () => {
    const g = start();
    const x = vector(g, "x");
    const table: RuleTable = { ...rules, Exp: { kind: "refused", why: "nobody asked nicely" } };
    expect(() => backward(g, new Map([[g.exp(x), ones(g)]]), [x], table)).toThrow(/Exp.*nobody asked nicely/);
  });

  it("nothing that does not lie on the way", () => {
    const g = start();
    const [x, apart] = [vector(g, "x"), vector(g, "apart")];
    const y = g.add(g.exp(x), throughUnknown(g, apart));
    const declared: Value = { ...y, type: { dtype: "float64", shape: [3] } };
    const last = g.nodes.pop();
    if (last) g.nodes.push({ ...last, outputs: [declared] });
    expect(() => backward(g, new Map([[declared, ones(g)]]), [x])).not.toThrow();
  });
});

describe("the modified backward passes", () => {
  /** Through ReLU at x = -1, 1, -1, 1 with dy = 2, 2, -2, -2. */
  const through = (table: RuleTable): readonly number[] | undefined => {
    const g = start();
    const x = g.constant(constantOf("float64", [4], [-1, 1, -1, 1]));
    const u = g.constant(constantOf("float64", [4], [2, 2, -2, -2]));
    const y = g.relu(x);
    return valuesOf(g, [...backward(g, new Map([[y, u]]), [x], table)])[0];
  };

  it("the true one looks at the forward sign alone", () => expect(through(rules)).toEqual([0, 2, 0, -2]));
  it("guided backpropagation looks at both signs", () => expect(through(guided)).toEqual([0, 2, 0, 0]));
  it("the deconvolutional network looks at the gradient's sign alone", () =>
    expect(through(deconvnet)).toEqual([2, 2, 0, 0]));

  it("differ from the true table at ReLU only", () => {
    for (const table of [guided, deconvnet]) {
      expect(Object.keys(table).filter((name) => table[name] !== rules[name])).toEqual(["Relu"]);
    }
  });
});

it("a table entry that is no rule says why", () => {
  for (const [name, entry] of Object.entries(rules)) {
    if (entry.kind !== "rule") expect(entry.why.length, name).toBeGreaterThan(10);
  }
});
