/** @file Lifting: every rule of the table, held against onnxruntime-web running the file as it was. */
import { describe, expect, it } from "vitest";
import { float, floats, int, ints, string } from "../../shared/graph/attributes.ts";
import type { Dim, PlainAttribute } from "../../shared/graph/ir.ts";
import { encode } from "../../shared/onnx/encode.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { graphProto, type NodeProto, type TensorProto } from "../../shared/onnx/schema.ts";
import { bitsOf, randomFeeds, runOnnx } from "../support/run-onnx.ts";
import { modelBytes, node, randomNumbers, tensorInfo, weights } from "../support/tiny-models.ts";

interface Case {
  readonly opset: number;
  readonly nodes: readonly NodeProto[];
  readonly shape?: readonly Dim[];
  readonly dtype?: "float32" | "float16";
  readonly initializers?: readonly TensorProto[];
  readonly outputs?: readonly string[];
  /** The operators after lifting. */
  readonly becomes: string;
}

const one = (op: string, attributes: Readonly<Record<string, PlainAttribute>> = {}): readonly NodeProto[] => [
  node(op, ["x"], ["y"], attributes),
];

const bytesOf = ({ opset, nodes, shape = [2, 3, 4, 5], dtype = "float32", initializers = [], outputs = ["y"] }: Case) =>
  modelBytes({
    opset,
    irVersion: 4,
    nodes,
    inputs: [tensorInfo("x", shape, dtype)],
    outputs: outputs.map((name) => ({ name })),
    initializers,
  });

const statistics = ["scale", "bias", "mean", "var"].map((name, i) =>
  weights(
    name,
    [3],
    randomNumbers(i, 3, 0.4).map((v) => v + 0.5),
  ),
);
const batchNormalization = (attributes: Readonly<Record<string, PlainAttribute>>): readonly NodeProto[] => [
  node("BatchNormalization", ["x", "scale", "bias", "mean", "var"], ["y"], attributes),
];
const scales = (name: string, values: readonly number[]): TensorProto => weights(name, [values.length], values);

