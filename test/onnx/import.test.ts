/** @file Importing: what becomes of a file's tensors, and what is said of one that is wrong. */
import { describe, expect, it } from "vitest";
import type { AppError } from "../../shared/errors.ts";
import { tensor } from "../../shared/graph/attributes.ts";
import { bigints, constantOf, int64s, numbers } from "../../shared/graph/constant.ts";
import type { Value } from "../../shared/graph/ir.ts";
import { encode } from "../../shared/onnx/encode.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { type GraphProto, graphProto, type NodeProto, type TensorProto } from "../../shared/onnx/schema.ts";
import {
  initializer,
  modelBytes,
  node,
  type TinyModel,
  tensorInfo,
  tinyClassifier,
  weights,
} from "../support/tiny-models.ts";

/** A model around some nodes: `x` float32 [1, 4] in, `y` out. */
const model = (nodes: readonly NodeProto[], more: Partial<TinyModel> = {}): Uint8Array =>
  modelBytes({ nodes, inputs: [tensorInfo("x", [1, 4])], outputs: [tensorInfo("y", [1, 4])], ...more });

/** The graph of a model whose initializer `w` is added to its input. */
const withTensor = (w: TensorProto): Value => {
  const { graph } = importModel(model([node("Add", ["x", "w"], ["y"])], { initializers: [{ name: "w", ...w }] }));
  const value = graph.nodes[0]?.inputs[1];
  if (value == null) throw new TypeError("Add has two inputs");
  return value;
};

const elementsOf = (value: Value): readonly number[] => Array.from(value.constant ? numbers(value.constant) : []);

describe("an imported model", () => {
  it("has inputs and constants typed, and everything else by name", () => {
    const { graph, declared, opset, irVersion, producer } = importModel(tinyClassifier({ batch: "N" }));
    expect(graph.inputs.map((v) => [v.name, v.type])).toEqual([["image", { dtype: "float32", shape: ["N", 3, 8, 8] }]]);
    expect(graph.outputs.map((v) => v.name)).toEqual(["probabilities"]);
    expect(graph.nodes.map((n) => n.op).join(" ")).toBe(
      "Conv Relu MaxPool Conv Relu GlobalAveragePool Flatten Gemm Softmax",
    );
    expect(graph.nodes[0]?.inputs[1]?.type).toEqual({ dtype: "float32", shape: [8, 3, 3, 3] });
    expect(declared.get("probabilities")).toEqual({ dtype: "float32", shape: ["N", 5] });
    expect([opset, irVersion, producer.name]).toEqual([18, 8, "tiny"]);
  });

  it("shares its weights with the file", () => {
    const bytes = tinyClassifier();
    const weight = importModel(bytes).graph.nodes[0]?.inputs[1]?.constant;
    expect(weight?.bytes.buffer).toBe(bytes.buffer);
  });

  it("does not ask for the initializers that IR 3 lists as inputs", () => {
    const { graph } = importModel(tinyClassifier({ irVersion: 3, initializersAsInputs: true }));
    expect(graph.inputs.map((v) => v.name)).toEqual(["image"]);
  });

  it("has Constant nodes as constants, of every form", () => {
    const forms = {
      value: tensor(constantOf("float32", [2], [1, 2])),
      value_float: { kind: "float", value: 0.5 },
      value_floats: { kind: "floats", value: [1, 2, 3] },
      value_int: { kind: "int", value: 2n ** 62n },
      value_ints: { kind: "ints", value: [-1n, 2n] },
    } as const;
    const found = Object.entries(forms).map(([name, attribute]) => {
      const { graph } = importModel(
        model([node("Constant", [], ["c"], { [name]: attribute }), node("Add", ["x", "c"], ["y"])]),
      );
      expect(graph.nodes.map((n) => n.op)).toEqual(["Add"]);
      const constant = graph.nodes[0]?.inputs[1]?.constant;
      return [constant?.dtype, constant?.dims, constant?.dtype === "int64" ? bigints(constant) : undefined];
    });
    expect(found).toEqual([
      ["float32", [2], undefined],
      ["float32", [], undefined],
      ["float32", [3], undefined],
      ["int64", [], [2n ** 62n]],
      ["int64", [2], [-1n, 2n]],
    ]);
  });

  it("gives every dimension without a name its own, and keeps names", () => {
    const shapeOf = (...shape: readonly string[]): unknown =>
      importModel(model([node("Relu", ["x"], ["y"])], { inputs: [tensorInfo("x", [...shape, 0, -1])] })).graph.inputs[0]
        ?.type?.shape;
    expect(shapeOf("batch", "", "?")).toEqual(["batch", "x.1", "x.2", "x.3", "x.4"]);
    expect(shapeOf("x.1", "")).toEqual(["x.1", "x.1_1", "x.2", "x.3"]);
  });

  it("is in topological order, also where the file is not", () => {
    const { graph } = importModel(
      model([
        node("Add", ["a", "b"], ["y"], {}, "last"),
        node("Relu", ["a"], ["b"], {}, "middle"),
        node("Neg", ["x"], ["a"], {}, "first"),
      ]),
    );
    expect(graph.nodes.map((n) => n.name)).toEqual(["first", "middle", "last"]);
  });

  it("keeps subgraphs byte for byte and knows what they read from outside", () => {
    const inner: GraphProto = { name: "b", node: [node("Add", ["x", "h"], ["r"])], output: [{ name: "r" }] };
    const bytes = encode(graphProto, inner);
    const branch = (name: string): object => ({ name, type: 5n, g: bytes });
    const choice = { ...node("If", ["flag"], ["y"]), attribute: [branch("then_branch"), branch("else_branch")] };
    const { graph } = importModel(
      model([node("Relu", ["x"], ["h"]), choice], { initializers: [weights("flag", [], [1], "bool")] }),
    );
    expect(graph.nodes[1]?.captured?.map((v) => v.name)).toEqual(["x", "h"]);
    expect(graph.nodes[1]?.attributes.get("then_branch")?.kind).toBe("opaque");
  });
});

