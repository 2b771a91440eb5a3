/** @file Rows of operators that work element by element: the output's shape is that of the inputs, broadcast. */

import { getInt } from "../attributes.ts";
import { dtypeOfCode } from "../constant.ts";
import {
  broadcast,
  each,
  expectOneType,
  input,
  malformed,
  named,
  present,
  type Row,
  type Table,
  tensor,
} from "./row.ts";

/** One output, exactly like the first input. */
export const same: Row = (node) => [input(node, 0).type];

const toBool: Row = (node) => [tensor("bool", input(node, 0).type.shape)];

const arithmetic: Row = (node) => {
  const values = [input(node, 0), ...present(node).slice(1)];
  expectOneType(node, values);
  return [tensor(input(node, 0).type.dtype, broadcast(node, values))];
};

const comparison: Row = (node) => {
  const values = [input(node, 0), input(node, 1)];
  expectOneType(node, values);
  return [tensor("bool", broadcast(node, values))];
};

/** The second input stretches to the first, never the other way. */
const stretched: Row = (node) => {
  const [x, slope] = [input(node, 0), input(node, 1)];
  const shape = broadcast(node, [x, slope]);
  if (shape.length !== x.type.shape.length || shape.some((d, i) => d !== x.type.shape[i] && x.type.shape[i] === 1)) {
    throw malformed(node, `${named(slope)} does not broadcast to the input ${named(x)}`);
  }
  return [x.type];
};

export const elementwise: Table = {
  ...each(
    [
      ...[
        "Abs",
        "Acos",
        "Acosh",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "BitwiseNot",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Cosh",
      ],
      ...["Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Mish"],
      ...["Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus"],
      ...["Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"],
    ],
    same,
  ),
  ...each(["IsInf", "IsNaN"], toBool),
  ...each(["Add", "Sub", "Mul", "Div", "Mod", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor"], arithmetic),
  ...each(["Sum", "Mean", "Max", "Min"], arithmetic),
  ...each(["And", "Or", "Xor", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"], comparison),
  // The exponent may have a type of its own.
  Pow: (node) => [tensor(input(node, 0).type.dtype, broadcast(node, [input(node, 0), input(node, 1)]))],
  PRelu: stretched,
  Where: (node) => {
    const [when, a, b] = [input(node, 0), input(node, 1), input(node, 2)];
    expectOneType(node, [a, b]);
    return [tensor(a.type.dtype, broadcast(node, [when, a, b]))];
  },
  Cast: (node) => [tensor(dtypeOfCode(getInt(node, "to", 0)), input(node, 0).type.shape)],
  CastLike: (node) => [tensor(input(node, 1).type.dtype, input(node, 0).type.shape)],
  Dropout: (node) => [input(node, 0).type, tensor("bool", input(node, 0).type.shape)],
  QuantizeLinear: (node) => [tensor(node.inputs[2]?.type.dtype ?? "uint8", input(node, 0).type.shape)],
  DequantizeLinear: (node) => [tensor(input(node, 1).type.dtype, input(node, 0).type.shape)],
  DynamicQuantizeLinear: (node) => [
    tensor("uint8", input(node, 0).type.shape),
    tensor("float32", []),
    tensor("uint8", []),
  ],
};
