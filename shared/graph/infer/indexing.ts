/** @file Rows of operators that pick elements by index or put them there: Gather*, Scatter*, TopK, OneHot, NonZero. */
import { getInt } from "../attributes.ts";
import { conflict } from "../dims.ts";
import {
  axisOf,
  each,
  expectOneType,
  expectRank,
  input,
  malformed,
  named,
  type Row,
  replaced,
  type Table,
  type Typed,
  tensor,
} from "./row.ts";
import { elementsOf } from "./values.ts";

/** An extent only the run will know. It depends on nothing but the value named, so for the same one it is the same. */
const unknownExtent = (what: string, value: Typed): string => `${what}[${value.name.replace(/[\s+\-*/(),]/g, "_")}]`;

const gather: Row = (node) => {
  const [data, indices] = [input(node, 0), input(node, 1)];
  const { dtype, shape } = data.type;
  const axis = axisOf(node, getInt(node, "axis", 0), shape.length);
  const extent = shape[axis];
  const outside = elementsOf(indices)?.find(
    (i) => typeof i === "number" && typeof extent === "number" && (i >= extent || i < -extent),
  );
  if (outside !== undefined) {
    throw malformed(node, `index ${outside} lies outside axis ${axis} of ${named(data)}`);
  }
  return [tensor(dtype, [...shape.slice(0, axis), ...indices.type.shape, ...shape.slice(axis + 1)])];
};

const gatherElements: Row = (node) => {
  const [data, indices] = [input(node, 0), input(node, 1)];
  expectRank(node, indices, data.type.shape.length);
  axisOf(node, getInt(node, "axis", 0), data.type.shape.length);
  return [tensor(data.type.dtype, indices.type.shape)];
};

const gatherND: Row = (node) => {
  const [data, indices] = [input(node, 0), input(node, 1)];
  const batch = getInt(node, "batch_dims", 0);
  const width = indices.type.shape.at(-1);
  if (typeof width !== "number") return undefined;
  if (batch + width > data.type.shape.length) {
    throw malformed(node, `indices of ${width} coordinates do not fit ${named(data)}`);
  }
  return [tensor(data.type.dtype, [...indices.type.shape.slice(0, -1), ...data.type.shape.slice(batch + width)])];
};

const scatterElements: Row = (node) => {
  const [data, indices, updates] = [input(node, 0), input(node, 1), input(node, 2)];
  axisOf(node, getInt(node, "axis", 0), data.type.shape.length);
  expectRank(node, indices, data.type.shape.length);
  expectOneType(node, [data, updates]);
  const [a, b] = [indices.type.shape, updates.type.shape];
  if (a.length !== b.length || a.some((d, i) => conflict(d, b[i]))) {
    throw malformed(node, `the indices ${named(indices)} and the updates ${named(updates)} differ in shape`);
  }
  return [data.type];
};

const scatterND: Row = (node) => {
  const [data, indices, updates] = [input(node, 0), input(node, 1), input(node, 2)];
  expectOneType(node, [data, updates]);
  const width = indices.type.shape.at(-1);
  if (typeof width === "number") {
    const wanted = [...indices.type.shape.slice(0, -1), ...data.type.shape.slice(width)];
    const found = updates.type.shape;
    if (wanted.length !== found.length || wanted.some((d, i) => conflict(d, found[i]))) {
      throw malformed(node, `the updates ${named(updates)} should have shape [${wanted.join(",")}]`);
    }
  }
  return [data.type];
};

const oneHot: Row = (node) => {
  const [indices, depth, values] = [input(node, 0), input(node, 1), input(node, 2)];
  const { shape } = indices.type;
  const axis = axisOf(node, getInt(node, "axis", -1), shape.length + 1);
  const extent = elementsOf(depth)?.[0] ?? unknownExtent("depth", depth);
  return [tensor(values.type.dtype, shape.toSpliced(axis, 0, extent))];
};

const topK: Row = (node) => {
  const [x, k] = [input(node, 0), input(node, 1)];
  const { dtype, shape } = x.type;
  const axis = axisOf(node, getInt(node, "axis", -1), shape.length);
  const wanted = elementsOf(k)?.[0] ?? unknownExtent("k", k);
  const extent = shape[axis];
  if (typeof wanted === "number" && typeof extent === "number" && wanted > extent) {
    throw malformed(node, `the largest ${wanted} of axis ${axis} of ${named(x)} are asked for`);
  }
  const picked = replaced(shape, axis, wanted);
  return [tensor(dtype, picked), tensor("int64", picked)];
};

const compress: Row = (node) => {
  const [x, condition] = [input(node, 0), input(node, 1)];
  const extent = unknownExtent("Compress", condition);
  const { dtype, shape } = x.type;
  if (!node.attributes.has("axis")) return [tensor(dtype, [extent])];
  return [tensor(dtype, replaced(shape, axisOf(node, getInt(node, "axis", 0), shape.length), extent))];
};

const unique: Row = (node) => {
  const x = input(node, 0);
  const { dtype, shape } = x.type;
  const extent = unknownExtent("Unique", x);
  const picked = node.attributes.has("axis")
    ? replaced(shape, axisOf(node, getInt(node, "axis", 0), shape.length), extent)
    : [extent];
  return [tensor(dtype, picked), tensor("int64", [extent]), undefined, tensor("int64", [extent])];
};

const cumSum: Row = (node) => {
  const x = input(node, 0);
  const axis = elementsOf(input(node, 1))?.[0];
  if (typeof axis === "number") axisOf(node, axis, x.type.shape.length);
  return [x.type];
};

const nonMaxSuppression: Row = (node) => [tensor("int64", [unknownExtent("selected", input(node, 1)), 3])];

export const indexing: Table = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ...each(["ScatterElements", "Scatter"], scatterElements),
  ScatterND: scatterND,
  OneHot: oneHot,
  TopK: topK,
  NonZero: (node) => [tensor("int64", [input(node, 0).type.shape.length, unknownExtent("NonZero", input(node, 0))])],
  Compress: compress,
  Unique: unique,
  ...each(["CumSum", "CumProd"], cumSum),
  NonMaxSuppression: nonMaxSuppression,
};
