/** @file The sweep: reverse mode over a graph. Knows broadcasting and accumulation, and no operator. */
import { type GraphBuilder, rankOf, shapeOf } from "../graph/builder.ts";
import { floatTypes, type Node, type Shape, type Value } from "../graph/ir.ts";
import { rules } from "./rules.ts";
import { cannotDifferentiate, type Entry, type RuleTable, type Site } from "./vjp.ts";

/**
 * Appends to `g` the gradients of sum_y <seed(y), y> with respect to each of `wanted`.
 *
 * @param seeds the cotangent of each output, of the output's shape
 * @param frozen values taken as constants: no gradient passes them, whatever they were computed from
 * @returns one value per `wanted`, of its shape and type; zeros where no path leads
 * @throws AppError `model-unsupported` where a gradient must pass an operator without a rule
 */
export function backward(
  g: GraphBuilder,
  seeds: ReadonlyMap<Value, Value>,
  wanted: readonly Value[],
  table: RuleTable = rules,
  frozen: ReadonlySet<Value> = new Set(),
): readonly Value[] {
  const active = dependents(g.nodes, wanted, table, frozen);
  const gradients = new Map<Value, Value>(seeds);
  const asked = new Set(wanted);
  for (const node of [...g.nodes].reverse()) {
    // a copy: the rules append as we go
    for (const y of node.outputs) {
      // Dense where it is asked for, so that what lies below is computed from the very value that is returned.
      const dy = y !== null && asked.has(y) ? gradients.get(y) : undefined;
      if (y && dy) gradients.set(y, g.expandLike(dy, y));
    }
    const arrived = node.outputs.some((y) => y !== null && active.has(y) && gradients.has(y));
    if (!arrived || !node.inputs.some((x) => x !== null && active.has(x))) continue;
    for (const [input, d] of pull(g, node, gradients, active, table)) {
      const sofar = gradients.get(input);
      gradients.set(input, sofar === undefined ? d : g.add(sofar, d));
    }
  }
  return wanted.map((v) => {
    const gradient = gradients.get(v);
    return gradient === undefined ? g.zerosLike(v) : g.expandLike(gradient, v);
  });
}

function* pull(
  g: GraphBuilder,
  node: Node,
  gradients: ReadonlyMap<Value, Value>,
  active: ReadonlySet<Value>,
  table: RuleTable,
): Generator<readonly [Value, Value]> {
  const entry = entryOf(node, table);
  if (entry === undefined) throw cannotDifferentiate(node, `no gradient rule is known for ${operatorName(node)}`);
  if (entry.kind === "refused") throw cannotDifferentiate(node, entry.why);
  if (entry.kind === "flat") return;
  const pullbacks = entry.pull(siteOf(g, node, gradients, entry.lazy));
  for (const [i, input] of node.inputs.entries()) {
    const pullback = pullbacks[i];
    if (input === null || !pullback || !active.has(input)) continue;
    const d = pullback();
    yield [input, unbroadcast(g, d, shapeOf(input), entry.pointwise ? (node.outputs[0] ?? d) : d)];
  }
}

const operatorName = (node: Node): string => (node.domain === "" ? node.op : `${node.domain}.${node.op}`);
const entryOf = (node: Node, table: RuleTable): Entry | undefined =>
  Object.hasOwn(table, operatorName(node)) ? table[operatorName(node)] : undefined;

function siteOf(g: GraphBuilder, node: Node, gradients: ReadonlyMap<Value, Value>, lazy: boolean): Site {
  const at = (values: readonly (Value | null)[], i: number, what: string): Value => {
    const value = values[i];
    if (!value) throw cannotDifferentiate(node, `its ${what} ${i} is missing`);
    return value;
  };
  const dyAt = (i: number): Value => {
    const y = at(node.outputs, i, "output");
    const dy = gradients.get(y);
    if (dy === undefined) return g.zerosLike(y);
    return lazy ? dy : g.expandLike(dy, y);
  };
  return {
    g,
    node,
    x: (i) => at(node.inputs, i, "input"),
    optional: (i) => node.inputs[i] ?? null,
    y: (i = 0) => at(node.outputs, i, "output"),
    get dy() {
      return dyAt(0);
    },
    dyAt,
  };
}

/** The values a gradient with respect to `wanted` can pass: those computed from them, in floating point, by rules. */
function dependents(
  nodes: readonly Node[],
  wanted: readonly Value[],
  table: RuleTable,
  frozen: ReadonlySet<Value>,
): ReadonlySet<Value> {
  const active = new Set<Value>(wanted);
  for (const node of nodes) {
    if (![...node.inputs, ...(node.captured ?? [])].some((x) => x !== null && active.has(x))) continue;
    if (entryOf(node, table)?.kind === "flat") continue;
    for (const y of node.outputs) if (y !== null && isDifferentiable(y) && !frozen.has(y)) active.add(y);
  }
  return active;
}

/**
 * Whether gradients flow through a value at all. A value of unknown type may be one: the error comes if one must pass.
 */
export const isDifferentiable = (v: Value): boolean => v.type === undefined || floatTypes.has(v.type.dtype);

/**
 * Sums `d` over what was broadcast, so that it fits `target`. `wide` has the shape that was broadcast to; where `d` has
 * 1 and `wide` has n (a lazy gradient), the n equal terms are one product.
 */
function unbroadcast(g: GraphBuilder, d: Value, target: Shape, wide: Value): Value {
  const shape = shapeOf(d);
  const full = shapeOf(wide);
  const extra = full.length - target.length;
  const reduced = full.flatMap((dim, i) => (i < extra || (target[i - extra] === 1 && dim !== 1) ? [i] : []));
  if (reduced.length === 0) return d;
  const rank = rankOf(d);
  const summed = reduced.filter((i) => shape[i + rank - full.length] !== 1);
  let count = 1;
  for (const i of reduced.filter((axis) => !summed.includes(axis))) {
    const n = full[i];
    if (typeof n !== "number") return unbroadcast(g, g.expandLike(d, wide), target, wide);
    count *= n;
  }
  const total = g.scale(g.sum(d, summed), count);
  return extra > 0 ? squeezeLeading(g, total, extra) : total;
}

function squeezeLeading(g: GraphBuilder, x: Value, count: number): Value {
  return g.node("Squeeze", [x, g.int64(Array.from({ length: count }, (_, i) => i))]);
}
