/** @file Cases of operators that compute: elementwise, windows, products, normalisations, reductions, resampling. */
import { int, ints, string } from "../../shared/graph/attributes.ts";
import { bool, type InferCase, i64, long, same, table } from "./infer-case.ts";

const image = [2, 3, 7, 6];

const unary = [
  ...["Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Clip", "Cos", "Cosh", "Elu", "Erf"],
  ...["Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal"],
  ...[
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tan",
    "Tanh",
  ],
  ...["ThresholdedRelu", "Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "MeanVarianceNormalization"],
  "Bernoulli",
];
const binary = ["Add", "Sub", "Mul", "Div", "Pow"];
const compared = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"];
const reduced = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"];

/** Named for the operator, then for the branch under test. */
export const computing: Readonly<Record<string, InferCase>> = {
  ...table(unary, (op) => [op, same(...image)]),
  ...table(binary, (op) => [
    `${op}, both stretched`,
    {
      inputs: [
        [2, 1, 3],
        [4, 1],
      ],
      shapes: [[2, 4, 3]],
    },
  ]),
  ...table(compared, (op) => [
    op,
    {
      inputs: [
        [2, 1, 3],
        [4, 1],
      ],
      shapes: [[2, 4, 3]],
      dtypes: ["bool"],
    },
  ]),
  ...table(["And", "Or", "Xor"], (op) => [op, { inputs: [bool(2, 3), bool(3)], shapes: [[2, 3]], dtypes: ["bool"] }]),
  ...table(["Sum", "Max", "Min", "Mean"], (op) => [op, { inputs: [[2, 3], [3], [2, 1]], shapes: [[2, 3]] }]),
  ...table(reduced, (r) => [`Reduce${r}`, { inputs: [image, i64(1, -1)], shapes: [[2, 1, 7, 1]] }]),
  ...table(["IsNaN", "IsInf"], (op) => [op, { inputs: [image], shapes: [image], dtypes: ["bool"] }]),
  Not: { inputs: [bool(2, 3)], shapes: [[2, 3]], dtypes: ["bool"] },
  Mod: { inputs: [long(2, 3), long(3)], shapes: [[2, 3]], dtypes: ["int64"] },
  BitwiseNot: { inputs: [long(2, 3)], shapes: [[2, 3]], dtypes: ["int64"] },
  ...table(["And", "Or", "Xor"], (b) => [
    `Bitwise${b}`,
    { inputs: [long(2, 3), long(3)], shapes: [[2, 3]], dtypes: ["int64"] },
  ]),
  BitShift: {
    inputs: [
      { input: "uint64", shape: [2, 3] },
      { input: "uint64", shape: [3] },
    ],
    attributes: { direction: string("LEFT") },
    shapes: [[2, 3]],
    dtypes: ["uint64"],
  },
  Swish: { ...same(2, 3), notRun: "opset 24" },
  "Relu, rank 0": same(),
  PRelu: { inputs: [image, [3, 1, 1]], shapes: [image] },
  Where: { inputs: [bool(3, 1), [1, 4], [2, 1, 1]], shapes: [[2, 3, 4]] },
  Cast: { inputs: [[2, 3]], attributes: { to: int(7) }, shapes: [[2, 3]], dtypes: ["int64"] },
  CastLike: { inputs: [[2, 3], long(1)], shapes: [[2, 3]], dtypes: ["int64"] },
  Dropout: {
    inputs: [[2, 3]],
    shapes: [
      [2, 3],
      [2, 3],
    ],
    dtypes: ["float32", "bool"],
  },
  QuantizeLinear: {
    inputs: [[2, 3], { float32: 0.5 }],
    shapes: [[2, 3]],
    dtypes: ["uint8"],
  },
  DequantizeLinear: { inputs: [{ input: "uint8", shape: [2, 3] }, { float32: 0.5 }], shapes: [[2, 3]] },
  DynamicQuantizeLinear: { inputs: [[2, 3]], shapes: [[2, 3], [], []], dtypes: ["uint8", "float32", "uint8"] },

  Conv: { inputs: [image, [4, 3, 3, 2], [4]], shapes: [[2, 4, 5, 5]] },
  "Conv, stride leaves rows over": {
    inputs: [image, [4, 3, 3, 2]],
    attributes: { strides: ints([3, 2]), pads: ints([1, 0, 0, 2]) },
    shapes: [[2, 4, 2, 4]],
  },
  "Conv, dilated": { inputs: [image, [4, 3, 3, 2]], attributes: { dilations: ints([2, 3]) }, shapes: [[2, 4, 3, 3]] },
  "Conv, in groups": {
    inputs: [
      [1, 4, 5, 5],
      [6, 2, 1, 1],
    ],
    attributes: { group: int(2) },
    shapes: [[1, 6, 5, 5]],
  },
  "Conv, SAME_UPPER": {
    inputs: [image, [4, 3, 3, 3]],
    attributes: { auto_pad: string("SAME_UPPER"), strides: ints([2, 4]) },
    shapes: [[2, 4, 4, 2]],
  },
  "Conv, VALID": {
    inputs: [image, [4, 3, 3, 3]],
    attributes: { auto_pad: string("VALID"), strides: ints([2, 2]) },
    shapes: [[2, 4, 3, 2]],
  },
  "Conv, one spatial axis": {
    inputs: [
      [2, 3, 9],
      [4, 3, 3],
    ],
    shapes: [[2, 4, 7]],
  },
  ConvInteger: {
    inputs: [
      { input: "uint8", shape: [1, 1, 4, 4] },
      { input: "uint8", shape: [2, 1, 2, 2] },
    ],
    shapes: [[1, 2, 3, 3]],
    dtypes: ["int32"],
  },
  ConvTranspose: {
    inputs: [
      [1, 4, 3, 4],
      [4, 2, 3, 3],
    ],
    attributes: { strides: ints([2, 3]), pads: ints([1, 0, 0, 1]), output_padding: ints([1, 2]), group: int(2) },
    shapes: [[1, 4, 7, 13]],
  },
  "ConvTranspose, dilated": {
    inputs: [
      [1, 4, 3, 4],
      [4, 2, 3, 3],
    ],
    attributes: { dilations: ints([2, 1]) },
    shapes: [[1, 2, 7, 6]],
  },
  "ConvTranspose, output shape given": {
    inputs: [
      [1, 4, 3, 4],
      [4, 2, 3, 3],
    ],
    attributes: { strides: ints([2, 2]), output_shape: ints([6, 8]) },
    shapes: [[1, 2, 6, 8]],
  },
  "ConvTranspose, SAME_UPPER": {
    inputs: [
      [1, 4, 3, 4],
      [4, 2, 3, 3],
    ],
    attributes: { strides: ints([2, 3]), auto_pad: string("SAME_UPPER") },
    shapes: [[1, 2, 6, 12]],
  },
  AveragePool: {
    inputs: [image],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 2]), pads: ints([0, 1, 1, 1]) },
    shapes: [[2, 3, 4, 3]],
  },
  "AveragePool, dilated": {
    inputs: [image],
    attributes: { kernel_shape: ints([2, 2]), dilations: ints([3, 2]) },
    shapes: [[2, 3, 4, 4]],
  },
  LpPool: { inputs: [image], attributes: { kernel_shape: ints([2, 3]) }, shapes: [[2, 3, 6, 4]] },
  MaxPool: {
    inputs: [image],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
    shapes: [
      [2, 3, 4, 3],
      [2, 3, 4, 3],
    ],
    dtypes: ["float32", "int64"],
  },
  "MaxPool, rounding up": {
    inputs: [[1, 1, 6, 7]],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), ceil_mode: int(1) },
    shapes: [[1, 1, 3, 3]],
  },
  // ceil((4 + 2 - 1) / 2) + 1 = 4 windows, but the fourth would start at 6 - 1, behind the input's last row.
  "MaxPool, a last window that starts in the padding is dropped": {
    inputs: [[1, 1, 4, 5]],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]), ceil_mode: int(1) },
    shapes: [[1, 1, 3, 3]],
  },
  "MaxPool, stride longer than the kernel, rounding up": {
    inputs: [[1, 1, 7, 8]],
    attributes: { kernel_shape: ints([1, 1]), strides: ints([3, 3]), ceil_mode: int(1) },
    shapes: [[1, 1, 3, 3]],
  },
  "MaxPool, SAME_LOWER": {
    inputs: [image],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), auto_pad: string("SAME_LOWER") },
    shapes: [[2, 3, 4, 3]],
  },
  GlobalAveragePool: { inputs: [image], shapes: [[2, 3, 1, 1]] },
  GlobalMaxPool: { inputs: [image], shapes: [[2, 3, 1, 1]] },
  GlobalLpPool: { inputs: [image], shapes: [[2, 3, 1, 1]] },
  MaxUnpool: {
    inputs: [[1, 1, 2, 3], long(1, 1, 2, 3)],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 2]) },
    shapes: [[1, 1, 4, 7]],
  },
  "MaxUnpool, output shape given": {
    inputs: [[1, 1, 2, 2], long(1, 1, 2, 2), i64(1, 1, 5, 5)],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) },
    shapes: [[1, 1, 5, 5]],
  },
  Col2Im: { inputs: [[1, 12, 20], i64(5, 6), i64(2, 2)], shapes: [[1, 3, 5, 6]] },
  "Col2Im, padded and strided": {
    inputs: [[1, 12, 9], i64(4, 5), i64(2, 2)],
    attributes: { strides: ints([2, 2]), pads: ints([1, 0, 1, 1]) },
    shapes: [[1, 3, 4, 5]],
  },
  MaxRoiPool: { inputs: [image, [5, 5]], attributes: { pooled_shape: ints([2, 3]) }, shapes: [[5, 3, 2, 3]] },
  RoiAlign: {
    inputs: [image, [5, 4], long(5)],
    attributes: { output_height: int(2), output_width: int(3) },
    shapes: [[5, 3, 2, 3]],
  },

  MatMul: {
    inputs: [
      [2, 1, 4, 5],
      [3, 5, 6],
    ],
    shapes: [[2, 3, 4, 6]],
  },
  "MatMul, a row": { inputs: [[5], [3, 5, 6]], shapes: [[3, 6]] },
  "MatMul, a column": { inputs: [[3, 4, 5], [5]], shapes: [[3, 4]] },
  "MatMul, two vectors": { inputs: [[5], [5]], shapes: [[]] },
  MatMulInteger: {
    inputs: [
      { input: "uint8", shape: [2, 3] },
      { input: "uint8", shape: [3, 4] },
    ],
    shapes: [[2, 4]],
    dtypes: ["int32"],
  },
  Gemm: { inputs: [[2, 3], [3, 4], [4]], shapes: [[2, 4]] },
  "Gemm, both transposed": {
    inputs: [
      [3, 2],
      [4, 3],
    ],
    attributes: { transA: int(1), transB: int(1) },
    shapes: [[2, 4]],
  },
  Einsum: {
    inputs: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    attributes: { equation: string("bij, bjk -> bik") },
    shapes: [[2, 3, 5]],
  },
  "Einsum, ellipsis": {
    inputs: [
      [2, 7, 3, 4],
      [2, 7, 4, 5],
    ],
    attributes: { equation: string("...ij,...jk->...ki") },
    shapes: [[2, 7, 5, 3]],
  },
  "Einsum, without an arrow": {
    inputs: [
      [3, 4],
      [4, 2],
    ],
    attributes: { equation: string("zb,ba") },
    shapes: [[2, 3]],
  },
  Attention: {
    inputs: [
      [1, 2, 3, 4],
      [1, 2, 5, 4],
      [1, 2, 5, 6],
    ],
    shapes: [[1, 2, 3, 6]],
    notRun: "opset 23",
  },
  Det: { inputs: [[2, 3, 3]], shapes: [[2]] },

  BatchNormalization: { inputs: [image, [3], [3], [3], [3]], shapes: [image] },
  InstanceNormalization: { inputs: [image, [3], [3]], shapes: [image] },
  GroupNormalization: {
    inputs: [[2, 4, 5], [2], [2]],
    attributes: { num_groups: int(2) },
    shapes: [[2, 4, 5]],
  },
  LayerNormalization: {
    inputs: [
      [2, 3, 4],
      [3, 4],
    ],
    attributes: { axis: int(-2) },
    shapes: [
      [2, 3, 4],
      [2, 1, 1],
      [2, 1, 1],
    ],
  },
  RMSNormalization: { inputs: [[2, 3], [3]], shapes: [[2, 3]], notRun: "opset 23" },
  LRN: { inputs: [image], attributes: { size: int(3) }, shapes: [image] },

  ArgMax: {
    inputs: [[2, 3, 4]],
    attributes: { axis: int(-1), keepdims: int(0) },
    shapes: [[2, 3]],
    dtypes: ["int64"],
  },
  ArgMin: { inputs: [[2, 3, 4]], shapes: [[1, 3, 4]], dtypes: ["int64"] },
  "ReduceSum, everything": { inputs: [[2, 3]], attributes: { keepdims: int(0) }, shapes: [[]] },
  "ReduceSum, nothing": { inputs: [[2, 3]], attributes: { noop_with_empty_axes: int(1) }, shapes: [[2, 3]] },
  "ReduceMean, dropped axes": { inputs: [image, i64(2, 3)], attributes: { keepdims: int(0) }, shapes: [[2, 3]] },

  Resize: { inputs: [image, null, { float32: [1, 1, 1.5, 0.5] }], shapes: [[2, 3, 10, 3]] },
  "Resize, to sizes": { inputs: [image, null, null, i64(2, 3, 5, 9)], shapes: [[2, 3, 5, 9]] },
  "Resize, some axes": {
    inputs: [image, null, { float32: [2] }],
    attributes: { axes: ints([3]) },
    shapes: [[2, 3, 7, 12]],
  },
  // 7 * 0.7 is 4.8999996 in single precision.
  "Resize, a scale no binary fraction": {
    inputs: [image, null, { float32: [1, 1, 0.7, 1.7] }],
    shapes: [[2, 3, 4, 10]],
  },
  "Resize, no larger than": {
    inputs: [image, null, null, i64(14, 9)],
    attributes: { axes: ints([2, 3]), keep_aspect_ratio_policy: string("not_larger") },
    shapes: [[2, 3, 11, 9]],
  },
  "Resize, no smaller than": {
    inputs: [image, null, null, i64(14, 9)],
    attributes: { axes: ints([2, 3]), keep_aspect_ratio_policy: string("not_smaller") },
    shapes: [[2, 3, 14, 12]],
  },
  GridSample: { inputs: [image, [2, 4, 5, 2]], shapes: [[2, 3, 4, 5]] },
  AffineGrid: { inputs: [[2, 2, 3], i64(2, 3, 4, 5)], shapes: [[2, 4, 5, 2]] },
  "AffineGrid, volume": { inputs: [[2, 3, 4], i64(2, 3, 4, 5, 6)], shapes: [[2, 4, 5, 6, 3]] },
};