describe("a tensor's data", () => {
  it("is read from the typed fields as from raw data", () => {
    const float = new Uint8Array(new Float32Array([1.5, -2]).buffer);
    const double = new Uint8Array(new Float64Array([0.1]).buffer);
    const minusOne = [...Array(9).fill(0xff), 1];
    const bytes = (...b: readonly number[]): Uint8Array[] => [Uint8Array.from(b)];
    expect(elementsOf(withTensor({ dims: [2n], data_type: 1n, float_data: [float] }))).toEqual([1.5, -2]);
    expect(elementsOf(withTensor({ dims: [1n], data_type: 11n, double_data: [double] }))).toEqual([0.1]);
    expect(elementsOf(withTensor({ dims: [2n], data_type: 6n, int32_data: bytes(5, ...minusOne) }))).toEqual([5, -1]);
    expect(elementsOf(withTensor({ dims: [2n], data_type: 3n, int32_data: bytes(5, ...minusOne) }))).toEqual([5, -1]);
    expect(elementsOf(withTensor({ dims: [2n], data_type: 9n, int32_data: bytes(0, 1) }))).toEqual([0, 1]);
    expect(elementsOf(withTensor({ dims: [1n], data_type: 10n, int32_data: bytes(0x80, 0x78) }))).toEqual([1]);
    expect(elementsOf(withTensor({ dims: [2n], data_type: 7n, int64_data: bytes(0x80, 1, 7) }))).toEqual([128, 7]);
    expect(elementsOf(withTensor({ dims: [1n], data_type: 13n, uint64_data: bytes(9) }))).toEqual([9]);
    expect(elementsOf(withTensor({ dims: [0n], data_type: 1n }))).toEqual([]);
  });

  it("keeps 64-bit integers exactly", () => {
    const extremes = [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n];
    const { constant } = withTensor(initializer("w", int64s([3], extremes)));
    expect(constant && bigints(constant)).toEqual(extremes);
  });

  it("stays a view where floats are packed in one run", () => {
    const bytes = model([node("Add", ["x", "w"], ["y"])], {
      initializers: [{ name: "w", dims: [1n], data_type: 1n, float_data: [new Uint8Array([0, 0, 128, 63])] }],
    });
    expect(importModel(bytes).graph.nodes[0]?.inputs[1]?.constant?.bytes.buffer).toBe(bytes.buffer);
  });
});

