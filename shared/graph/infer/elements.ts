/**
 * @file Follows the elements of shape vectors through the operators exporters compute shapes with, so that
 * `Reshape(x, Concat(Shape(x)[0], -1))` is understood while the batch is symbolic. Only tensors of rank 0 and 1.
 */
import { getInt, getTensor } from "../attributes.ts";
import { add, floorDiv, max, min, mul, product, sub } from "../dims.ts";
import type { Dim, DType, Node, TensorType, Value } from "../ir.ts";
import { sliceExtent } from "./movement.ts";
import { elementsMax, elementsOf, elementsOfConstant } from "./values.ts";

type Elements = readonly Dim[];
type Tracker = (node: Node, type: TensorType) => Elements | undefined;

/** The elements of each output, where they can be told. */
export function trackElements(
  node: Node,
  types: readonly (TensorType | undefined)[],
): readonly (Elements | undefined)[] {
  if (node.domain !== "") return [];
  const [type] = types;
  if (type === undefined || type.shape.length > 1) return [];
  if (node.op === "Split") return splitElements(node, types);
  const found = trackers.get(node.op)?.(node, type);
  const length = type.shape[0] ?? 1;
  return found !== undefined && found.length === length && found.length <= elementsMax ? [found] : [];
}

const of = (node: Node, index: number): Elements | undefined => {
  const value: Value | null | undefined = node.inputs[index];
  return value ? elementsOf(value) : undefined;
};

const isKnown = (dim: Dim): dim is number => typeof dim === "number";
const isInteger = (dtype: DType): boolean => /^u?int/.test(dtype);

/** The elements of the inputs side by side, a lone one repeated; undefined unless all are known. */
function zip(node: Node, count: number): readonly Elements[] | undefined {
  const lists = Array.from({ length: count }, (_, i) => of(node, i));
  const known = lists.filter((l) => l !== undefined);
  if (known.length < count) return undefined;
  const length = known.every((l) => l.length === 1)
    ? 1
    : Math.max(...known.map((l) => (l.length === 1 ? 0 : l.length)));
  return Array.from({ length }, (_, i) => known.map((l) => (l.length === 1 ? l[0] : l[i]) ?? 0));
}

/** An operator on elements; where `onDims` cannot tell for one of them, the whole is unknown. */
const pointwise =
  (count: number, onDims: (dims: Elements, type: TensorType) => Dim | undefined): Tracker =>
  (node, type) => {
    const found = zip(node, count)?.map((dims) => onDims(dims, type));
    return found?.every((d) => d !== undefined) ? found : undefined;
  };

/** Numbers in the tensor's own precision, expressions only for integers. */
const arithmetic = (
  onNumbers: (a: number, b: number) => number,
  onDims: (a: Dim, b: Dim) => Dim | undefined,
): Tracker =>
  pointwise(2, ([a = 0, b = 0], { dtype }) => {
    if (isKnown(a) && isKnown(b)) return rounded(onNumbers(a, b), dtype);
    return [a, b].every((d) => !isKnown(d) || Number.isSafeInteger(d)) ? onDims(a, b) : undefined;
  });

