/** @file Walking, printing and verifying graphs. */
import { describe, expect, it } from "vitest";
import { ints, string } from "../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf } from "../../shared/graph/constant.ts";
import type { Graph, Node, Value } from "../../shared/graph/ir.ts";
import { print } from "../../shared/graph/print.ts";
import { verify } from "../../shared/graph/verify.ts";
import { between, consumers, namedValues, producers, upstream } from "../../shared/graph/walk.ts";

const empty = emptyGraph(18);

/** x -> relu -> (exp, log) -> sum, and a neg beside it that leads nowhere. */
function diamond() {
  const g = new GraphBuilder(empty, "");
  const x = g.input("x", { dtype: "float32", shape: ["N", 3] });
  const relu = g.relu(x);
  const [exp, log, neg] = [g.exp(relu), g.node("Log", [relu]), g.neg(relu)];
  const sum = g.add(exp, log);
  return { graph: { ...empty, inputs: [x], nodes: g.nodes, outputs: [sum] }, x, relu, exp, log, neg, sum };
}

const ops = (nodes: readonly Node[]): readonly string[] => nodes.map((n) => n.op);

describe("walking a graph", () => {
  it("finds who makes a value and who reads it", () => {
    const { graph, x, relu, sum } = diamond();
    expect(producers(graph).get(sum)?.op).toBe("Add");
    expect(producers(graph).get(x)).toBeUndefined();
    expect(ops(consumers(graph).get(relu) ?? [])).toEqual(["Exp", "Log", "Neg"]);
    expect(consumers(graph).get(sum)).toBeUndefined();
  });

  it("names a reader once, however often it reads", () => {
    const g = new GraphBuilder(empty, "");
    const x = g.input("x", { dtype: "float32", shape: [2] });
    g.mul(x, x);
    expect(consumers(g).get(x)).toHaveLength(1);
  });

  it("finds the nodes on the paths between values, and no others", () => {
    const { graph, relu, exp, log, sum, neg } = diamond();
    expect(ops(between(graph.nodes, [relu], [sum]))).toEqual(["Exp", "Log", "Add"]);
    expect(ops(between(graph.nodes, [exp], [sum]))).toEqual(["Add"]);
    expect(ops(between(graph.nodes, [log, exp], [neg]))).toEqual([]);
    expect(ops(upstream(graph.nodes, [neg]))).toEqual(["Relu", "Neg"]);
  });

  it("knows every tensor by name, inputs and constants too", () => {
    const g = new GraphBuilder(empty, "");
    const x = g.input("x", { dtype: "float32", shape: [2] });
    const w = g.constant(constantOf("float32", [2], [1, 2]), "w");
    const y = g.named(g.mul(x, w), "y");
    expect([...namedValues(g.build([y])).keys()]).toEqual(["x", w.name, "Mul_2", "y"]);
  });
});

describe("printing", () => {
  it("writes one line a node, small constants by value", () => {
    const g = new GraphBuilder(empty, "");
    const x = g.input("x", { dtype: "float32", shape: [1, 3, 4, 4] });
    const w = g.constant(constantOf("float32", [2, 3, 2, 2], new Array(24).fill(1)), "w");
    const conv = g.node("Conv", [x, w, null], { strides: ints([2, 2]), auto_pad: string("VALID") });
    const [pooled] = g.multi("MaxPool", [g.scale(conv, 0.1)], { kernel_shape: ints([2, 2]) }, 2);
    const graph = g.build([g.named(g.reshape(pooled ?? conv, [1, -1]), "y")]);
    expect(print(graph)).toBe(
      [
        "input %x float32[1,3,4,4]",
        '%Conv_2 float32[1,2,2,2] = Conv(%x, %w_1, _) {auto_pad="VALID", strides=[2,2]}',
        "%Mul_4 float32[1,2,2,2] = Mul(%Conv_2, 0.1)",
        "%MaxPool_5 float32[1,2,1,1], %MaxPool_6 int64[1,2,1,1] = MaxPool(%Mul_4) {kernel_shape=[2,2]}",
        "%Reshape_8 float32[1,2] = Reshape(%MaxPool_5, [1,-1])",
        "%y float32[1,2] = Identity(%Reshape_8)",
        "output %y float32[1,2]",
      ].join("\n"),
    );
  });
});

describe("verification", () => {
  const value = (name: string): Value => ({ name, type: { dtype: "float32", shape: [2] } });
  const relu = (x: Value, y: Value): Node => ({
    op: "Relu",
    domain: "",
    name: "",
    inputs: [x],
    outputs: [y],
    attributes: new Map(),
  });
  const [x, y, z] = [value("x"), value("y"), value("z")];
  const graph: Graph = { ...empty, inputs: [x], outputs: [z], nodes: [relu(x, y), relu(y, z)] };

  it("accepts a sound graph", () => {
    expect(() => verify(graph)).not.toThrow();
    expect(() => verify(diamond().graph)).not.toThrow();
  });

  const wrongConstant: Value = { ...value("c"), constant: constantOf("float32", [3], [1, 2, 3]) };
  const shortConstant: Value = {
    ...value("c"),
    constant: { ...constantOf("float32", [2], [1, 2]), bytes: new Uint8Array(4) },
  };
  const broken: Record<string, [Graph, RegExp]> = {
    "order that is not topological": [{ ...graph, nodes: graph.nodes.toReversed() }, /"y" is read before it is made/],
    "a value that nothing makes": [{ ...graph, nodes: graph.nodes.slice(1) }, /"y" is read before it is made/],
    "an output that nothing makes": [{ ...graph, nodes: graph.nodes.slice(0, 1) }, /"z" is read .* \(graph outputs\)/],
    "two values of one name": [
      { ...graph, nodes: [relu(x, y), relu(y, value("x"))], outputs: [y] },
      /two values are named "x"/,
    ],
    "a value made twice": [{ ...graph, nodes: [relu(x, y), relu(x, y)], outputs: [y] }, /"y" is made twice/],
    "a constant of another shape than its type": [
      { ...graph, nodes: [relu(wrongConstant, z)] },
      /type of the constant "c"/,
    ],
    "a constant of too few bytes": [{ ...graph, nodes: [relu(shortConstant, z)] }, /has 4 bytes, its shape needs 8/],
    "an input without a type": [
      { ...graph, inputs: [{ name: "x", type: undefined }], nodes: [], outputs: [] },
      /"x" has no type/,
    ],
    "elements that do not fit": [
      { ...graph, nodes: [relu(x, { ...z, elements: ["N"] })], outputs: [] },
      /"z" tracks 1 elements/,
    ],
  };
  it.each(Object.entries(broken))("rejects %s", (_name, [wrong, message]) => {
    expect(() => verify(wrong)).toThrowError(message);
  });
});
