/** @file Output types of each operator: against a table, against the runtime, with symbols, with contradictions. */
import { describe, expect, it } from "vitest";
import { int, ints, string } from "../../shared/graph/attributes.ts";
import { inferableOperators } from "../../shared/graph/infer.ts";
import type { Dim, Shape } from "../../shared/graph/ir.ts";
import { measure } from "../support/measure.ts";
import { graphOf, type InferCase, isShape, type Operand } from "./infer-case.ts";
import { computing } from "./infer-cases-computing.ts";
import { moving } from "./infer-cases-moving.ts";

const inferCases: Readonly<Record<string, InferCase>> = { ...computing, ...moving };

const operatorOf = (name: string): string => name.split(",")[0] ?? name;
const typesOf = (name: string, found: InferCase) =>
  graphOf(operatorOf(name), found).outputs.map((v) => v.type ?? { dtype: "unknown", shape: [] });

describe("inference", () => {
  it.each(Object.entries(inferCases))("of %s", (name, found) => {
    const types = typesOf(name, found);
    expect(types.map((t) => t.shape)).toEqual(found.shapes);
    expect(types.map((t) => t.dtype)).toEqual(found.dtypes ?? found.shapes.map(() => "float32"));
  });

  it("has a case for every operator it knows", () => {
    const covered = new Set(Object.keys(inferCases).map(operatorOf));
    expect(inferableOperators.filter((op) => !covered.has(op))).toEqual([]);
  });
});

const isNumeric = (shape: Shape): shape is readonly number[] => shape.every((d) => typeof d === "number");

describe("the runtime makes the shapes that are inferred", () => {
  it.each(Object.entries(inferCases).filter(([, c]) => c.notRun === undefined))("%s", async (name, found) => {
    const { g, outputs } = graphOf(operatorOf(name), found);
    const results = await measure(g.build(outputs.map((v, i) => g.named(v, `out${i}`))));
    found.shapes.forEach((shape, i) => {
      const result = results.get(`out${i}`);
      // A symbol stands for what only the run can know.
      expect(result?.dims.map((d, axis) => (typeof shape[axis] === "string" ? shape[axis] : d))).toEqual(shape);
      expect(result?.dtype).toBe(found.dtypes?.[i] ?? "float32");
    });
  });
});