/** Files onnxruntime runs: it must give the same bits before and after. */
const runnable: Readonly<Record<string, Case>> = {
  "Softmax 11, default axis 1": { opset: 11, nodes: one("Softmax"), becomes: "Flatten Softmax Shape Reshape" },
  "Softmax 11, axis 0": {
    opset: 11,
    nodes: one("Softmax", { axis: int(0) }),
    becomes: "Flatten Softmax Shape Reshape",
  },
  "Softmax 11, last axis by number": { opset: 11, nodes: one("Softmax", { axis: int(3) }), becomes: "Softmax" },
  "Softmax 11, axis -1": { opset: 11, nodes: one("Softmax", { axis: int(-1) }), becomes: "Softmax" },
  "Softmax 7 of [N, C, 1, 1]": { opset: 7, nodes: one("Softmax"), shape: ["N", 9, 1, 1], becomes: "Softmax" },
  "Softmax 7, unknown batch": {
    opset: 7,
    nodes: one("Softmax"),
    shape: ["N", 3, "H", 2],
    becomes: "Flatten Softmax Shape Reshape",
  },
  "Softmax 11 in half precision": {
    opset: 11,
    nodes: one("Softmax", { axis: int(3) }),
    dtype: "float16",
    shape: [4, 5, 6, 100],
    becomes: "Cast Softmax Cast",
  },
  "LogSoftmax 11": { opset: 11, nodes: one("LogSoftmax"), becomes: "Flatten LogSoftmax Shape Reshape" },
  "Hardmax 11": { opset: 11, nodes: one("Hardmax", { axis: int(2) }), becomes: "Flatten Hardmax Shape Reshape" },
  "Clip 6, both bounds": { opset: 6, nodes: one("Clip", { min: float(-0.1), max: float(0.3) }), becomes: "Clip" },
  "Clip 6, upper bound": { opset: 6, nodes: one("Clip", { max: float(0.3) }), becomes: "Clip" },
  "Clip 6, no bounds": { opset: 6, nodes: one("Clip"), becomes: "Clip" },
  "Dropout 7": { opset: 7, nodes: [node("Dropout", ["x"], ["y", "mask"], { ratio: float(0.3) })], becomes: "Dropout" },
  "Dropout 10": { opset: 10, nodes: one("Dropout", { ratio: float(0.3) }), becomes: "Dropout" },
  "BatchNormalization 7": {
    opset: 7,
    nodes: batchNormalization({ epsilon: float(0.01), spatial: int(1) }),
    initializers: statistics,
    becomes: "BatchNormalization",
  },
  "BatchNormalization 9": {
    opset: 9,
    nodes: batchNormalization({ momentum: float(0.9) }),
    initializers: statistics,
    becomes: "BatchNormalization",
  },
  "Slice 9": {
    opset: 9,
    nodes: one("Slice", { starts: ints([1, -3]), ends: ints([2n ** 63n - 1n, -1]), axes: ints([1, 3]) }),
    becomes: "Slice",
  },
  "Slice 9, no axes": { opset: 9, nodes: one("Slice", { starts: ints([0, 1]), ends: ints([1, 2]) }), becomes: "Slice" },
  "Pad 2, value": {
    opset: 9,
    nodes: one("Pad", { pads: ints([0, 0, 1, 2, 0, 0, 0, 1]), value: float(1.5) }),
    becomes: "Pad",
  },
  "Pad 2, reflect": {
    opset: 9,
    nodes: one("Pad", { pads: ints([0, 0, 1, 2, 0, 0, 0, 1]), mode: string("reflect") }),
    becomes: "Pad",
  },
  "Squeeze 11": { opset: 11, nodes: one("Squeeze", { axes: ints([0, -1]) }), shape: [1, 3, 4, 1], becomes: "Squeeze" },
  "Squeeze 11, no axes": { opset: 11, nodes: one("Squeeze"), shape: [1, 3, 4, 1], becomes: "Squeeze" },
  "Unsqueeze 11": { opset: 11, nodes: one("Unsqueeze", { axes: ints([0, 3]) }), becomes: "Unsqueeze" },
  "Split 11": {
    opset: 11,
    nodes: [node("Split", ["x"], ["y", "z"], { axis: int(1), split: ints([1, 2]) })],
    outputs: ["y", "z"],
    becomes: "Split",
  },
  "Split 11, equal parts": {
    opset: 11,
    nodes: [node("Split", ["x"], ["y", "z"], { axis: int(2) })],
    outputs: ["y", "z"],
    becomes: "Split",
  },
  "Split 13, equal parts": {
    opset: 13,
    nodes: [node("Split", ["x"], ["y", "z"], { axis: int(2) })],
    outputs: ["y", "z"],
    becomes: "Split",
  },
  "TopK 9": {
    opset: 9,
    nodes: [node("TopK", ["x"], ["y", "at"], { k: int(2), axis: int(1) })],
    outputs: ["y", "at"],
    becomes: "TopK",
  },
  "Upsample 7, nearest": {
    opset: 7,
    nodes: one("Upsample", { scales: floats([1, 1, 2, 1.5]), mode: string("nearest") }),
    becomes: "Resize",
  },
  "Upsample 9, linear": {
    opset: 9,
    nodes: [node("Upsample", ["x", "s"], ["y"], { mode: string("linear") })],
    initializers: [scales("s", [1, 1, 2, 3])],
    becomes: "Resize",
  },
  "Resize 10, nearest, larger": {
    opset: 10,
    nodes: [node("Resize", ["x", "s"], ["y"])],
    initializers: [scales("s", [1, 1, 1.7, 2.3])],
    becomes: "Resize",
  },
  "Resize 10, nearest, smaller": {
    opset: 10,
    nodes: [node("Resize", ["x", "s"], ["y"], { mode: string("nearest") })],
    initializers: [scales("s", [1, 1, 0.6, 0.7])],
    becomes: "Resize",
  },
  "Resize 10, linear, smaller": {
    opset: 10,
    nodes: [node("Resize", ["x", "s"], ["y"], { mode: string("linear") })],
    initializers: [scales("s", [1, 1, 0.6, 1])],
    becomes: "Resize",
  },
  "Resize 11, empty roi, cubic": {
    opset: 11,
    nodes: [node("Resize", ["x", "roi", "s"], ["y"], { mode: string("cubic") })],
    initializers: [scales("s", [1, 1, 2, 1.5]), weights("roi", [0], [])],
    becomes: "Resize",
  },
  "Resize 11, empty scales, sizes": {
    opset: 11,
    nodes: [node("Resize", ["x", "none", "none", "size"], ["y"], { mode: string("linear") })],
    initializers: [weights("none", [0], []), weights("size", [4], [2, 3, 9, 7], "int64")],
    becomes: "Resize",
  },
  "RoiAlign 10": {
    opset: 10,
    nodes: [node("RoiAlign", ["x", "rois", "batch"], ["y"], { output_height: int(2), output_width: int(2) })],
    initializers: [weights("rois", [1, 4], [0, 0, 3, 2.5]), weights("batch", [1], [1], "int64")],
    becomes: "RoiAlign",
  },
  "Scatter 9": {
    opset: 9,
    nodes: [node("Scatter", ["x", "at", "v"], ["y"], { axis: int(0) })],
    shape: [3, 2],
    initializers: [weights("at", [1, 2], [2, 0], "int64"), weights("v", [1, 2], [7, 8])],
    becomes: "ScatterElements",
  },
  "PRelu 7": {
    opset: 7,
    nodes: [node("PRelu", ["x", "slope"], ["y"])],
    initializers: [weights("slope", [3, 1, 1], [0.1, 0.2, 0.3])],
    becomes: "PRelu",
  },
  "GRU 7": {
    opset: 7,
    nodes: [node("GRU", ["x", "w", "r"], ["", "y"], { hidden_size: int(2) })],
    shape: [3, 1, 2],
    initializers: [weights("w", [1, 6, 2], randomNumbers(1, 12)), weights("r", [1, 6, 2], randomNumbers(2, 12))],
    becomes: "GRU",
  },
  ...Object.fromEntries(
    [
      ["ReduceSum", 11],
      ...["L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"].map((n) => [`Reduce${n}`, 13]),
    ].flatMap(([op = "", opset = 0]): readonly (readonly [string, Case])[] => [
      [
        `${op} ${opset}, axes`,
        {
          opset: Number(opset),
          nodes: one(String(op), { axes: ints([1, -1]), keepdims: int(0) }),
          becomes: String(op),
        },
      ],
      [`${op} ${opset}, all axes`, { opset: Number(opset), nodes: one(String(op)), becomes: String(op) }],
    ]),
  ),
};

