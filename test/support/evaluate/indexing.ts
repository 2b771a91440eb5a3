/** @file Reading and writing by computed index. Negative indices count from the end. */
import { getInt, getString } from "../../../shared/graph/attributes.ts";
import {
  axisOf,
  type Call,
  element,
  forEachIndex,
  generate,
  get,
  input,
  type Operator,
  type Operators,
  offset,
  type Tensor,
  vector,
  volume,
} from "./tensor.ts";

/** An index as data has it, from the front and inside its axis. */
function wrapped(index: number, extent: number): number {
  const found = index < 0 ? index + extent : index;
  if (found < 0 || found >= extent) throw new RangeError(`index ${index} lies outside an axis of ${extent}`);
  return found;
}

const gather: Operator = (call) => {
  const [x, indices] = [input(call, 0), input(call, 1)];
  const axis = axisOf(getInt(call.node, "axis", 0), x.dims.length);
  const deep = axis + indices.dims.length;
  return generate([...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)], (at) => {
    const picked = wrapped(element(indices, at.slice(axis, deep)), get(x.dims, axis));
    return element(x, [...at.slice(0, axis), picked, ...at.slice(deep)]);
  });
};

const gatherElements: Operator = (call) => {
  const [x, indices] = [input(call, 0), input(call, 1)];
  const axis = axisOf(getInt(call.node, "axis", 0), x.dims.length);
  return generate(indices.dims, (at) =>
    element(
      x,
      at.map((i, a) => (a === axis ? wrapped(element(indices, at), get(x.dims, a)) : i)),
    ),
  );
};

/** The index tuple that the last axis of `indices` holds at `at`. */
const tupleAt = (indices: Tensor, at: readonly number[], extents: readonly number[]): number[] =>
  Array.from({ length: get(indices.dims, indices.dims.length - 1) }, (_, i) =>
    wrapped(element(indices, [...at, i]), get(extents, i)),
  );

const gatherND: Operator = (call) => {
  const [x, indices] = [input(call, 0), input(call, 1)];
  const batch = getInt(call.node, "batch_dims", 0);
  const depth = get(indices.dims, indices.dims.length - 1);
  const outer = indices.dims.slice(0, -1);
  return generate([...outer, ...x.dims.slice(batch + depth)], (at) => {
    const where = at.slice(0, outer.length);
    const tuple = tupleAt(indices, where, x.dims.slice(batch));
    return element(x, [...at.slice(0, batch), ...tuple, ...at.slice(outer.length)]);
  });
};

const reductions: Readonly<Record<string, (old: number, update: number) => number>> = {
  none: (_, update) => update,
  add: (old, update) => old + update,
  mul: (old, update) => old * update,
  max: Math.max,
  min: Math.min,
};

/** A copy of the first input, and how it takes an update. */
function scattering(call: Call): readonly [Tensor, (at: readonly number[], update: number) => void] {
  const x = input(call, 0);
  const y = { dims: x.dims, data: x.data.slice() };
  const combine = reductions[getString(call.node, "reduction", "none")] ?? reductions["none"];
  const write = (at: readonly number[], update: number): void => {
    const flat = offset(y.dims, at);
    y.data[flat] = combine?.(get(y.data, flat), update) ?? update;
  };
  return [y, write];
}

const scatterElements: Operator = (call) => {
  const [indices, updates] = [input(call, 1), input(call, 2)];
  const [y, write] = scattering(call);
  const axis = axisOf(getInt(call.node, "axis", 0), y.dims.length);
  forEachIndex(indices.dims, (at) => {
    const to = at.map((i, a) => (a === axis ? wrapped(element(indices, at), get(y.dims, a)) : i));
    write(to, element(updates, at));
  });
  return y;
};

const scatterND: Operator = (call) => {
  const [indices, updates] = [input(call, 1), input(call, 2)];
  const [y, write] = scattering(call);
  const outer = indices.dims.length - 1;
  forEachIndex(updates.dims, (at) => {
    write([...tupleAt(indices, at.slice(0, outer), y.dims), ...at.slice(outer)], element(updates, at));
  });
  return y;
};

/** values = [off, on]; an index outside the depth makes a row of `off`. */
const oneHot: Operator = (call) => {
  const [indices, depth, values] = [input(call, 0), get(input(call, 1).data, 0), input(call, 2)];
  const axis = axisOf(getInt(call.node, "axis", -1), indices.dims.length + 1);
  return generate([...indices.dims.slice(0, axis), depth, ...indices.dims.slice(axis)], (at) => {
    const index = element(
      indices,
      at.filter((_, a) => a !== axis),
    );
    return get(values.data, (index < 0 ? index + depth : index) === get(at, axis) ? 1 : 0);
  });
};

/** Indices of the elements that are not zero, one row an axis. */
const nonZero: Operator = (call) => {
  const x = input(call, 0);
  const found: number[][] = [];
  forEachIndex(x.dims, (at) => {
    if (element(x, at) !== 0) found.push([...at]);
  });
  return generate([x.dims.length, found.length], ([row = 0, column = 0]) => get(found[column] ?? [], row));
};

/** Slices of `axis` (or flat elements) where the condition holds. */
const compress: Operator = (call) => {
  const [x, condition] = [input(call, 0), input(call, 1)];
  const kept = Array.from(condition.data.keys()).filter((i) => condition.data[i] !== 0);
  if (!call.node.attributes.has("axis"))
    return vector(kept.filter((i) => i < volume(x.dims)).map((i) => get(x.data, i)));
  const axis = axisOf(getInt(call.node, "axis", 0), x.dims.length);
  return generate(
    x.dims.map((d, a) => (a === axis ? kept.length : d)),
    (at) =>
      element(
        x,
        at.map((i, a) => (a === axis ? get(kept, i) : i)),
      ),
  );
};

export const indexing: Operators = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  OneHot: oneHot,
  NonZero: nonZero,
  Compress: compress,
};
