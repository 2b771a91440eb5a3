/** @file The pass every model goes through: types, folding, other input sizes. */
import { describe, expect, it } from "vitest";
import { int, ints } from "../../shared/graph/attributes.ts";
import { type AttributeInput, emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { bigints, constantOf } from "../../shared/graph/constant.ts";
import { foldedElementsMax } from "../../shared/graph/fold.ts";
import type { Graph, Node, Shape, TensorType, Value } from "../../shared/graph/ir.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { print } from "../../shared/graph/print.ts";
import { verify } from "../../shared/graph/verify.ts";
import { namedValues } from "../../shared/graph/walk.ts";

const empty = emptyGraph(18);

/** A graph as import leaves it: values without types, named after their place. */
class Imported {
  readonly #inputs: Value[] = [];
  readonly #nodes: Node[] = [];

  input(name: string, shape: Shape, dtype: TensorType["dtype"] = "float32"): Value {
    const value: Value = { name, type: { dtype, shape } };
    this.#inputs.push(value);
    return value;
  }
  int64(name: string, ...values: number[]): Value {
    const constant = constantOf("int64", [values.length], values);
    return { name, type: { dtype: "int64", shape: [values.length] }, constant };
  }
  weight(name: string, ...dims: number[]): Value {
    const constant = constantOf("float32", dims, new Array(dims.reduce((n, d) => n * d, 1)).fill(1));
    return { name, type: { dtype: "float32", shape: dims }, constant };
  }
  node(op: string, name: string, inputs: (Value | null)[], attributes: AttributeInput = {}): Value {
    const output: Value = { name, type: undefined };
    const present = Object.entries(attributes).flatMap(([k, v]) => (v === undefined ? [] : [[k, v] as const]));
    this.#nodes.push({ op, domain: "", name: `n_${name}`, inputs, outputs: [output], attributes: new Map(present) });
    return output;
  }
  graph(...outputs: Value[]): Graph {
    return { ...empty, inputs: this.#inputs, nodes: this.#nodes, outputs };
  }
}

function prepared(graph: Graph, options: Parameters<typeof prepare>[1] = {}): Graph {
  const result = prepare(graph, options);
  verify(result);
  return result;
}

const operators = (graph: Graph): readonly string[] => graph.nodes.map((n) => n.op);

/** x -> Reshape(x, [Shape(x)[0], -1]), as PyTorch writes a flatten. */
function flattened(batch: Shape[number]): Graph {
  const m = new Imported();
  const x = m.input("x", [batch, 3, 4]);
  const extent = m.node("Gather", "extent", [m.node("Shape", "shape", [x]), m.int64("zero", 0)]);
  const target = m.node("Concat", "target", [extent, m.int64("rest", -1)], { axis: int(0) });
  return m.graph(m.node("Reshape", "y", [x, target]));
}

describe("prepare", () => {
  it("types every tensor, and keeps all names", () => {
    const graph = prepared(flattened("N"));
    expect(print(graph)).toBe(
      [
        "input %x float32[N,3,4]",
        "%shape int64[3] = Shape(%x)",
        "%extent int64[1] = Gather(%shape, [0])",
        "%target int64[2] = Concat(%extent, [-1]) {axis=0}",
        "%y float32[N,12] = Reshape(%x, %target)",
        "output %y float32[N,12]",
      ].join("\n"),
    );
  });

  it("folds the plumbing where the batch is a number", () => {
    const graph = prepared(flattened(2));
    expect(operators(graph)).toEqual(["Reshape"]);
    const target = namedValues(graph).get("target");
    expect(target?.constant && bigints(target.constant)).toEqual([2n, -1n]);
  });

  it("folds integers of any rank and the moving of constants, but computes no floats", () => {
    const m = new Imported();
    const x = m.input("x", [2, 2]);
    const w = m.weight("w", 2, 3);
    const moved = m.node("Transpose", "moved", [w], { perm: ints([1, 0]) });
    const cut = m.node("Slice", "cut", [
      moved,
      m.int64("from", 2),
      m.int64("to", 0),
      m.int64("axis", 0),
      m.int64("step", -1),
    ]);
    const summed = m.node("Add", "summed", [cut, cut]);
    const graph = prepared(m.graph(m.node("MatMul", "y", [x, summed])));
    expect(operators(graph)).toEqual(["Add", "MatMul"]);
  });

  it("leaves large results to the runtime", () => {
    const m = new Imported();
    const big = m.node("Expand", "big", [m.weight("w", 1), m.int64("to", foldedElementsMax + 1)]);
    const small = m.node("Expand", "small", [m.weight("v", 1), m.int64("less", 4)]);
    expect(operators(prepared(m.graph(m.node("Relu", "a", [big]), m.node("Relu", "b", [small]))))).toEqual([
      "Expand",
      "Relu",
      "Relu",
    ]);
  });

  it("does not make weights of float ConstantOfShape nodes", () => {
    const m = new Imported();
    const w = m.node("ConstantOfShape", "w", [m.int64("shape", 2, 2)]);
    expect(operators(prepared(m.graph(m.node("Relu", "y", [w]))))).toEqual(["ConstantOfShape", "Relu"]);
  });

  it("keeps a node that makes an output, also where it could be folded", () => {
    const m = new Imported();
    const y = m.node("Add", "y", [m.int64("a", 1), m.int64("b", 2)]);
    expect(prepared(m.graph(y)).outputs[0]?.constant).toBeUndefined();
  });

  it("keeps integers beyond 2^53 exact", () => {
    const m = new Imported();
    const end: Value = {
      ...m.int64("end", 0),
      constant: { dtype: "int64", dims: [1], bytes: new Uint8Array(8).fill(255) },
    };
    const max = new Uint8Array(8).fill(255);
    max[7] = 127;
    const last: Value = { ...end, name: "last", constant: { dtype: "int64", dims: [1], bytes: max } };
    const ends = m.node("Concat", "ends", [last, last], { axis: int(0) });
    const x = m.input("x", [4, 4]);
    const graph = prepared(m.graph(m.node("Slice", "y", [x, m.int64("starts", 1, 1), ends])));
    expect(graph.outputs[0]?.type?.shape).toEqual([3, 3]);
    const folded = namedValues(graph).get("ends")?.constant;
    expect(folded && bigints(folded)).toEqual([2n ** 63n - 1n, 2n ** 63n - 1n]);
  });

  it("removes what no output needs", () => {
    const m = new Imported();
    const x = m.input("x", [2]);
    m.node("Exp", "unused", [x]);
    expect(operators(prepared(m.graph(m.node("Relu", "y", [x]))))).toEqual(["Relu"]);
  });

  it("takes a declared type where inference cannot tell", () => {
    const m = new Imported();
    const y = m.node("Frobnicate", "y", [m.input("x", [2])]);
    const declared = new Map<string, TensorType>([["y", { dtype: "float32", shape: [5] }]]);
    expect(prepared(m.graph(y), { declared }).outputs[0]?.type).toEqual({ dtype: "float32", shape: [5] });
  });

  it("refuses an output that is declared otherwise, but not one declared with a symbol", () => {
    const m = new Imported();
    const graph = m.graph(m.node("Relu", "y", [m.input("x", [2, 3])]));
    const declare = (shape: Shape) => ({ declared: new Map<string, TensorType>([["y", { dtype: "float32", shape }]]) });
    expect(prepared(graph, declare(["N", 3])).outputs[0]?.type?.shape).toEqual([2, 3]);
    expect(() => prepare(graph, declare([2, 4]))).toThrowError(
      'the output "y" is declared float32[2,4], but Relu (n_y) -> "y" makes float32[2,3]',
    );
  });
});

describe("prepare with other input shapes", () => {
  const convolutional = (): Graph => {
    const m = new Imported();
    const x = m.input("x", [1, 3, 8, 8]);
    const y = m.node("Conv", "y", [x, m.weight("w", 4, 3, 3, 3)], { strides: ints([2, 2]) });
    return m.graph(m.node("GlobalAveragePool", "pooled", [y]));
  };
  const classifier = (target: readonly number[]): Graph => {
    const m = new Imported();
    const x = m.input("x", ["N", 3, 2, 2]);
    const flat = m.node("Reshape", "flat", [x, m.int64("target", ...target)]);
    return m.graph(m.node("Gemm", "y", [flat, m.weight("w", 12, 10)]));
  };
  const shapes = (...shape: Shape) => ({ inputShapes: new Map([["x", shape]]) });

  it("gives a fully convolutional net another size, and symbols", () => {
    expect(namedValues(prepared(convolutional(), shapes(1, 3, 21, 30))).get("y")?.type?.shape).toEqual([1, 4, 10, 14]);
    const symbolic = prepared(convolutional(), shapes("N", 3, "H", "W"));
    const rows = "floor((H+1)/2)-1";
    expect(namedValues(symbolic).get("y")?.type?.shape).toEqual(["N", 4, rows, rows.replace("H", "W")]);
  });

  it("forgets what the file declares for the other size", () => {
    const declared = new Map<string, TensorType>([["pooled", { dtype: "float32", shape: [1, 4, 1, 1] }]]);
    const graph = prepare(convolutional(), { ...shapes(2, 3, 9, 9), declared });
    expect(graph.outputs[0]?.type?.shape).toEqual([2, 4, 1, 1]);
  });

  it("names the node that needs the declared size", () => {
    expect(() => prepare(classifier([0, 12]), shapes("N", 3, 4, 4))).toThrowError(
      'the model cannot take "x" as float32[N,3,4,4]: Reshape (n_flat) -> "flat": the input "x" [N,3,4,4] cannot ' +
        "have shape [0,12]; it needs the declared float32[N,3,2,2]",
    );
    expect(() => prepare(classifier([0, -1]), shapes("N", 3, 4, 4))).toThrowError(/Gemm \(n_y\) .* gives 48 features/);
  });

  it("sees a Reshape that would spill locations into the batch", () => {
    expect(() => prepare(classifier([-1, 12]), shapes(1, 3, 4, 4))).toThrowError(
      /Reshape \(n_flat\) -> "flat" would turn a batch of 1 into 4 rows/,
    );
    expect(prepared(classifier([-1, 12]), shapes(7, 3, 2, 2)).outputs[0]?.type?.shape).toEqual([7, 10]);
  });

  it("refuses another rank, and inputs that do not exist", () => {
    expect(() => prepare(convolutional(), shapes(1, 3, 8))).toThrowError(
      '"x" has shape [1,3,8,8], so it cannot be [1,3,8]',
    );
    expect(() => prepare(convolutional(), { inputShapes: new Map([["z", [1]]]) })).toThrowError(
      'the model has no input "z"; it has "x"',
    );
  });
});

describe("folding computes what the runtime would", () => {
  const int64 = (g: GraphBuilder, dims: readonly number[], values: readonly number[]): Value =>
    g.constant(constantOf("int64", dims, values));
  const cases: Record<string, [(g: GraphBuilder) => Value, bigint[]]> = {
    "Add, stretched": [(g) => g.add(int64(g, [2, 1], [1, 2]), int64(g, [1, 2], [10, 20])), [11n, 21n, 12n, 22n]],
    "Div, truncating": [(g) => g.div(int64(g, [1, 2], [-7, 7]), int64(g, [1, 2], [2, -2])), [-3n, -3n]],
    Where: [
      (g) => g.where(g.cast(int64(g, [1, 2], [1, 0]), "bool"), int64(g, [2, 1], [5, 6]), int64(g, [1, 1], [9])),
      [5n, 9n, 6n, 9n],
    ],
    Equal: [(g) => g.cast(g.node("Equal", [int64(g, [1, 2], [3, 4]), int64(g, [1, 1], [4])]), "int64"), [0n, 1n]],
    "Cast, wrapping": [(g) => g.cast(g.cast(int64(g, [1, 2], [300, -1]), "uint8"), "int64"), [44n, 255n]],
    "Min of two": [(g) => g.node("Min", [int64(g, [1, 2], [3, -4]), int64(g, [1, 2], [0, 0])]), [0n, -4n]],
    Transpose: [(g) => g.transpose(int64(g, [2, 3], [1, 2, 3, 4, 5, 6]), [1, 0]), [1n, 4n, 2n, 5n, 3n, 6n]],
    "Slice, backwards": [(g) => g.slice(int64(g, [2, 3], [1, 2, 3, 4, 5, 6]), [-1], [-9], [1], [-2]), [3n, 1n, 6n, 4n]],
    Concat: [(g) => g.concat([int64(g, [2, 1], [1, 2]), int64(g, [2, 2], [3, 4, 5, 6])], 1), [1n, 3n, 4n, 2n, 5n, 6n]],
    Gather: [(g) => g.gather(int64(g, [2, 3], [1, 2, 3, 4, 5, 6]), int64(g, [2], [-1, 0]), 1), [3n, 1n, 6n, 4n]],
    Expand: [(g) => g.node("Expand", [int64(g, [2, 1], [1, 2]), g.int64([1, 2])]), [1n, 1n, 2n, 2n]],
    Range: [(g) => g.node("Range", [g.scalar(5, "int64"), g.scalar(0, "int64"), g.scalar(-2, "int64")]), [5n, 3n, 1n]],
    ReduceProd: [(g) => g.node("ReduceProd", [g.int64([2, 3, 4])]), [24n]],
    "Slice of a vector, backwards": [(g) => g.slice(g.int64([1, 2, 3, 4]), [-1], [-9], [0], [-1]), [4n, 3n, 2n, 1n]],
    Size: [(g) => g.node("Size", [int64(g, [2, 3], [0, 0, 0, 0, 0, 0])]), [6n]],
  };

  it.each(Object.entries(cases))("%s", (_name, [build, expected]) => {
    const g = new GraphBuilder(empty, "");
    const value = build(g);
    const graph = prepared(g.build([g.named(g.identity(g.identity(value)), "y")]));
    // What feeds the output is folded away to a constant, and the output's own node is left.
    expect(operators(graph)).toEqual(["Identity"]);
    const constant = graph.nodes[0]?.inputs[0]?.constant;
    expect(constant && bigints(constant)).toEqual(expected);
  });

  it("leaves a division by zero to the runtime", () => {
    const g = new GraphBuilder(empty, "");
    const value = g.div(int64(g, [1, 1], [1]), int64(g, [1, 1], [0]));
    expect(operators(prepared(g.build([g.named(value, "y")])))).toEqual(["Div", "Identity"]);
  });
});