describe("lifting keeps every bit of", () => {
  it.each(Object.entries(runnable))("%s", async (_, tiny) => {
    const bytes = bytesOf(tiny);
    const { graph, opset } = importModel(bytes);
    expect(opset).toBe(tiny.opset);
    expect(graph.opset).toBe(tiny.dtype === "float16" ? 19 : 18);
    expect(graph.nodes.map((n) => n.op).join(" ")).toBe(tiny.becomes);
    const feeds = randomFeeds(graph, 11, 3);
    const [before, after] = [await runOnnx(bytes, feeds), await runOnnx(exportModel(graph), feeds)];
    for (const [name, tensor] of before) {
      expect(after.get(name)?.dims).toEqual(tensor.dims);
      expect(bitsOf(after.get(name)), name).toBe(bitsOf(tensor));
    }
  });
});

/** Opsets before 7, which onnxruntime does not run: what they become, and that it runs. */
const older: readonly (readonly [what: string, tiny: Case, attributes: readonly string[]])[] = [
  [
    "Add 6 without broadcasting",
    { opset: 6, nodes: [node("Add", ["x", "x"], ["y"], { axis: int(0) })], becomes: "Add" },
    [],
  ],
  ["Cast 5 to a type by name", { opset: 5, nodes: one("Cast", { to: string("DOUBLE") }), becomes: "Cast" }, ["to"]],
  ["Reshape 1", { opset: 4, nodes: one("Reshape", { shape: ints([0, -1]) }), becomes: "Reshape" }, []],
  [
    "Relu 1 with consumed inputs",
    { opset: 5, nodes: one("Relu", { consumed_inputs: ints([1]) }), becomes: "Relu" },
    [],
  ],
  ["Concat 1", { opset: 3, nodes: [node("Concat", ["x", "x"], ["y"])], becomes: "Concat" }, ["axis"]],
  ["Pad 1", { opset: 1, nodes: one("Pad", { paddings: ints([0, 0, 0, 0, 0, 0, 1, 1]) }), becomes: "Pad" }, []],
  [
    "Upsample 1",
    { opset: 6, nodes: one("Upsample", { height_scale: float(2), width_scale: float(3) }), becomes: "Resize" },
    ["mode", "coordinate_transformation_mode", "nearest_mode"],
  ],
  [
    "Gemm 6",
    {
      opset: 6,
      nodes: [node("Gemm", ["x", "w", "b"], ["y"], { broadcast: int(1) })],
      shape: [2, 3],
      initializers: [weights("w", [3, 2], randomNumbers(1, 6)), weights("b", [2], [1, 2])],
      becomes: "Gemm",
    },
    [],
  ],
  [
    "PRelu 6 with a slope a channel",
    {
      opset: 6,
      nodes: [node("PRelu", ["x", "s"], ["y"])],
      initializers: [weights("s", [3], [0.5, 1, 2])],
      becomes: "Reshape PRelu",
    },
    [],
  ],
  [
    "BatchNormalization 6",
    {
      opset: 6,
      nodes: batchNormalization({ is_test: int(1), spatial: int(1), epsilon: float(0.001) }),
      initializers: statistics,
      becomes: "BatchNormalization",
    },
    ["epsilon"],
  ],
];