/** The value of a dimension's expression where the symbols have these values. */
function evaluated(dim: Dim, symbols: Readonly<Record<string, number>>): number {
  const body = String(dim).replace(/\b(floor|min|max)\(/g, "Math.$1(");
  return Number(new Function(...Object.keys(symbols), `return ${body}`)(...Object.values(symbols)));
}

const symbolic = Object.entries(inferCases).filter(
  ([, c]) => c.inputs.some((o) => o !== null && isShape(o) && o.length > 0) && c.shapes.every(isNumeric),
);

describe("inference with symbolic extents agrees with the numbers", () => {
  it.each(symbolic)("%s", (name, found) => {
    const symbols: Record<string, number> = {};
    const free = (dim: Dim): Dim => {
      if (typeof dim !== "number" || dim < 2) return dim; // 1 broadcasts, a symbol does not
      symbols[`d${dim}`] = dim;
      return `d${dim}`;
    };
    const first = found.inputs.findIndex((o) => o !== null && isShape(o));
    const inputs = found.inputs.map((o, i): Operand => (i === first && o !== null && isShape(o) ? o.map(free) : o));
    const { outputs } = graphOf(operatorOf(name), { ...found, inputs });
    outputs.forEach((output, i) => {
      if (output.type === undefined) return;
      expect(output.type.shape.map((d) => evaluated(d, symbols))).toEqual(found.shapes[i]);
    });
  });

  it("leaves unknown only what has no expression", () => {
    const unknown = symbolic.filter(([name, found]) => {
      const inputs = found.inputs.map(
        (o): Operand => (o !== null && isShape(o) ? o.map((d) => (typeof d === "number" && d > 1 ? `d${d}` : d)) : o),
      );
      return graphOf(operatorOf(name), { ...found, inputs }).outputs.some((v) => v.type === undefined);
    });
    // A kernel of unknown size, a ratio of unknown sizes, a scale that is no fraction.
    const expected = /^(Conv|ConvInteger|ConvTranspose|Resize, (no larger than|no smaller than|a scale no binary))/;
    expect(unknown.map(([name]) => name).filter((name) => !expected.test(name))).toEqual([]);
  });
});

describe("contradictions are named", () => {
  const failures: Record<
    string,
    { op: string; inputs: Operand[]; attributes?: InferCase["attributes"]; says: string }
  > = {
    "Conv, channels": {
      op: "Conv",
      inputs: [
        [1, 3, 8, 8],
        [8, 4, 3, 3],
      ],
      says: 'Conv: the input "in0" has 3 channels, the kernel "in1" takes 4',
    },
    "Conv, groups": {
      op: "Conv",
      inputs: [
        [1, 6, 8, 8],
        [8, 2, 3, 3],
      ],
      attributes: { group: int(2) },
      says: 'Conv: the input "in0" has 6 channels, the kernel "in1" takes 4 in 2 groups of 2',
    },
    "Conv, kernel too large": {
      op: "Conv",
      inputs: [
        [1, 3, 4, 4],
        [8, 3, 7, 7],
      ],
      attributes: { pads: ints([1, 1, 1, 1]) },
      says: "Conv: the kernel reaches over 7 elements, the padded input has 6",
    },
    "Conv, bias": {
      op: "Conv",
      inputs: [[1, 3, 4, 4], [8, 3, 1, 1], [7]],
      says: 'Conv: "in2" has 7 elements, but there are 8 channels',
    },
    "Conv, types": {
      op: "Conv",
      inputs: [[1, 3, 4, 4], { input: "float16", shape: [8, 3, 1, 1] }],
      says: 'Conv: "in0" is float32, but "in1" is float16',
    },
    "Conv, missing kernel": { op: "Conv", inputs: [[1, 3, 4, 4]], says: "Conv: input 1 is missing" },
    "ConvTranspose, channels": {
      op: "ConvTranspose",
      inputs: [
        [1, 3, 4, 4],
        [4, 3, 2, 2],
      ],
      says: 'ConvTranspose: the input "in0" has 3 channels, the kernel "in1" takes 4',
    },
    "MaxPool, kernel_shape": {
      op: "MaxPool",
      inputs: [[1, 3, 4, 4]],
      attributes: { kernel_shape: ints([2]) },
      says: 'MaxPool: kernel_shape [2] does not fit the input "in0" [1,3,4,4]',
    },
    "MaxPool, stride 0": {
      op: "MaxPool",
      inputs: [[1, 3, 4, 4]],
      attributes: { kernel_shape: ints([2, 2]), strides: ints([0, 1]) },
      says: "MaxPool: kernel 2, stride 0 and dilation 1 must be positive",
    },
    "Add, shapes": {
      op: "Add",
      inputs: [[2, 3], [4]],
      says: 'Add: the shapes of "in0" [2,3] and "in1" [4] do not broadcast',
    },
    "Add, types": {
      op: "Add",
      inputs: [[2], { input: "int64", shape: [2] }],
      says: '"in0" is float32, but "in1" is int64',
    },
    "Gemm, features": {
      op: "Gemm",
      inputs: [
        [1, 2048],
        [512, 1000],
      ],
      says: 'Gemm: the input "in0" [1,2048] gives 2048 features, the weight "in1" [512,1000] takes 512',
    },
    "MatMul, inner": {
      op: "MatMul",
      inputs: [
        [2, 3],
        [4, 5],
      ],
      says: 'MatMul: "in0" [2,3] has 3 columns, "in1" [4,5] has 4 rows',
    },
    "Concat, other axes": {
      op: "Concat",
      inputs: [
        [1, 2, 5],
        [1, 2, 6],
      ],
      attributes: { axis: int(1) },
      says: 'Concat: "in0" [1,2,5] and "in1" [1,2,6] do not fit together along axis 1',
    },
    "Softmax, axis": {
      op: "Softmax",
      inputs: [[1, 5]],
      attributes: { axis: int(2) },
      says: "Softmax: axis 2 is out of range for rank 2",
    },
    "Reshape, volume": {
      op: "Reshape",
      inputs: [[2, 3, 4], { int64: [5, 5] }],
      says: 'Reshape: the input "in0" [2,3,4] cannot have shape [5,5]',
    },
    "Reshape, volume beside a symbol": {
      op: "Reshape",
      inputs: [["N", 3, 4], { int64: [0, 13] }],
      says: 'Reshape: the input "in0" [N,3,4] cannot have shape [0,13]',
    },
    "Reshape, indivisible": {
      op: "Reshape",
      inputs: [[2, 3], { int64: [4, -1] }],
      says: 'Reshape: the input "in0" [2,3] cannot have shape [4,-1]',
    },
    "Reshape, two unknowns": { op: "Reshape", inputs: [[2, 3], { int64: [-1, -1] }], says: "more than one -1" },
    "Split, sizes": {
      op: "Split",
      inputs: [[2, 7], { int64: [3, 3] }],
      attributes: { axis: int(1) },
      says: "parts of [3,3] do not add up to axis 1",
    },
    "Split, too few parts": {
      op: "Split",
      inputs: [[2, 7]],
      attributes: { num_outputs: int(0) },
      says: "num_outputs is 0, but the node has 1 outputs",
    },
    "Squeeze, not 1": {
      op: "Squeeze",
      inputs: [[2, 1], { int64: [0] }],
      says: 'axis 0 of the input "in0" [2,1] is not 1',
    },
    "Gather, outside": {
      op: "Gather",
      inputs: [[2, 3], { int64: [2] }],
      says: 'index 2 lies outside axis 0 of "in0" [2,3]',
    },
    "Pad, count": { op: "Pad", inputs: [[2, 3], { int64: [1, 1] }], says: "2 pads for 2 axes" },
    "Pad, cropped away": { op: "Pad", inputs: [[2], { int64: [-3, 0] }], says: "the output would have shape [-1]" },
    "BatchNormalization, channels": {
      op: "BatchNormalization",
      inputs: [[1, 3, 2, 2], [4], [3], [3], [3]],
      says: 'BatchNormalization: "in1" has 4 elements, but there are 3 channels',
    },
    "Einsum, letters": {
      op: "Einsum",
      inputs: [
        [2, 3],
        [4, 5],
      ],
      attributes: { equation: string("ij,jk->ik") },
      says: '"j" of the equation "ij,jk->ik" is both 3 and 4',
    },
    "Expand, shape": {
      op: "Expand",
      inputs: [[2], { int64: [3] }],
      says: 'the input "in0" [2] does not broadcast to [3]',
    },
    "TopK, too many": { op: "TopK", inputs: [[2, 3], { int64: [4] }], says: "the largest 4 of axis 1" },
    "ConstantOfShape, too large": {
      op: "ConstantOfShape",
      inputs: [{ int64: [2 ** 21, 2 ** 20] }],
      says: "ConstantOfShape: the output would have shape [2097152,1048576], more than 2^40 elements",
    },
    "ConstantOfShape, negative": { op: "ConstantOfShape", inputs: [{ int64: [-4] }], says: "would have shape [-4]" },
    "DepthToSpace, blocks": {
      op: "DepthToSpace",
      inputs: [[1, 6, 2, 2]],
      attributes: { blocksize: int(2) },
      says: 'blocks of 2 do not divide the input "in0" [1,6,2,2]',
    },
  };

  it.each(Object.entries(failures))("%s", (_name, { op, inputs, attributes, says }) => {
    const build = () => graphOf(op, { inputs, shapes: [[]], ...(attributes && { attributes }) });
    expect(build).toThrowError(
      expect.objectContaining({ code: "model-malformed", message: expect.stringContaining(says) }),
    );
  });
});

describe("what cannot be told is unknown, and no error", () => {
  it("for operators nobody knows", () => {
    for (const op of ["Frobnicate", "constructor", "If"])
      expect(graphOf(op, { inputs: [[2]], shapes: [[]] }).outputs[0]?.type).toBeUndefined();
  });

  it("after an input of unknown type", () => {
    const { g, outputs } = graphOf("Frobnicate", { inputs: [[2]], shapes: [[]] });
    const [unknown] = outputs;
    expect(unknown && g.relu(unknown).type).toBeUndefined();
  });

  it("for a shape that only the run will know", () => {
    const { outputs } = graphOf("Reshape", { inputs: [[2, 3], { input: "int64", shape: [2] }], shapes: [[]] });
    expect(outputs[0]?.type).toBeUndefined();
  });

  it("for operators of another domain, whatever their name", () => {
    const { g } = graphOf("Relu", { inputs: [[2]], shapes: [[]] });
    const x = g.input("x", { dtype: "float32", shape: [2] });
    const call = { op: "Relu", domain: "com.example", name: "", inputs: [x], attributes: new Map() };
    expect(g.emit(call, 1)[0]?.type).toBeUndefined();
  });
});
