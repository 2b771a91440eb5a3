/**
 * @file Tensors of doubles, and what operators are given and give back. Integers and booleans are doubles too, exact to
 * 2^53. Shares nothing with the code it judges: indexing and broadcasting are written here a second time, on purpose.
 */
import type { Node } from "../../../shared/graph/ir.ts";

export interface Tensor {
  readonly dims: readonly number[];
  /** Row-major. */
  readonly data: Float64Array;
}

/** What an operator is given: its node for the attributes, and the values of its inputs. */
export interface Call {
  readonly node: Node;
  /** undefined: an optional input left out. */
  readonly inputs: readonly (Tensor | undefined)[];
}
export type Operator = (call: Call) => Tensor | readonly Tensor[];
export type Operators = Readonly<Record<string, Operator>>;

/** An input that must be there. */
export function input({ node, inputs }: Call, index: number): Tensor {
  const found = inputs[index];
  if (found === undefined) throw new RangeError(`${node.op} (${node.name}) needs input ${index}`);
  return found;
}

/** An input of integers (axes, shape, pads), or undefined where it is left out. */
export const integers = ({ inputs }: Call, index: number): readonly number[] | undefined => {
  const found = inputs[index];
  return found && Array.from(found.data);
};

/** Reads an element; outside the array is a bug of the interpreter or of the graph, never a silent NaN. */
export function get(values: ArrayLike<number>, index: number): number {
  const found = values[index];
  if (found === undefined) throw new RangeError(`index ${index} lies outside ${values.length} elements`);
  return found;
}

export const volume = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);
export const zeros = (dims: readonly number[]): Tensor => ({ dims, data: new Float64Array(volume(dims)) });
export const scalar = (value: number): Tensor => ({ dims: [], data: Float64Array.of(value) });
export const vector = (values: readonly number[]): Tensor => ({
  dims: [values.length],
  data: Float64Array.from(values),
});

export function tensor(dims: readonly number[], values: ArrayLike<number>): Tensor {
  if (values.length !== volume(dims)) throw new RangeError(`[${dims}] does not hold ${values.length} elements`);
  return { dims, data: Float64Array.from(values) };
}

/** How far apart neighbours along each axis lie. */
export const stridesOf = (dims: readonly number[]): number[] => dims.map((_, axis) => volume(dims.slice(axis + 1)));

/** The tensor whose element at each index is `value(index)`. The index array is reused: read it, do not keep it. */
export function generate(dims: readonly number[], value: (index: readonly number[]) => number): Tensor {
  const out = zeros(dims);
  const index = dims.map(() => 0);
  for (let flat = 0; flat < out.data.length; flat++) {
    out.data[flat] = value(index);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const next = get(index, axis) + 1;
      index[axis] = next < get(dims, axis) ? next : 0;
      if (next < get(dims, axis)) break;
    }
  }
  return out;
}

/** Calls `visit` at each index of a shape, in row-major order. */
export const forEachIndex = (dims: readonly number[], visit: (index: readonly number[]) => void): void => {
  generate(dims, (index) => {
    visit(index);
    return 0;
  });
};

/** Where an index lies in row-major data. */
export const offset = (dims: readonly number[], index: readonly number[]): number =>
  dims.reduce((sum, d, axis) => sum * d + get(index, axis), 0);

export const element = (t: Tensor, index: readonly number[]): number => get(t.data, offset(t.dims, index));

/** An axis counted from the front; -1 is the last of `rank`. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** The shape several shapes broadcast to, as in NumPy. */
export function broadcastDims(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, axis) => {
    const extents = shapes.map((s) => s[axis - rank + s.length] ?? 1).filter((d) => d !== 1);
    if (extents.some((d) => d !== extents[0])) throw new RangeError(`shapes [${shapes.join("] and [")}] do not fit`);
    return extents[0] ?? 1;
  });
}

/** Repeats `t` along the axes where it has extent 1, up to `dims`. */
export function broadcast(t: Tensor, dims: readonly number[]): Tensor {
  const skipped = dims.length - t.dims.length;
  return generate(dims, (index) =>
    element(
      t,
      t.dims.map((d, axis) => (d === 1 ? 0 : get(index, axis + skipped))),
    ),
  );
}

/** Views a tensor as [outer, length, inner] around one axis. */
export function around(dims: readonly number[], axis: number): readonly [outer: number, length: number, inner: number] {
  return [volume(dims.slice(0, axis)), get(dims, axis), volume(dims.slice(axis + 1))];
}

/** Replaces every line of elements along an axis by what `f` makes of it; the length may change. */
export function mapLines(t: Tensor, axis: number, f: (line: readonly number[]) => readonly number[]): Tensor {
  const [outer, length, inner] = around(t.dims, axis);
  const lines: (readonly number[])[] = [];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      lines.push(f(Array.from({ length }, (_, k) => get(t.data, (o * length + k) * inner + i))));
    }
  }
  const made = lines[0]?.length ?? length;
  const out = zeros(t.dims.map((d, a) => (a === axis ? made : d)));
  lines.forEach((line, n) => {
    const o = Math.floor(n / inner);
    line.forEach((value, k) => {
      out.data[(o * made + k) * inner + (n % inner)] = value;
    });
  });
  return out;
}