function rounded(value: number, dtype: DType): number | undefined {
  if (dtype === "float32") return Math.fround(value);
  if (dtype === "float64") return value;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Integer division truncates; extents are positive, where that is the floor. A float quotient must come out even. */
const divide = pointwise(2, ([a = 0, b = 0], { dtype }) => {
  if (b === 0) return undefined;
  if (isKnown(a) && isKnown(b)) return rounded(isInteger(dtype) ? Math.trunc(a / b) : a / b, dtype);
  if (!isInteger(dtype) || (isKnown(b) && b < 0)) return undefined;
  return floorDiv(a, b);
});

/** Equal text is equal, different numbers are not; of anything else nothing is known. */
const comparison = (compare: (a: number, b: number) => boolean): Tracker =>
  pointwise(2, ([a = 0, b = 0]) => {
    if (isKnown(a) && isKnown(b)) return compare(a, b) ? 1 : 0;
    const difference = sub(a, b);
    if (isKnown(difference)) return compare(difference, 0) ? 1 : 0;
    // An extent is at least 1, so a symbol equals neither 0 nor the -1 that stands for "the rest".
    const known = isKnown(a) ? a : isKnown(b) ? b : 1;
    const symbol = isKnown(a) ? b : a;
    if (known < 1 && isSymbol(symbol)) return isKnown(a) ? (compare(0, 1) ? 1 : 0) : compare(1, 0) ? 1 : 0;
    return undefined;
  });

const isSymbol = (dim: Dim): boolean => typeof dim === "string" && /^\w+$/.test(dim);

/** An expression stands for an integer, which rounding leaves as it is. */
const rounding = (round: (value: number) => number): Tracker => pointwise(1, ([a = 0]) => (isKnown(a) ? round(a) : a));

/** A truth table on 0 and 1. */
const logic = (decide: (a: number, b: number) => number): Tracker =>
  pointwise(2, ([a = 0, b = 0]) => (isKnown(a) && isKnown(b) ? decide(a, b) : undefined));

const first: Tracker = (node) => of(node, 0);

const trackers: ReadonlyMap<string, Tracker> = new Map<string, Tracker>([
  ["Shape", (node) => shapeElements(node)],
  ["Size", (node) => (node.inputs[0]?.type ? [product(node.inputs[0].type.shape)] : undefined)],
  ["Identity", first],
  ["Reshape", first],
  ["Squeeze", first],
  ["Unsqueeze", first],
  ["Flatten", first],
  ["Cast", pointwise(1, ([a = 0], { dtype }) => castElement(a, dtype))],
  ["Gather", gatherElements],
  ["Slice", sliceElements],
  ["Concat", (node) => concatElements(node)],
  ["Expand", (node, type) => repeated(of(node, 0), type)],
  ["ConstantOfShape", (node, type) => repeated(fillValue(node), type)],
  ["Range", rangeElements],
  ["Add", arithmetic((a, b) => a + b, add)],
  ["Sub", arithmetic((a, b) => a - b, sub)],
  ["Mul", arithmetic((a, b) => a * b, mul)],
  ["Div", divide],
  ["Min", arithmetic(Math.min, min)],
  ["Max", arithmetic(Math.max, max)],
  ["Neg", pointwise(1, ([a = 0]) => (isKnown(a) ? 0 - a : mul(a, -1)))],
  ["Abs", pointwise(1, ([a = 0]) => (isKnown(a) ? Math.abs(a) : undefined))],
  ["Floor", rounding(Math.floor)],
  ["Ceil", rounding(Math.ceil)],
  ["Equal", comparison((a, b) => a === b)],
  ["Greater", comparison((a, b) => a > b)],
  ["GreaterOrEqual", comparison((a, b) => a >= b)],
  ["Less", comparison((a, b) => a < b)],
  ["LessOrEqual", comparison((a, b) => a <= b)],
  ["Not", pointwise(1, ([a = 0]) => (isKnown(a) ? 1 - a : undefined))],
  ["And", logic(Math.min)],
  ["Or", logic(Math.max)],
  ["Where", pointwise(3, ([when, a, b]) => (when === 0 ? b : when === 1 ? a : undefined))],
  ["ReduceProd", (node) => wholeReduction(node, mul)],
  ["ReduceSum", (node) => wholeReduction(node, add)],
]);

function shapeElements(node: Node): Elements | undefined {
  const shape = node.inputs[0]?.type?.shape;
  return shape?.slice(getInt(node, "start", 0), getInt(node, "end", shape.length));
}

function castElement(element: Dim, dtype: DType): Dim | undefined {
  if (dtype === "bool") return isKnown(element) ? Number(element !== 0) : undefined;
  if (!isKnown(element)) return element;
  return isInteger(dtype) ? Math.trunc(element) : rounded(element, dtype);
}

function gatherElements(node: Node): Elements | undefined {
  const [data, indices] = [of(node, 0), of(node, 1)];
  const picked = data && indices?.map((i) => (isKnown(i) ? data.at(i) : undefined));
  return picked?.every((d) => d !== undefined) ? picked : undefined;
}

function sliceElements(node: Node): Elements | undefined {
  const data = of(node, 0);
  const [start, end, step = 1] = [1, 2, 4].map((i) => of(node, i)?.[0]);
  if (data === undefined || !isNumber(start) || !isNumber(end) || !isNumber(step)) return undefined;
  if (step === 1) return data.slice(start, end);
  const length = sliceExtent(data.length, start, end, step);
  const from = start < 0 ? Math.max(start + data.length, 0) : Math.min(start, data.length - 1);
  return Array.from({ length: Number(length) }, (_, i) => data[from + i * step] ?? 0);
}

const isNumber = (dim: Dim | undefined): dim is number => typeof dim === "number";

function concatElements(node: Node): Elements | undefined {
  const parts = node.inputs.map((_, i) => of(node, i));
  return parts.every((p) => p !== undefined) ? parts.flat() : undefined;
}

/** One element as often as the shape says. */
function repeated(elements: Elements | undefined, type: TensorType): Elements | undefined {
  const length = type.shape[0] ?? 1;
  const [only] = elements ?? [];
  if (elements === undefined || !isKnown(length) || length > elementsMax || only === undefined) return undefined;
  return elements.length === length ? elements : new Array<Dim>(length).fill(only);
}

function fillValue(node: Node): Elements | undefined {
  const value = getTensor(node, "value");
  return value ? elementsOfConstant(value) : [0];
}

function rangeElements(node: Node, { shape: [length = 0] }: TensorType): Elements | undefined {
  const [start, delta] = [of(node, 0)?.[0], of(node, 2)?.[0]];
  if (start === undefined || !isNumber(delta) || !isKnown(length) || length > elementsMax) return undefined;
  if (!Number.isInteger(delta) || (isKnown(start) && !Number.isInteger(start))) return undefined;
  return Array.from({ length }, (_, i) => add(start, i * delta));
}

/** A reduction of a vector to one element; `axes` can only name its one axis. */
function wholeReduction(node: Node, combine: (a: Dim, b: Dim) => Dim): Elements | undefined {
  const [data, type] = [of(node, 0), node.inputs[0]?.type];
  const [one, ...rest] = data ?? [];
  if (one === undefined || type === undefined || !isInteger(type.dtype)) return undefined;
  const idle = node.inputs[1] === undefined && getInt(node, "noop_with_empty_axes", 0) === 1;
  return idle ? data : [rest.reduce(combine, one)];
}

function splitElements(node: Node, types: readonly (TensorType | undefined)[]): readonly (Elements | undefined)[] {
  const data = of(node, 0);
  let at = 0;
  return types.map((type) => {
    const length = type?.shape[0];
    const from = at;
    at += isNumber(length) ? length : Number.NaN;
    return Number.isNaN(at) ? undefined : data?.slice(from, at);
  });
}
