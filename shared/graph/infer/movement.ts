/** @file Rows of operators that only move elements: Reshape, Transpose, Slice, Pad, Concat ... */
import { getInt, getInts } from "../attributes.ts";
import { add, cancel, ceilDiv, conflict, floorDiv, isAtLeast, max, min, mul, product, quotient, sub } from "../dims.ts";
import type { Dim, Shape } from "../ir.ts";
import {
  axesOf,
  axisOf,
  broadcastShapes,
  expectOneType,
  expectRank,
  input,
  malformed,
  named,
  numbersOf,
  optional,
  present,
  type Row,
  replaced,
  type Table,
  type TypedNode,
  tensor,
} from "./row.ts";
import { elementsOf } from "./values.ts";

const reshape: Row = (node) => {
  const x = input(node, 0);
  const target = elementsOf(input(node, 1));
  if (target === undefined) return undefined;
  const { dtype, shape } = x.type;
  const zeroIsZero = getInt(node, "allowzero", 0) === 1;
  const extents = target.map((d, i) => {
    if (d !== 0 || zeroIsZero) return d;
    const copied = shape[i];
    if (copied === undefined) throw malformed(node, `0 at place ${i} of the new shape copies no axis of ${named(x)}`);
    return copied;
  });
  const open = extents.indexOf(-1);
  if (open !== extents.lastIndexOf(-1))
    throw malformed(node, `the new shape [${target.join(",")}] has more than one -1`);
  const failed = () => malformed(node, `the input ${named(x)} cannot have shape [${target.join(",")}]`);
  if (open < 0) {
    const [before, after] = cancel(shape, extents).map(product);
    if (conflict(before, after)) throw failed();
    return [tensor(dtype, extents)];
  }
  const rest = quotient(shape, extents.toSpliced(open, 1));
  if (rest === undefined) throw failed();
  return [tensor(dtype, replaced(extents, open, rest))];
};

const flatten: Row = (node) => {
  const { dtype, shape } = input(node, 0).type;
  const axis = getInt(node, "axis", 1);
  const at = axis === shape.length ? axis : axisOf(node, axis, shape.length);
  return [tensor(dtype, [product(shape.slice(0, at)), product(shape.slice(at))])];
};

const transpose: Row = (node) => {
  const x = input(node, 0);
  const { dtype, shape } = x.type;
  const perm = getInts(node, "perm") ?? [...shape.keys()].reverse();
  if (perm.length !== shape.length || new Set(perm).size < perm.length) {
    throw malformed(node, `perm [${perm.join(",")}] does not fit the input ${named(x)}`);
  }
  return [
    tensor(
      dtype,
      perm.map((p) => shape[axisOf(node, p, shape.length)] ?? 1),
    ),
  ];
};

const squeeze: Row = (node) => {
  const x = input(node, 0);
  const { dtype, shape } = x.type;
  if (optional(node, 1) === undefined)
    return [
      tensor(
        dtype,
        shape.filter((d) => d !== 1),
      ),
    ];
  const listed = numbersOf(node, 1);
  if (listed === undefined) return undefined;
  const axes = axesOf(node, listed, shape.length);
  const wide = axes.find((a) => conflict(shape[a], 1));
  if (wide !== undefined) throw malformed(node, `axis ${wide} of the input ${named(x)} is not 1`);
  return [
    tensor(
      dtype,
      shape.filter((_, i) => !axes.includes(i)),
    ),
  ];
};

const unsqueeze: Row = (node) => {
  const { dtype, shape } = input(node, 0).type;
  const listed = numbersOf(node, 1);
  if (listed === undefined) return undefined;
  const rank = shape.length + listed.length;
  const axes = axesOf(node, listed, rank);
  const rest = shape.values();
  return [
    tensor(
      dtype,
      Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : (rest.next().value ?? 1))),
    ),
  ];
};

const concat: Row = (node) => {
  const values = present(node);
  const first = input(node, 0);
  const { dtype, shape } = first.type;
  const axis = axisOf(node, getInt(node, "axis", 0), shape.length);
  expectOneType(node, values);
  const extents = shape.map((dim, i): Dim => {
    const column = values.map((v) => v.type.shape[i] ?? 1);
    return i === axis ? column.reduce(add) : (column.find((d) => typeof d === "number") ?? dim);
  });
  for (const value of values) {
    const other = value.type.shape;
    if (other.length !== shape.length || other.some((d, i) => i !== axis && conflict(d, extents[i]))) {
      throw malformed(node, `${named(first)} and ${named(value)} do not fit together along axis ${axis}`);
    }
  }
  return [tensor(dtype, extents)];
};

const split: Row = (node, count) => {
  const x = input(node, 0);
  const { dtype, shape } = x.type;
  const axis = axisOf(node, getInt(node, "axis", 0), shape.length);
  const extent = shape[axis] ?? 1;
  if (optional(node, 1) === undefined) {
    const parts = getInt(node, "num_outputs", count);
    if (parts < count) throw malformed(node, `num_outputs is ${parts}, but the node has ${count} outputs`);
    return evenly(extent, parts, count).map((d) => tensor(dtype, replaced(shape, axis, d)));
  }
  const sizes = elementsOf(input(node, 1));
  if (sizes === undefined) return undefined;
  if (conflict(sizes.reduce(add, 0), extent)) {
    throw malformed(node, `parts of [${sizes.join(",")}] do not add up to axis ${axis} of the input ${named(x)}`);
  }
  return sizes.map((size) => tensor(dtype, replaced(shape, axis, size)));
};

