/** @file Rows of operators that sample an image at other places: Resize, GridSample, AffineGrid. */
import { getInts, getString } from "../attributes.ts";
import { conflict, floorDiv, mul } from "../dims.ts";
import type { Dim, Shape } from "../ir.ts";
import {
  axesOf,
  expectRank,
  input,
  malformed,
  named,
  numbersOf,
  optional,
  type Row,
  type Table,
  type Typed,
  type TypedNode,
  tensor,
} from "./row.ts";
import { elementsOf } from "./values.ts";

/** Scales of a symbolic extent are taken as fractions with at most this denominator: 1.5 is 3/2. */
const denominatorMax = 64;

/** An optional input that stands there empty is as good as absent, as PyTorch exports it. */
function given(node: TypedNode, index: number): Typed | undefined {
  const value = optional(node, index);
  return value && value.type.shape.length === 1 && value.type.shape[0] !== 0 ? value : undefined;
}

const resize: Row = (node) => {
  const x = input(node, 0);
  const { dtype, shape } = x.type;
  const axes = axesOf(node, getInts(node, "axes") ?? [...shape.keys()], shape.length);
  const [scales, sizes] = [given(node, 2), given(node, 3)];
  const listed = sizes ?? scales;
  if (listed === undefined) throw malformed(node, "neither scales nor sizes are given");
  const length = listed.type.shape[0];
  if (conflict(length, axes.length)) {
    throw malformed(node, `"${listed.name}" has ${length} entries for ${axes.length} axes of the input ${named(x)}`);
  }
  const wanted = sizes ? sized(node, sizes, axes, shape) : scaled(node, axes, shape);
  if (wanted === undefined || wanted.includes(undefined)) return undefined;
  return [
    tensor(
      dtype,
      shape.map((d, i) => wanted[axes.indexOf(i)] ?? d),
    ),
  ];
};

type Extents = readonly (Dim | undefined)[];

function sized(node: TypedNode, sizes: Typed, axes: readonly number[], shape: Shape): Extents | undefined {
  const elements = elementsOf(sizes);
  const policy = getString(node, "keep_aspect_ratio_policy", "stretch");
  if (elements === undefined || policy === "stretch") return elements;
  const ratios = axes.map((axis, i) => Number(elements[i]) / Number(shape[axis]));
  const scale = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  // Halves round up, as the specification's round_int does.
  return Number.isFinite(scale) ? axes.map((axis) => Math.floor(Number(shape[axis]) * scale + 0.5)) : undefined;
}

function scaled(node: TypedNode, axes: readonly number[], shape: Shape): Extents | undefined {
  const scales = numbersOf(node, 2);
  const cropped = getString(node, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  if (scales === undefined || cropped) return undefined; // a crop's size depends on the roi
  return axes.map((axis, i) => scaledExtent(shape[axis] ?? 1, scales[i] ?? 1));
}

/** floor(extent * scale), in the single precision the runtime computes it in. */
function scaledExtent(extent: Dim, scale: number): Dim | undefined {
  if (typeof extent === "number") return Math.floor(Math.fround(extent * Math.fround(scale)));
  for (let denominator = 1; denominator <= denominatorMax; denominator += 1) {
    const numerator = Math.round(scale * denominator);
    if (numerator > 0 && Math.fround(numerator / denominator) === Math.fround(scale)) {
      return floorDiv(mul(extent, numerator), denominator);
    }
  }
  return undefined;
}

const gridSample: Row = (node) => {
  const [x, grid] = [input(node, 0), input(node, 1)];
  expectRank(node, grid, x.type.shape.length);
  if (conflict(grid.type.shape.at(-1), x.type.shape.length - 2)) {
    throw malformed(node, `the grid ${named(grid)} needs ${x.type.shape.length - 2} coordinates for ${named(x)}`);
  }
  return [tensor(x.type.dtype, [...x.type.shape.slice(0, 2), ...grid.type.shape.slice(1, -1)])];
};

/** theta [N, d, d+1] and size [N, C, spatial] make a grid [N, spatial, d]. */
const affineGrid: Row = (node) => {
  const theta = input(node, 0);
  const size = elementsOf(input(node, 1));
  const [n = 1] = theta.type.shape;
  return size && [tensor(theta.type.dtype, [n, ...size.slice(2), size.length - 2])];
};

export const resampling: Table = {
  Resize: resize,
  GridSample: gridSample,
  AffineGrid: affineGrid,
};
