/**
 * @file The start of a backward pass from one class, kept as (class, value) for as long as possible: a one-hot vector
 * times a classifier's weights is one row of them. Saves the whole product where the last layer is a convolution over
 * all classes (SqueezeNet: a quarter of a forward pass).
 */
import { getFloat, getInt, getInts, int } from "../graph/attributes.ts";
import { dtypeOf, type GraphBuilder, rankOf, shapeOf } from "../graph/builder.ts";
import { constantOf, numbers } from "../graph/constant.ts";
import type { Node, Value } from "../graph/ir.ts";
import { producers } from "../graph/walk.ts";
import { rules } from "./rules.ts";
import type { RuleTable } from "./vjp.ts";

/** A gradient that is zero but at one index of one axis. */
interface OneHot {
  readonly at: Value;
  readonly axis: number;
  /** Value at the index; 1 along the axis and wherever it does not vary. Of the rank of `at`. */
  readonly amount: Value;
}

export interface Start {
  /** Dense gradients to start the sweep from. */
  readonly seeds: ReadonlyMap<Value, Value>;
  /** Dense gradients of wanted tensors that were passed on the way. */
  readonly passed: ReadonlyMap<Value, Value>;
}

/**
 * The gradient of y[n, index[n]] (summed over whatever else y has) as far down as it stays one-hot, then dense.
 *
 * @param index int64 [N], the class of each image
 * @param axis y's class axis
 * @param wanted tensors whose gradient is asked for: provided densely where passed
 * @param table operators with another rule than the true one are left to the sweep
 */
export function startFromClass(
  g: GraphBuilder,
  y: Value,
  axis: number,
  index: Value,
  wanted: ReadonlySet<Value>,
  table: RuleTable,
): Start {
  const makers = producers(g);
  const passed = new Map<Value, Value>();
  let current: OneHot = { at: y, axis, amount: onesOfRank(g, y) };
  for (;;) {
    if (wanted.has(current.at)) passed.set(current.at, dense(g, current, index));
    const node = makers.get(current.at);
    const [x, w] = node?.inputs ?? [];
    if (!node || !x || node.domain !== "") break;
    // A modified rule takes over from a dense gradient.
    if (table[node.op] !== rules[node.op]) break;
    // A row of the weights says nothing of the weights' own gradient.
    const weightsWanted = node.inputs.some((v, i) => i > 0 && v !== null && wanted.has(v));
    const row = w && !weightsWanted ? classRow(g, node, x, w, current, index) : null;
    if (row) return { seeds: new Map([[x, row]]), passed };
    const next = through(g, node, x, current, index);
    if (next === null) break;
    current = next;
  }
  // A tensor already passed densely seeds the sweep with that very value.
  return { seeds: new Map([[current.at, passed.get(current.at) ?? dense(g, current, index)]]), passed };
}

const onesOfRank = (g: GraphBuilder, v: Value): Value =>
  g.constant(
    constantOf(
      dtypeOf(v),
      shapeOf(v).map(() => 1),
      [1],
    ),
    "one",
  );