describe("weights in another file", () => {
  const file = new Uint8Array(new Float32Array([9, 9, 1, 2, 3, 4]).buffer);
  const external = (entries: Readonly<Record<string, string>>): Uint8Array =>
    model([node("Add", ["x", "w"], ["y"])], {
      initializers: [
        {
          name: "w",
          dims: [4n],
          data_type: 1n,
          data_location: 1n,
          external_data: Object.entries(entries).map(([key, value]) => ({ key, value })),
        },
      ],
    });
  const read = (entries: Readonly<Record<string, string>>): readonly number[] => {
    const { graph } = importModel(external(entries), { external: (l) => (l === "w.bin" ? file : undefined) });
    const value = graph.nodes[0]?.inputs[1];
    expect(value?.constant?.bytes.buffer).toBe(file.buffer);
    return value ? elementsOf(value) : [];
  };

  it("are views on that file, from an offset, to a length or to its end", () => {
    expect(read({ location: "w.bin", offset: "8", length: "16" })).toEqual([1, 2, 3, 4]);
    expect(read({ location: "w.bin", offset: "8" })).toEqual([1, 2, 3, 4]);
  });

  it.each<[Readonly<Record<string, string>>, AppError["code"], RegExp]>([
    [{ location: "other.bin" }, "model-missing-data", /"w" lie in the file "other.bin", which was not given/],
    [{ location: "w.bin", offset: "16", length: "16" }, "model-missing-data", /bytes 16 to 32 of "w.bin".*only 24/],
    [{ location: "w.bin", offset: "999" }, "model-missing-data", /has only 24/],
    [{ location: "w.bin", length: "12" }, "model-malformed", /12 bytes of data where its shape takes 16/],
    [{ location: "w.bin", offset: "-8" }, "model-malformed", /has the offset "-8", no number of bytes/],
    [{ location: "w.bin", length: "1e3" }, "model-malformed", /has the length "1e3", no number of bytes/],
    [{ location: "../w.bin" }, "model-malformed", /"\.\.\/w.bin": a location must be a relative path/],
    [{ location: "a\\..\\w.bin" }, "model-malformed", /must be a relative path/],
    [{ location: "/etc/passwd" }, "model-malformed", /must be a relative path/],
    [{ location: "C:/w.bin" }, "model-malformed", /must be a relative path/],
    [{ location: "http://host/w.bin" }, "model-malformed", /must be a relative path/],
    [{ offset: "0" }, "model-malformed", /a file without a name/],
  ])("are refused with a reason: %o", (entries, code, message) => {
    const attempt = (): unknown => read(entries);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ code }));
  });
});

const nested = (depth: number): NodeProto => {
  const inner: GraphProto = { node: depth === 0 ? [] : [nested(depth - 1)], output: [{ name: "x" }] };
  return { ...node("Loop", [], ["y"]), attribute: [{ name: "body", type: 5n, g: encode(graphProto, inner) }] };
};

const relu = node("Relu", ["x"], ["y"]);
const noInputs = { inputs: [] };