describe("lifting makes runnable", () => {
  it.each(older)("%s", async (_, tiny, attributes) => {
    const { graph } = importModel(bytesOf(tiny));
    expect(graph.nodes.map((n) => n.op).join(" ")).toBe(tiny.becomes);
    expect([...(graph.nodes.at(-1)?.attributes.keys() ?? [])]).toEqual(attributes);
    const outputs = await runOnnx(exportModel(graph), randomFeeds(graph, 3));
    expect([...outputs.keys()]).toEqual(["y"]);
  });

  it("PRelu 6: the slope goes with axis 1", async () => {
    const tiny = older.find(([what]) => what.startsWith("PRelu"))?.[1];
    const { graph } = importModel(bytesOf(tiny ?? { opset: 0, nodes: [], becomes: "" }));
    const feeds = randomFeeds(graph, 5);
    const y = (await runOnnx(exportModel(graph), feeds)).get("y");
    const x = feeds["x"]?.data;
    expect(x).toBeInstanceOf(Float32Array);
    const slopes = [0.5, 1, 2]; // powers of two: the products are exact
    const expected =
      x instanceof Float32Array ? x.map((v, i) => (v > 0 ? v : v * (slopes[Math.floor(i / 20) % 3] ?? 0))) : x;
    expect(y?.data).toEqual(expected);
  });
});

describe("what has no equal is refused:", () => {
  it.each<[string, Case, RegExp]>([
    [
      "broadcasting by attribute",
      { opset: 6, nodes: [node("Add", ["x", "x"], ["y"], { broadcast: int(1) })], becomes: "" },
      /Add -> "y": opset 6 broadcasts by the attribute "broadcast".*onnx.version_converter/,
    ],
    ["LRN of even size", { opset: 13, nodes: one("LRN", { size: int(4) }), becomes: "" }, /size 4 is even.*odd size/],
    [
      "LRN of even size, newest opset",
      { opset: 22, nodes: one("LRN", { size: int(2) }), becomes: "" },
      /size 2 is even/,
    ],
    [
      "statistics a pixel",
      { opset: 7, nodes: batchNormalization({ spatial: int(0) }), initializers: statistics, becomes: "" },
      /spatial=0 .* not supported/,
    ],
    [
      "training",
      { opset: 6, nodes: batchNormalization({}), initializers: statistics, becomes: "" },
      /is_test=0 \(training mode\)/,
    ],
    [
      "a mask that is used",
      { opset: 7, nodes: [node("Dropout", ["x"], ["d", "m"]), node("Mul", ["d", "m"], ["y"])], becomes: "" },
      /Dropout -> "d": its mask is used/,
    ],
    [
      "enlarging one axis and shrinking another",
      {
        opset: 10,
        nodes: [node("Resize", ["x", "s"], ["y"])],
        initializers: [scales("s", [1, 1, 2, 0.5])],
        becomes: "",
      },
      /enlarges one axis and shrinks another/,
    ],
    [
      "coordinates that were removed",
      {
        opset: 11,
        nodes: [
          node("Resize", ["x", "", "s"], ["y"], { coordinate_transformation_mode: string("tf_half_pixel_for_nn") }),
        ],
        initializers: [scales("s", [1, 1, 2, 2])],
        becomes: "",
      },
      /"tf_half_pixel_for_nn" were removed in opset 13/,
    ],
    [
      "an old operator in a subgraph, which is kept byte for byte",
      {
        opset: 11,
        nodes: [
          {
            ...node("Loop", [], ["y"]),
            attribute: [{ name: "body", type: 5n, g: encode(graphProto, { node: [...one("Softmax")] }) }],
          },
        ],
        becomes: "",
      },
      /Loop -> "y" holds a Softmax of opset 11 in its own graph/,
    ],
    [
      "an attribute for floats on integers",
      {
        opset: 9,
        nodes: [node("Cast", ["x"], ["i"], { to: int(7) }), node("Clip", ["i"], ["y"], { min: float(0.5) })],
        becomes: "",
      },
      /Clip -> "y": opset 9 has it for floating point only, not int64/,
    ],
    ["Pad without pads", { opset: 9, nodes: one("Pad"), becomes: "" }, /Pad -> "y": it has no list of integers "pads"/],
  ])("%s", (_, tiny, message) => {
    const attempt = (): unknown => importModel(bytesOf(tiny));
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ name: "AppError" }));
  });
});
