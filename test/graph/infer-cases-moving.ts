/** @file Cases of operators that move, pick or make elements. */
import { float, floats, int, ints, tensor } from "../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf } from "../../shared/graph/constant.ts";
import type { Attribute } from "../../shared/graph/ir.ts";
import { bool, type InferCase, i64, long, same, table } from "./infer-case.ts";

const image = [2, 3, 7, 6];

/** A loop's body that hands twice what it got on to the next turn. */
function doubling(): Attribute {
  const b = new GraphBuilder(emptyGraph(20), "body/");
  b.input("body/i", { dtype: "int64", shape: [] });
  const go = b.input("body/go", { dtype: "bool", shape: [] });
  const x = b.input("body/x", { dtype: "float32", shape: [2, 3] });
  return { kind: "graph", value: b.build([b.named(go, "body/on"), b.named(b.add(x, x), "body/next")]) };
}

/** Named for the operator, then for the branch under test. */
export const moving: Readonly<Record<string, InferCase>> = {
  Loop: { inputs: [{ int64: 3 }, null, [2, 3]], attributes: { body: doubling() }, shapes: [[2, 3]] },
  Reshape: { inputs: [[2, 3, 4], i64(4, -1)], shapes: [[4, 6]] },
  "Reshape, 0 copies": { inputs: [[2, 3, 4], i64(0, -1, 2)], shapes: [[2, 6, 2]] },
  "Reshape, 0 is nothing": { inputs: [[0, 3], i64(3, 0)], attributes: { allowzero: int(1) }, shapes: [[3, 0]] },
  "Reshape, to a scalar": { inputs: [[1, 1], i64()], shapes: [[]] },
  Flatten: { inputs: [[2, 3, 4]], attributes: { axis: int(2) }, shapes: [[6, 4]] },
  "Flatten, before the first axis": { inputs: [[2, 3]], attributes: { axis: int(0) }, shapes: [[1, 6]] },
  "Flatten, behind the last axis": { inputs: [[2, 3]], attributes: { axis: int(2) }, shapes: [[6, 1]] },
  Transpose: { inputs: [[2, 3, 4]], attributes: { perm: ints([1, 2, 0]) }, shapes: [[3, 4, 2]] },
  "Transpose, reversed": { inputs: [[2, 3, 4]], shapes: [[4, 3, 2]] },
  Squeeze: { inputs: [[1, 3, 1, 1], i64(-1, 0)], shapes: [[3, 1]] },
  "Squeeze, every 1": { inputs: [[1, 3, 1]], shapes: [[3]] },
  Unsqueeze: { inputs: [[3, 4], i64(0, -1)], shapes: [[1, 3, 4, 1]] },
  Concat: {
    inputs: [
      [2, 3],
      [2, 1],
      [2, 4],
    ],
    attributes: { axis: int(-1) },
    shapes: [[2, 8]],
  },
  Split: {
    inputs: [[2, 7], i64(3, 4)],
    attributes: { axis: int(1) },
    shapes: [
      [2, 3],
      [2, 4],
    ],
  },
  "Split, the last part smaller": {
    inputs: [[7]],
    attributes: { num_outputs: int(3) },
    shapes: [[3], [3], [1]],
  },
  Slice: { inputs: [[5, 6], i64(1, 0), i64(4, 2)], shapes: [[3, 2]] },
  "Slice, backwards with steps": {
    inputs: [[9, 6], i64(-1, 4), i64(-99, 0), i64(0, 1), i64(-2, -3)],
    shapes: [[5, 2]],
  },
  "Slice, to the end": { inputs: [[9, 6], i64(1), i64(Number.MAX_SAFE_INTEGER), i64(0), i64(3)], shapes: [[3, 6]] },
  "Slice, empty": { inputs: [[9, 6], i64(5), i64(2)], shapes: [[0, 6]] },
  "Slice, beyond both ends": { inputs: [[9, 6], i64(-20), i64(20)], shapes: [[9, 6]] },
  Pad: { inputs: [[2, 3], i64(1, 0, 2, -1)], shapes: [[5, 2]] },
  "Pad, some axes": { inputs: [[2, 3, 4], i64(1, 2), null, i64(-2)], shapes: [[2, 6, 4]] },
  Expand: { inputs: [[3, 1], i64(2, 1, 4)], shapes: [[2, 3, 4]] },
  Tile: { inputs: [[2, 3], i64(2, 1)], shapes: [[4, 3]] },
  DepthToSpace: { inputs: [[1, 12, 2, 3]], attributes: { blocksize: int(2) }, shapes: [[1, 3, 4, 6]] },
  SpaceToDepth: { inputs: [[1, 3, 4, 6]], attributes: { blocksize: int(2) }, shapes: [[1, 12, 2, 3]] },
  CenterCropPad: { inputs: [[5, 4, 3], i64(3, 6)], attributes: { axes: ints([0, 1]) }, shapes: [[3, 6, 3]] },
  Trilu: same(3, 4),
  ReverseSequence: { inputs: [[4, 2], { int64: [4, 3] }], shapes: [[4, 2]] },

  Gather: { inputs: [[2, 5, 3], long(4, 1)], attributes: { axis: int(1) }, shapes: [[2, 4, 1, 3]] },
  "Gather, one": { inputs: [[2, 5], { int64: 1 }], shapes: [[5]] },
  GatherElements: { inputs: [[2, 5], long(2, 3)], attributes: { axis: int(1) }, shapes: [[2, 3]] },
  GatherND: { inputs: [[2, 3, 4, 5], long(2, 6, 1)], attributes: { batch_dims: int(1) }, shapes: [[2, 6, 4, 5]] },
  ScatterElements: { inputs: [[2, 5], long(1, 3), [1, 3]], attributes: { axis: int(1) }, shapes: [[2, 5]] },
  Scatter: { inputs: [[2, 5], long(1, 3), [1, 3]], shapes: [[2, 5]], notRun: "removed in opset 11" },
  ScatterND: { inputs: [[4, 5, 6], long(3, 2), [3, 6]], shapes: [[4, 5, 6]] },
  OneHot: { inputs: [long(2, 3), { int64: [4] }, [2]], attributes: { axis: int(1) }, shapes: [[2, 4, 3]] },
  TopK: {
    inputs: [[2, 5], i64(3)],
    shapes: [
      [2, 3],
      [2, 3],
    ],
    dtypes: ["float32", "int64"],
  },
  NonZero: { inputs: [[2, 3]], shapes: [[2, "NonZero[in0]"]], dtypes: ["int64"] },
  Compress: { inputs: [[2, 3], bool(3)], attributes: { axis: int(1) }, shapes: [[2, "Compress[in1]"]] },
  "Compress, flat": { inputs: [[2, 3], bool(3)], shapes: [["Compress[in1]"]] },
  Unique: { inputs: [[6]], shapes: [["Unique[in0]"], ["Unique[in0]"]], dtypes: ["float32", "int64"] },
  CumSum: { inputs: [[2, 3], { int64: 1 }], shapes: [[2, 3]] },
  CumProd: { inputs: [[2, 3], { int64: 1 }], shapes: [[2, 3]], notRun: "opset 26" },
  NonMaxSuppression: {
    inputs: [
      [1, 5, 4],
      [1, 2, 5],
    ],
    shapes: [["selected[in1]", 3]],
    dtypes: ["int64"],
  },
  Constant: {
    inputs: [],
    attributes: { value: tensor(constantOf("float32", [2, 1], [1, 2])) },
    shapes: [[2, 1]],
  },
  "Constant, integers": { inputs: [], attributes: { value_ints: ints([1, 2, 3]) }, shapes: [[3]], dtypes: ["int64"] },
  "Constant, a number": { inputs: [], attributes: { value_float: float(1) }, shapes: [[]] },
  "Constant, numbers": { inputs: [], attributes: { value_floats: floats([1, 2]) }, shapes: [[2]] },
  Shape: { inputs: [image], shapes: [[4]], dtypes: ["int64"] },
  "Shape, a part": { inputs: [image], attributes: { start: int(-3), end: int(-1) }, shapes: [[2]], dtypes: ["int64"] },
  Size: { inputs: [image], shapes: [[]], dtypes: ["int64"] },
  ConstantOfShape: { inputs: [i64(2, 3)], shapes: [[2, 3]] },
  "ConstantOfShape, typed": {
    inputs: [i64(2, 3)],
    attributes: { value: tensor(constantOf("int64", [1], [7])) },
    shapes: [[2, 3]],
    dtypes: ["int64"],
  },
  Range: { inputs: [{ int64: 1 }, { int64: 8 }, { int64: 3 }], shapes: [[3]], dtypes: ["int64"] },
  "Range, downwards": { inputs: [{ float32: 1 }, { float32: 0 }, { float32: -0.25 }], shapes: [[4]] },
  EyeLike: { inputs: [[3, 4]], shapes: [[3, 4]] },
  RandomNormalLike: same(2, 3),
  RandomUniformLike: same(2, 3),
  RandomNormal: { inputs: [], attributes: { shape: ints([2, 3]) }, shapes: [[2, 3]] },
  RandomUniform: { inputs: [], attributes: { shape: ints([2, 3]) }, shapes: [[2, 3]] },
  ...table(["HannWindow", "HammingWindow", "BlackmanWindow"], (op) => [op, { inputs: [{ int64: 9 }], shapes: [[9]] }]),
};
