/** @file Rules of poolings. Max pooling gives the gradient to the first maximum in row-major window order. */
import { getInt, getInts, int, ints } from "../../graph/attributes.ts";
import { dtypeOf, extent, type GraphBuilder, isStatic, rankOf, shapeOf } from "../../graph/builder.ts";
import { constantOf, volume } from "../../graph/constant.ts";
import type { Node, Value } from "../../graph/ir.ts";
import { scatterAdd } from "../axis.ts";
import { cannotDifferentiate, lazy, type RuleTable, rule } from "../vjp.ts";
import { expectSpatial, reach, spatialAxes, transposed, type Window, windowOf } from "../window.ts";
import { scaleByCount } from "./reduce.ts";

const poolWindow = (node: Node, x: Value): Window => {
  expectSpatial(node, x);
  const kernel = getInts(node, "kernel_shape");
  if (kernel === undefined) throw cannotDifferentiate(node, "it has no kernel_shape");
  return windowOf(node, x, kernel);
};

export const pool = {
  // The node itself says where each maximum was: its second output, asked for only when a gradient must pass here
  // (it costs the runtime its fast path). Windows that overlap may name a position twice, so those add.
  MaxPool: rule(({ g, node, x, y, dy }) => [
    () => {
      if (getInt(node, "storage_order", 0) !== 0) throw cannotDifferentiate(node, "only storage_order = 0 is known");
      const window = poolWindow(node, x(0));
      const indices = g.output(y(), 1);
      const apart = window.strides.every((s, i) => s >= reach(window, i));
      const inside = [...window.begin, ...window.end].every((p) => p === 0) && getInt(node, "ceil_mode", 0) === 0;
      if (apart && inside && rankOf(x(0)) === 4 && dtypeOf(x(0)) === "float32") {
        const attributes = { kernel_shape: ints(window.kernel), strides: ints(window.strides) };
        const unpooled = g.node("MaxUnpool", [dy, indices, g.shapeOf(x(0))], attributes);
        return g.declare(unpooled, shapeOf(x(0)));
      }
      const flat = (v: Value): Value => g.reshape(v, [-1]);
      return g.reshapeLike(scatterAdd(g, flat(x(0)), flat(indices), flat(dy), 0), x(0));
    },
  ]),

  // Each element went to the position its index counts, through batch and channels too.
  MaxUnpool: rule(({ g, x, dy }) => [
    () => {
      const flat = (v: Value): Value => g.reshape(v, [-1]);
      return g.reshapeLike(g.node("GatherElements", [flat(dy), flat(x(1))], { axis: int(0) }), x(0));
    },
    null,
    null,
  ]),

  AveragePool: rule(({ g, node, x, dy }) => [
    () => {
      const window = { ...poolWindow(node, x(0)), group: extent(x(0), 1) };
      const ones = new Float32Array(window.group * volume(window.kernel)).fill(1);
      const kernel = g.constant(constantOf(dtypeOf(dy), [window.group, 1, ...window.kernel], ones));
      return transposed(g, window, x(0), averageShare(g, node, window, x(0), dy), kernel);
    },
  ]),

  GlobalAveragePool: lazy(({ g, x, dy }) => [() => scaleByCount(g, dy, x(0), spatialAxes(x(0)))]),

  GlobalMaxPool: rule(({ g, x, dy }) => [
    () => {
      const [n = 0, c = 0] = shapeOf(x(0));
      const rows = typeof n === "number" && typeof c === "number" ? [n, c, -1] : [0, 0, -1];
      const flat = g.reshape(x(0), rows);
      const first = g.node("ArgMax", [flat], { axis: int(2), keepdims: int(1) });
      return g.reshapeLike(scatterAdd(g, flat, first, g.reshape(dy, rows), 2), x(0));
    },
  ]),
} satisfies RuleTable;

/** dy divided by how many elements each average was taken over: the window, less what hangs outside. */
function averageShare(g: GraphBuilder, node: Node, w: Window, x: Value, dy: Value): Value {
  const includesPad = getInt(node, "count_include_pad", 0) === 1;
  const padded = [...w.begin, ...w.end].some((p) => p > 0);
  const ceil = getInt(node, "ceil_mode", 0) === 1;
  if (!ceil && (includesPad || !padded)) return g.scale(dy, 1 / volume(w.kernel));
  if (!isStatic(shapeOf(x).slice(2))) throw cannotDifferentiate(node, "its padding needs a fixed input size");
  // Counts are products of one count per axis.
  const perAxis = w.kernel.map((taps, i) => {
    const [size, begin, end] = [extent(x, i + 2), w.begin[i] ?? 0, w.end[i] ?? 0];
    const [from, to] = includesPad ? [-begin, size + end] : [0, size];
    return Array.from({ length: extent(dy, i + 2) }, (_, u) => {
      const start = u * (w.strides[i] ?? 1) - begin;
      const at = Array.from({ length: taps }, (_, k) => start + k * (w.dilations[i] ?? 1));
      return at.filter((p) => p >= from && p < to).length;
    });
  });
  const counts = perAxis.reduce<number[]>((all, axis) => all.flatMap((n) => axis.map((m) => n * m)), [1]);
  const shares = counts.map((n) => 1 / n);
  return g.mul(dy, g.constant(constantOf(dtypeOf(dy), [1, 1, ...perAxis.map((a) => a.length)], shares)));
}