/** What is wrong, the file, the code, the message. */
const wrong: readonly (readonly [what: string, bytes: Uint8Array, code: AppError["code"], message: RegExp])[] = [
  [
    "a name nothing defines",
    model([node("Conv", ["x", "conv1.wieght"], ["y"], {}, "conv1")], {
      initializers: [weights("conv1.weight", [1], [1])],
    }),
    "model-malformed",
    /node 0 \(Conv "conv1"\) reads "conv1.wieght", which nothing defines; the nearest name is "conv1.weight"/,
  ],
  [
    "a name defined twice",
    model([relu, node("Neg", ["x"], ["y"])]),
    "model-malformed",
    /"y" is defined twice, the second time by node 1 \(Neg\)/,
  ],
  [
    "an initializer twice",
    model([relu], { initializers: [weights("w", [1], [1]), weights("w", [1], [2])] }),
    "model-malformed",
    /"w" is defined twice, the second time by an initializer/,
  ],
  [
    "a cycle",
    model([node("Add", ["x", "b"], ["a"], {}, "first"), node("Relu", ["a"], ["b"], {}, "second"), relu]),
    "model-malformed",
    /nodes form a cycle: .*(first|second).* => .*(first|second).* => /,
  ],
  [
    "a node that reads itself",
    model([node("Add", ["x", "y"], ["y"])]),
    "model-malformed",
    /form a cycle: Add -> "y" =>/,
  ],
  [
    "an output nothing computes",
    model([node("Relu", ["x"], ["z"])]),
    "model-malformed",
    /output "y" is computed by no node; the nearest names are/,
  ],
  ["no outputs", model([relu], { outputs: [] }), "model-malformed", /has no outputs/],
  ["no operator", model([node("", ["x"], ["y"])]), "model-malformed", /node 0 has no operator/],
  [
    "an attribute twice",
    model([
      {
        ...relu,
        attribute: [
          { name: "a", i: 1n, type: 2n },
          { name: "a", i: 1n, type: 2n },
        ],
      },
    ]),
    "model-malformed",
    /node 0 \(Relu\) has the attribute "a" twice/,
  ],
  [
    "too few bytes for a shape",
    model([relu], { initializers: [{ name: "w", dims: [2n, 3n], data_type: 1n, raw_data: new Uint8Array(20) }] }),
    "model-malformed",
    /initializer "w" of type float32 \[2, 3\]: it has 20 bytes of data where its shape takes 24/,
  ],
  [
    "a shape that only claims its elements",
    model([relu], { initializers: [{ name: "w", dims: [2n ** 40n], data_type: 7n, int64_data: [new Uint8Array(3)] }] }),
    "model-malformed",
    /it has 3 elements where its shape takes 1099511627776/,
  ],
  [
    "a shape beyond all memory",
    model([relu], { initializers: [{ name: "w", dims: [2n ** 40n, 2n ** 40n], data_type: 1n }] }),
    "model-malformed",
    /more elements than any memory holds/,
  ],
  [
    "a negative extent",
    model([relu], { initializers: [{ name: "w", dims: [-1n], data_type: 1n }] }),
    "model-malformed",
    /float32 \[-1\]: an extent is negative/,
  ],
  [
    "a tensor without type",
    model([relu], { initializers: [{ name: "w", dims: [1n] }] }),
    "model-malformed",
    /initializer "w" .*no element type/,
  ],
  [
    "sparse weights",
    model([relu], { graph: { sparse_initializer: [new Uint8Array()] } }),
    "model-unsupported",
    /sparse initializers: save it with dense ones/,
  ],
  [
    "an input that is a sequence",
    model([relu], { inputs: [{ name: "x", type: { sequence_type: new Uint8Array() } }] }),
    "model-unsupported",
    /input "x" is no tensor/,
  ],
  [
    "an input without rank",
    model([relu], { inputs: [{ name: "x", type: { tensor_type: { elem_type: 1n } } }] }),
    "model-unsupported",
    /input "x" declares no shape/,
  ],
  ["an input without type", model([relu], { inputs: [{ name: "x" }] }), "model-malformed", /input "x" has no type/],
  ["an opset of the future", model([relu], { opset: 99 }), "model-unsupported", /opset 99; supported are 1 to 24/],
  [
    "an opset in two versions",
    model([relu], {
      model: {
        opset_import: [
          { domain: "", version: 13n },
          { domain: "ai.onnx", version: 14n },
        ],
      },
    }),
    "model-malformed",
    /imports "ai.onnx" in two versions, 13 and 14/,
  ],
  ["no opset", model([relu], { model: { opset_import: [] } }), "model-malformed", /does not say which opset/],
  [
    "control flow without end",
    model([nested(40)], noInputs),
    "model-malformed",
    /control flow is nested more than 16 deep/,
  ],
];

describe("a model that is wrong", () => {
  it.each(wrong)("is refused with what, where and why: %s", (_, bytes, code, message) => {
    const attempt = (): unknown => importModel(bytes);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ name: "AppError", code }));
  });
});

describe("a file that is no model", () => {
  const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
  it.each<[Uint8Array, string]>([
    [new Uint8Array(), "it is empty"],
    [Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]), "it looks like a JPEG image"],
    [Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), "it looks like a PNG image"],
    [ascii("<!DOCTYPE html><html><body>404</body></html>"), "it looks like an HTML or XML page"],
    [ascii("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "Git LFS pointer"],
    [ascii('{"error": "not found"}'), "it looks like JSON text"],
    [ascii("hello, this is text"), "it looks like text"],
    [Uint8Array.from([0x50, 0x4b, 3, 4, 20, 0, 0, 0]), "it looks like a zip archive"],
    [Uint8Array.from([0x1c, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33]), "it looks like a TensorFlow Lite model"],
  ])("is refused by what it seems to be (%#)", (bytes, message) => {
    expect(() => importModel(bytes)).toThrow(`the file is not an ONNX model: `);
    expect(() => importModel(bytes)).toThrow(message);
  });

  it("is refused also where it decodes, but has no graph", () => {
    expect(() => importModel(Uint8Array.from([0x08, 8]))).toThrow("the file is not an ONNX model: it has no graph");
  });
});
