/**
 * @file The models the fuzzer starts from: a few hundred bytes each, together with every message, field and path of
 * the importer in them.
 */
import { float, floats, int, ints, string, tensor } from "../../shared/graph/attributes.ts";
import { constantOf, int64s } from "../../shared/graph/constant.ts";
import { encode } from "../../shared/onnx/encode.ts";
import { functionProto, type GraphProto, graphProto, type NodeProto } from "../../shared/onnx/schema.ts";
import { initializer, modelBytes, node, tensorInfo, weights } from "./build.ts";

const ramp = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => (i % 7) / 8 - 0.25);
const image = tensorInfo("x", ["N", 2, 4, 4]);

/** Conv, pooling, Gemm, Softmax: what a classifier is made of, in the newest form. */
const classifier = modelBytes({
  nodes: [
    node("Conv", ["x", "w", "b"], ["c"], { pads: ints([1, 1, 1, 1]), kernel_shape: ints([3, 3]) }, "conv"),
    node("Relu", ["c"], ["r"]),
    node("MaxPool", ["r"], ["p"], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
    node("GlobalAveragePool", ["p"], ["g"]),
    node("Flatten", ["g"], ["f"]),
    node("Gemm", ["f", "fc"], ["y"], { transB: int(1), alpha: float(1) }),
    node("Softmax", ["y"], ["probabilities"], { axis: int(-1) }),
  ],
  inputs: [image],
  outputs: [tensorInfo("probabilities", ["N", 3])],
  initializers: [
    weights("w", [2, 2, 3, 3], ramp(36)),
    weights("b", [2], ramp(2)),
    weights("fc", [3, 2], ramp(6), "float32"),
  ],
  model: { metadata_props: [{ key: "author", value: "nobody" }] },
  graph: { value_info: [tensorInfo("c", ["N", 2, 4, 4])] },
});

/** IR 3 and opset 7: initializers among the inputs, typed data, attributes that later became inputs. */
const old = modelBytes({
  opset: 7,
  irVersion: 3,
  nodes: [
    node("BatchNormalization", ["x", "s", "s", "s", "s"], ["bn"], { epsilon: float(0.01), spatial: int(1) }),
    node("Clip", ["bn"], ["clip"], { min: float(0), max: float(6) }),
    node("Dropout", ["clip"], ["d", "mask"], { ratio: float(0.5) }),
    node("Upsample", ["d"], ["u"], { scales: floats([1, 1, 2, 2]), mode: string("nearest") }),
    node("Pad", ["u"], ["pad"], { pads: ints([0, 0, 1, 1, 0, 0, 1, 1]), value: float(0) }),
    node("Slice", ["pad"], ["sl"], { starts: ints([0]), ends: ints([9_223_372_036_854_775_807n]), axes: ints([2]) }),
    node("ReduceMean", ["sl"], ["m"], { axes: ints([2, 3]), keepdims: int(0) }),
    node("Softmax", ["m"], ["y"]),
  ],
  inputs: [image, tensorInfo("s", [2])],
  outputs: [tensorInfo("y", ["N", 2])],
  initializers: [{ name: "s", dims: [2n], data_type: 1n, float_data: [new Uint8Array([0, 0, 0, 63, 0, 0, 128, 63])] }],
});

/** Shape arithmetic that preparation folds, constants in nodes of all kinds. */
const plumbing = modelBytes({
  opset: 13,
  nodes: [
    node("Shape", ["x"], ["shape"]),
    node("Constant", [], ["zero"], { value: tensor(int64s([1], [0])) }),
    node("Constant", [], ["rest"], { value_ints: ints([-1]) }),
    node("Gather", ["shape", "zero"], ["n"], { axis: int(0) }),
    node("Concat", ["n", "rest"], ["target"], { axis: int(0) }),
    node("Reshape", ["x", "target"], ["flat"]),
    node("Split", ["flat", "sizes"], ["a", "b"], { axis: int(1) }),
    node("Add", ["a", "b"], ["sum"]),
    node("Unsqueeze", ["sum", "zero"], ["y"]),
  ],
  inputs: [image],
  outputs: [tensorInfo("y", [1, "N", 16])],
  initializers: [{ name: "sizes", dims: [2n], data_type: 7n, int64_data: [new Uint8Array([16, 16])] }],
});

const branch = (name: string, op: string): GraphProto => ({
  name,
  node: [node(op, ["x"], [`${name}.y`])],
  output: [tensorInfo(`${name}.y`, ["N", 2, 4, 4])],
});

const withGraphs = (base: NodeProto, graphs: Readonly<Record<string, GraphProto>>): NodeProto => ({
  ...base,
  attribute: Object.entries(graphs).map(([name, graph]) => ({ name, g: encode(graphProto, graph), type: 5n })),
});

/** Subgraphs that read an outer tensor, a function, strings, a type only carried through. */
const control = modelBytes({
  nodes: [
    withGraphs(node("If", ["flag"], ["chosen"]), { then_branch: branch("t", "Relu"), else_branch: branch("e", "Neg") }),
    { ...node("Twice", ["chosen"], ["y"]), domain: "local" },
    node("Constant", [], ["text"], { value_string: string("label") }),
  ],
  inputs: [image],
  outputs: [tensorInfo("y", ["N", 2, 4, 4]), tensorInfo("text", [], "string")],
  initializers: [
    initializer("flag", constantOf("bool", [], [1])),
    { name: "words", dims: [1n], data_type: 8n, string_data: [new Uint8Array([104, 105])] },
    { name: "packed4", dims: [2n], data_type: 22n, raw_data: new Uint8Array([33]) },
  ],
  model: {
    opset_import: [
      { domain: "", version: 18n },
      { domain: "local", version: 1n },
    ],
    functions: [
      encode(functionProto, {
        name: "Twice",
        domain: "local",
        node: [node("Add", ["a", "a"], ["b"])],
        opset_import: [{ domain: "", version: 18n }],
      }),
    ],
  },
});

/** Weights in a file beside the model; the fuzzer gives one of 256 bytes. */
const external = modelBytes({
  nodes: [node("MatMul", ["x", "w"], ["y"])],
  inputs: [tensorInfo("x", [1, 4])],
  outputs: [tensorInfo("y", [1, 4])],
  initializers: [
    {
      name: "w",
      dims: [4n, 4n],
      data_type: 1n,
      data_location: 1n,
      external_data: [
        { key: "location", value: "weights.bin" },
        { key: "offset", value: "64" },
        { key: "length", value: "64" },
      ],
    },
  ],
});

export const corpus: readonly Uint8Array[] = [classifier, old, plumbing, control, external];
