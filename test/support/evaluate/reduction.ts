/** @file Reductions over axes, and what works along one axis: ArgMax, TopK, CumSum. */
import { getInt, getInts } from "../../../shared/graph/attributes.ts";
import {
  axisOf,
  type Call,
  element,
  forEachIndex,
  get,
  input,
  integers,
  mapLines,
  type Operator,
  type Operators,
  offset,
  type Tensor,
  volume,
} from "./tensor.ts";

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/**
 * Gathers the elements that fall together and reduces each list. A "no-op" of no axes still reduces each element by
 * itself, as onnxruntime does: ReduceL1 is then |x|.
 */
const reduce =
  (f: (values: readonly number[]) => number): Operator =>
  (call) => {
    const x = input(call, 0);
    const given = integers(call, 1) ?? getInts(call.node, "axes") ?? [];
    const every = given.length === 0 && getInt(call.node, "noop_with_empty_axes", 0) === 0;
    const axes = every ? x.dims.map((_, a) => a) : given.map((a) => axisOf(a, x.dims.length));
    const kept = x.dims.map((d, a) => (axes.includes(a) ? 1 : d));
    const lists = Array.from({ length: volume(kept) }, (): number[] => []);
    forEachIndex(x.dims, (index) => {
      const at = index.map((i, a) => (axes.includes(a) ? 0 : i));
      lists[offset(kept, at)]?.push(element(x, index));
    });
    const dims = getInt(call.node, "keepdims", 1) !== 0 ? kept : x.dims.filter((_, a) => !axes.includes(a));
    return { dims, data: Float64Array.from(lists, f) };
  };

function logSumExp(values: readonly number[]): number {
  const top = Math.max(...values);
  return top + Math.log(sum(values.map((v) => Math.exp(v - top))));
}

/** The position of the best element of each line; the first of equals unless select_last_index. */
const argBest =
  (better: (a: number, b: number) => boolean): Operator =>
  (call) => {
    const x = input(call, 0);
    const axis = axisOf(getInt(call.node, "axis", 0), x.dims.length);
    const last = getInt(call.node, "select_last_index", 0) !== 0;
    const found = mapLines(x, axis, (line) => [
      line.reduce((best, v, i) => (better(v, get(line, best)) || (last && v === get(line, best)) ? i : best), 0),
    ]);
    return getInt(call.node, "keepdims", 1) !== 0 ? found : { ...found, dims: x.dims.filter((_, a) => a !== axis) };
  };

/** Values and indices of the K largest (or smallest), best first; the lower index first among equals. */
const topK: Operator = (call) => {
  const x = input(call, 0);
  const k = get(input(call, 1).data, 0);
  const axis = axisOf(getInt(call.node, "axis", -1), x.dims.length);
  const sign = getInt(call.node, "largest", 1) !== 0 ? -1 : 1;
  const order = (line: readonly number[]): number[] =>
    [...line.keys()].sort((i, j) => sign * (get(line, i) - get(line, j)) || i - j).slice(0, k);
  return [mapLines(x, axis, (line) => order(line).map((i) => get(line, i))), mapLines(x, axis, order)];
};

const cumSum: Operator = (call: Call): Tensor => {
  const x = input(call, 0);
  const exclusive = getInt(call.node, "exclusive", 0) !== 0;
  const reverse = getInt(call.node, "reverse", 0) !== 0;
  return mapLines(x, axisOf(get(input(call, 1).data, 0), x.dims.length), (line) =>
    line.map((_, i) => {
      const [from, to] = reverse ? [exclusive ? i + 1 : i, line.length] : [0, exclusive ? i : i + 1];
      return sum(line.slice(from, to));
    }),
  );
};

export const reduction: Operators = {
  ReduceSum: reduce(sum),
  ReduceMean: reduce((v) => sum(v) / v.length),
  ReduceMax: reduce((v) => Math.max(...v)),
  ReduceMin: reduce((v) => Math.min(...v)),
  ReduceProd: reduce((v) => v.reduce((a, b) => a * b, 1)),
  ReduceL1: reduce((v) => sum(v.map(Math.abs))),
  ReduceL2: reduce((v) => Math.sqrt(sum(v.map((a) => a * a)))),
  ReduceSumSquare: reduce((v) => sum(v.map((a) => a * a))),
  ReduceLogSum: reduce((v) => Math.log(sum(v))),
  ReduceLogSumExp: reduce(logSumExp),
  ArgMax: argBest((a, b) => a > b),
  ArgMin: argBest((a, b) => a < b),
  TopK: topK,
  CumSum: cumSum,
};
