/** @file Rows of reductions over axes. */
import { getInt } from "../attributes.ts";
import { axesOf, axisOf, each, input, numbersOf, optional, type Row, type Table, tensor } from "./row.ts";

const reduce: Row = (node) => {
  const { dtype, shape } = input(node, 0).type;
  const axes = optional(node, 1) ? numbersOf(node, 1) : [];
  if (axes === undefined) return undefined;
  if (axes.length === 0 && getInt(node, "noop_with_empty_axes", 0) === 1) return [tensor(dtype, shape)];
  const over = new Set(axes.length === 0 ? shape.keys() : axesOf(node, axes, shape.length));
  const kept = getInt(node, "keepdims", 1) === 1;
  return [
    tensor(
      dtype,
      shape.flatMap((d, i) => (over.has(i) ? (kept ? [1] : []) : [d])),
    ),
  ];
};

const extremeIndex: Row = (node) => {
  const { shape } = input(node, 0).type;
  const axis = axisOf(node, getInt(node, "axis", 0), shape.length);
  const kept = getInt(node, "keepdims", 1) === 1;
  return [
    tensor(
      "int64",
      shape.flatMap((d, i) => (i === axis ? (kept ? [1] : []) : [d])),
    ),
  ];
};

export const reductions: Table = {
  ...each(
    [
      ...["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"],
      ...["ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"],
    ],
    reduce,
  ),
  ...each(["ArgMax", "ArgMin"], extremeIndex),
};