/** The first `count` of equal parts, of which the last one is smaller where they do not come out even. */
function evenly(extent: Dim, parts: number, count: number): Shape {
  const size = ceilDiv(extent, parts);
  const last = sub(extent, mul(size, parts - 1));
  return Array.from({ length: count }, (_, i) => (i === parts - 1 ? last : size));
}

const slice: Row = (node) => {
  const x = input(node, 0);
  const { dtype, shape } = x.type;
  const [starts, ends] = [elementsOf(input(node, 1)), elementsOf(input(node, 2))];
  const axes = optional(node, 3) ? numbersOf(node, 3) : starts && [...starts.keys()];
  const steps = optional(node, 4) ? numbersOf(node, 4) : starts?.map(() => 1);
  if (!starts || !ends || !axes || !steps) return undefined;
  const at = axesOf(node, axes, shape.length);
  if (ends.length !== starts.length || at.length !== starts.length || steps.length !== starts.length) {
    throw malformed(node, `${starts.length} starts, ${ends.length} ends, ${at.length} axes and ${steps.length} steps`);
  }
  if (steps.includes(0)) throw malformed(node, "a step is 0");
  const extents = shape.map((dim, axis) => {
    const i = at.indexOf(axis);
    return i < 0 ? dim : sliceExtent(dim, starts[i] ?? 0, ends[i] ?? dim, steps[i] ?? 1);
  });
  return [tensor(dtype, extents)];
};

/** From here on a start or end means "to the end", whatever the extent. */
const endless = 2 ** 31 - 1;

/** How many of `dim` elements lie in start:end:step, where indices beyond an end are taken as that end. */
export function sliceExtent(dim: Dim, start: Dim, end: Dim, step: number): Dim {
  const inside = (index: Dim, low: number, high: Dim): Dim => {
    if (typeof index === "number" && Math.abs(index) >= endless) return index < 0 ? low : high;
    return min(max(typeof index === "number" && index < 0 ? add(dim, index) : index, low), high);
  };
  const last = sub(dim, 1);
  const [from, to] =
    step > 0 ? [inside(start, 0, dim), inside(end, 0, dim)] : [inside(end, -1, last), inside(start, 0, last)];
  return isAtLeast(to, from) ? ceilDiv(sub(to, from), Math.abs(step)) : max(0, ceilDiv(sub(to, from), Math.abs(step)));
}

const pad: Row = (node) => {
  const x = input(node, 0);
  const { dtype, shape } = x.type;
  const pads = elementsOf(input(node, 1));
  const axes = optional(node, 3) ? numbersOf(node, 3) : [...shape.keys()];
  if (pads === undefined || axes === undefined) return undefined;
  const at = axesOf(node, axes, shape.length);
  if (pads.length !== 2 * at.length) {
    throw malformed(node, `${pads.length} pads for ${at.length} axes of the input ${named(x)}: two an axis are needed`);
  }
  const extents = shape.map((dim, axis) => {
    const i = at.indexOf(axis);
    return i < 0 ? dim : add(dim, add(pads[i] ?? 0, pads[i + at.length] ?? 0));
  });
  return [tensor(dtype, extents)];
};

const expand: Row = (node) => {
  const x = input(node, 0);
  const target = elementsOf(input(node, 1));
  const failed = () => malformed(node, `the input ${named(x)} does not broadcast to [${target?.join(",")}]`);
  return target && [tensor(x.type.dtype, broadcastShapes([x.type.shape, target], failed))];
};

const tile: Row = (node) => {
  const x = input(node, 0);
  const repeats = elementsOf(input(node, 1));
  if (repeats === undefined) return undefined;
  if (repeats.length !== x.type.shape.length) {
    throw malformed(node, `${repeats.length} repeats for the input ${named(x)}`);
  }
  return [
    tensor(
      x.type.dtype,
      x.type.shape.map((d, i) => mul(d, repeats[i] ?? 1)),
    ),
  ];
};

/** The extents after moving blocks between channels and space. */
const blocks =
  (inward: boolean): Row =>
  (node) => {
    const x = input(node, 0);
    expectRank(node, x, 4);
    const [n = 1, c = 1, h = 1, w = 1] = x.type.shape;
    const size = getInt(node, "blocksize", 1);
    const [area, spatial]: readonly [Dim, readonly Dim[]] = [c, [h, w]];
    const uneven = (d: Dim, by: number): boolean => typeof d === "number" && d % by !== 0;
    if (size < 1 || (inward ? spatial.some((d) => uneven(d, size)) : uneven(area, size * size))) {
      throw malformed(node, `blocks of ${size} do not divide the input ${named(x)}`);
    }
    const shape = inward
      ? [n, mul(c, size * size), floorDiv(h, size), floorDiv(w, size)]
      : [n, floorDiv(c, size * size), mul(h, size), mul(w, size)];
    return [tensor(x.type.dtype, shape)];
  };

const centerCropPad: Row = (node) => {
  const { dtype, shape } = input(node, 0).type;
  const target = elementsOf(input(node, 1));
  const axes = axesOf(node, getInts(node, "axes") ?? [...shape.keys()], shape.length);
  return (
    target && [
      tensor(
        dtype,
        shape.map((d, i) => (axes.includes(i) ? (target[axes.indexOf(i)] ?? d) : d)),
      ),
    ]
  );
};

const firstInput = (node: TypedNode) => [input(node, 0).type];

export const movement: Table = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Expand: expand,
  Tile: tile,
  DepthToSpace: blocks(false),
  SpaceToDepth: blocks(true),
  CenterCropPad: centerCropPad,
  Trilu: firstInput,
  ReverseSequence: firstInput,
};