/** Past one operator that keeps a one-hot gradient one-hot; null where none does. */
function through(g: GraphBuilder, node: Node, x: Value, { at, axis, amount }: OneHot, index: Value): OneHot | null {
  const shape = shapeOf(x);
  switch (node.op) {
    case "Identity":
    case "Dropout":
      return { at: x, axis, amount };
    case "Relu":
      return axis === 1 ? { at: x, axis, amount: g.mul(amount, g.sign(atClass(g, at, index))) } : null;
    case "Flatten":
    case "Reshape":
    case "Squeeze":
    case "Unsqueeze": {
      // Only from or to shapes [N, C, 1, ..]: nothing but the classes to keep apart.
      const classes = shape.indexOf(shapeOf(at)[axis] ?? -1, 1);
      const others = [...shape.slice(1, classes), ...shape.slice(classes + 1)];
      if (axis === 0 || classes < 1 || shape[0] !== shapeOf(at)[0] || others.some((d) => d !== 1)) return null;
      return {
        at: x,
        axis: classes,
        amount: g.reshape(
          amount,
          shape.map((_, i) => (i === 0 ? -1 : 1)),
        ),
      };
    }
    case "GlobalAveragePool":
      return axis === 1 ? meanOver(g, x, axis, amount, shape.slice(2)) : null;
    case "ReduceMean": {
      const axes = node.inputs[1]?.constant;
      const reduced = axes ? Array.from(numbers(axes), (a) => (a < 0 ? a + shape.length : a)).sort() : [];
      const spatial = shape.slice(2).map((_, i) => i + 2);
      if (axis !== 1 || reduced.join() !== spatial.join()) return null;
      const kept = getInt(node, "keepdims", 1) === 1 ? amount : g.node("Unsqueeze", [amount, g.int64(spatial)]);
      return meanOver(g, x, axis, kept, shape.slice(2));
    }
    case "AveragePool": {
      const whole = shape.slice(2).join() === getInts(node, "kernel_shape")?.join();
      const padded = getInts(node, "pads")?.some((p) => p > 0) ?? false;
      return axis === 1 && whole && !padded ? meanOver(g, x, axis, amount, shape.slice(2)) : null;
    }
    default:
      return null;
  }
}

function meanOver(
  g: GraphBuilder,
  x: Value,
  axis: number,
  amount: Value,
  extents: readonly (number | string)[],
): OneHot | null {
  let count = 1;
  for (const d of extents) {
    if (typeof d !== "number") return null;
    count *= d;
  }
  return { at: x, axis, amount: g.scale(amount, 1 / count) };
}

/** v at each image's class: [N, C, ..] to [N, 1, ..]. */
function atClass(g: GraphBuilder, v: Value, index: Value): Value {
  if (shapeOf(v)[0] === 1) return g.gather(v, index, 1);
  const pairs = g.node("Unsqueeze", [index, g.int64([1])]);
  return g.node("Unsqueeze", [g.node("GatherND", [v, pairs], { batch_dims: int(1) }), g.int64([1])]);
}

/** The dense gradient of the input of a classifier's last product: its weights' row of the class. */
function classRow(
  g: GraphBuilder,
  node: Node,
  x: Value,
  w: Value,
  { axis, amount }: OneHot,
  index: Value,
): Value | null {
  if (axis !== 1) return null;
  switch (node.op) {
    case "Gemm": {
      if (getInt(node, "transA", 0) === 1) return null;
      const row = getInt(node, "transB", 0) === 1 ? g.gather(w, index, 0) : g.transpose(g.gather(w, index, 1), [1, 0]);
      return g.mul(row, g.scale(amount, getFloat(node, "alpha", 1)));
    }
    case "MatMul":
      return rankOf(x) === 2 && rankOf(w) === 2 ? g.mul(g.transpose(g.gather(w, index, 1), [1, 0]), amount) : null;
    case "Conv": {
      const pointwise =
        shapeOf(w)
          .slice(2)
          .every((d) => d === 1) && getInt(node, "group", 1) === 1;
      const plain = [...(getInts(node, "strides") ?? []).map((s) => s - 1), ...(getInts(node, "pads") ?? [])].every(
        (n) => n === 0,
      );
      return pointwise && plain ? g.mul(g.gather(w, index, 0), amount) : null;
    }
    default:
      return null;
  }
}

const dense = (g: GraphBuilder, { at, axis, amount }: OneHot, index: Value): Value =>
  g.mul(oneHot(g, at, axis, index), amount);

/**
 * 1 at each image's class, 0 elsewhere: of `like`'s type, its classes on `axis` (0: a bare [C]) and 1 on all other axes
 * but the batch.
 */
export function oneHot(g: GraphBuilder, like: Value, axis: number, index: Value): Value {
  const classes = g.gather(g.shapeOf(like), g.int64([axis]), 0);
  const ends = g.constant(constantOf(dtypeOf(like), [2], [0, 1]));
  const hot = g.node("OneHot", [index, classes, ends], { axis: int(1) }); // [N, C]
  return g.reshape(hot, axis === 0 ? [-1] : shapeOf(like).map((_, i) => (i === 0 ? 0 : i === axis ? -1 : 1)));
}
