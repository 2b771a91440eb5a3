/** @file Rows of operators that make tensors from shapes or attributes: Shape, ConstantOfShape, Range, Random*. */
import { getInt, getInts, getTensor } from "../attributes.ts";
import { dtypeOfCode } from "../constant.ts";
import { ceilDiv, sub } from "../dims.ts";
import type { Dim } from "../ir.ts";
import { each, expectOneType, input, type Row, type Table, tensor } from "./row.ts";
import { elementsOf } from "./values.ts";

const constant: Row = (node) => {
  const value = getTensor(node, "value");
  if (value) return [tensor(value.dtype, value.dims)];
  for (const [name, { kind, value: found }] of node.attributes) {
    if (name === "value_int") return [tensor("int64", [])];
    if (name === "value_float") return [tensor("float32", [])];
    if (name === "value_string") return [tensor("string", [])];
    if (name === "value_ints" && kind === "ints") return [tensor("int64", [found.length])];
    if (name === "value_floats" && kind === "floats") return [tensor("float32", [found.length])];
    if (name === "value_strings" && kind === "strings") return [tensor("string", [found.length])];
  }
  return undefined;
};

const range: Row = (node) => {
  const [start, limit, delta] = [input(node, 0), input(node, 1), input(node, 2)];
  expectOneType(node, [start, limit, delta]);
  const [from, to, by] = [start, limit, delta].map((v) => elementsOf(v)?.[0]);
  if (from === undefined || to === undefined || typeof by !== "number" || by === 0) return undefined;
  return [tensor(start.type.dtype, [rangeExtent(from, to, by)])];
};

/** max(0, ceil((to - from) / by)); a symbolic range is taken to be no empty one. */
export function rangeExtent(from: Dim, to: Dim, by: number): Dim {
  if (typeof from === "number" && typeof to === "number") return Math.max(0, Math.ceil((to - from) / by));
  return by > 0 ? ceilDiv(sub(to, from), by) : ceilDiv(sub(from, to), -by);
}

const like: Row = (node) => {
  const { dtype, shape } = input(node, 0).type;
  const code = getInt(node, "dtype", 0);
  return [tensor(code === 0 ? dtype : dtypeOfCode(code), shape)];
};

const random: Row = (node) => [tensor(dtypeOfCode(getInt(node, "dtype", 1)), getInts(node, "shape") ?? [])];

const window: Row = (node) => {
  const size = elementsOf(input(node, 0))?.[0];
  return size === undefined ? undefined : [tensor(dtypeOfCode(getInt(node, "output_datatype", 1)), [size])];
};

export const creation: Table = {
  Constant: constant,
  Shape: (node) => {
    const { shape } = input(node, 0).type;
    const part = shape.slice(getInt(node, "start", 0), getInt(node, "end", shape.length));
    return [tensor("int64", [part.length])];
  },
  Size: () => [tensor("int64", [])],
  ConstantOfShape: (node) => {
    const shape = elementsOf(input(node, 0));
    return shape && [tensor(getTensor(node, "value")?.dtype ?? "float32", shape)];
  },
  Range: range,
  ...each(["EyeLike", "RandomNormalLike", "RandomUniformLike", "Bernoulli"], like),
  ...each(["RandomNormal", "RandomUniform"], random),
  ...each(["HannWindow", "HammingWindow", "BlackmanWindow"], window),
};
