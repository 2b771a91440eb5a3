/**
 * @file Reading inside what the runtime fuses. onnxruntime merges a convolution with the normalisation or residual
 * sum that alone reads it, and the nodes that GELU and LayerNormalization are spelled out in, and rounds less often
 * where it does. One more reader of an inner tensor would undo that and change the model's own outputs in the last
 * bit; so what is added to a model reads such tensors from a copy of the nodes in between.
 */
import type { GraphBuilder } from "../graph/builder.ts";
import type { Graph, Node, Value } from "../graph/ir.ts";
import { consumers, producers } from "../graph/walk.ts";

/** Makes every node that was added to `original` read inner tensors of fusions from copies. */
export function shadowFusions(g: GraphBuilder, original: Graph): void {
  const inner = fusedTensors(original);
  const copies = new Map<Value, Value>();
  const added = g.nodes.splice(original.nodes.length);
  const copy = (v: Value): Value => {
    const known = copies.get(v);
    if (known) return known;
    const maker = inner.get(v);
    // A sum of one term is a copy the runtime does not see through: otherwise it would merge the twins again.
    const made = maker ? again(maker) : v.constant ? v : g.node("Sum", [v]);
    copies.set(v, made);
    return made;
  };
  const again = (node: Node): Value => {
    const inputs = node.inputs.map((x) => x && copy(x));
    const [value] = g.emit({ ...node, inputs }, 1);
    if (!value) throw new TypeError(`${node.op} has an output`);
    return value;
  };
  for (const node of added) {
    const inputs = node.inputs.map((x) => (x && inner.has(x) ? copy(x) : x));
    g.nodes.push({ ...node, inputs });
  }
}

/** The tensors inside fusions, with the node that makes each. */
function fusedTensors(graph: Graph): ReadonlyMap<Value, Node> {
  const reader = new Walker(graph);
  const inner = new Map<Value, Node>();
  for (const node of graph.nodes) {
    const nodes = isMerged(reader, node) ? [node] : spelledOut(reader, node);
    for (const each of nodes) {
      const [y] = each.outputs;
      if (y && !graph.outputs.includes(y)) inner.set(y, each);
    }
  }
  return inner;
}

class Walker {
  readonly #producers: ReadonlyMap<Value, Node>;
  readonly #consumers: ReadonlyMap<Value, readonly Node[]>;
  constructor(graph: Graph) {
    this.#producers = producers(graph);
    this.#consumers = consumers(graph);
  }
  maker(v: Value): Node | undefined {
    return this.#producers.get(v);
  }
  /** The one node that reads a tensor; undefined where none or several do. */
  onlyReader(v: Value | null | undefined): Node | undefined {
    const [first, ...others] = (v && this.#consumers.get(v)) ?? [];
    return others.length === 0 ? first : undefined;
  }
}

/** What the runtime merges into the operator before it, and which operators those are. */
const merging: ReadonlySet<string> = new Set(["BatchNormalization", "Add", "Sub", "Mul", "Div"]);
const merged: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "BatchNormalization", "MatMul", "Gemm"]);

const isMerged = (walker: Walker, node: Node): boolean =>
  merged.has(node.op) && merging.has(walker.onlyReader(node.outputs[0])?.op ?? "");

/**
 * Functions exporters spell out, by the operator at their heart: what may stand before it, back to the one tensor they
 * are a function of. GELU ends at the first tensor that what follows reads too; the normalisation at the last.
 */
const hearts: Readonly<Record<string, { readonly before: ReadonlySet<string>; readonly farthest: boolean }>> = {
  Erf: { before: new Set(["Div", "Mul"]), farthest: false },
  Tanh: { before: new Set(["Mul", "Add", "Pow"]), farthest: false },
  Sqrt: { before: new Set(["Add", "ReduceMean", "Pow", "Mul", "Sub"]), farthest: true },
};
const after: ReadonlySet<string> = new Set(["Add", "Mul", "Div"]);
/** More nodes than the longest spelling has (tanh GELU: 8). */
const spellingMax = 10;

/** The nodes of a spelled-out function around `heart` whose outputs are inside it: all but the last. */
function spelledOut(walker: Walker, heart: Node): readonly Node[] {
  const pattern = heart.domain === "" ? hearts[heart.op] : undefined;
  const [start] = heart.inputs;
  if (!pattern || !start) return [];
  const before: Node[] = [];
  const frontier = new Set([start]);
  let found: readonly Node[] = [];
  while (before.length < spellingMax) {
    if (frontier.size === 1) {
      const chain = following(walker, heart, new Set([...frontier, ...before.flatMap((n) => n.outputs)]));
      if (chain.length > 0) found = [...before, heart, ...chain.slice(0, -1)];
      if (found.length > 0 && !pattern.farthest) break;
    }
    // Back over the frontier's tensor that is not needed to make another of it.
    const next = [...frontier].find((v) => !feedsAnother(walker, v, frontier) && allows(walker, v, pattern.before));
    const node = next && walker.maker(next);
    if (!next || !node) break;
    before.push(node);
    frontier.delete(next);
    for (const x of node.inputs) if (x && !x.constant) frontier.add(x);
  }
  return found;
}

const allows = (walker: Walker, v: Value, ops: ReadonlySet<string>): boolean => {
  const node = walker.maker(v);
  return node !== undefined && node.domain === "" && ops.has(node.op);
};

const feedsAnother = (walker: Walker, v: Value, frontier: ReadonlySet<Value>): boolean =>
  [...frontier].some((other) => other !== v && reaches(walker, other, v, spellingMax));

const reaches = (walker: Walker, from: Value, to: Value, steps: number): boolean =>
  steps > 0 &&
  (walker.maker(from)?.inputs ?? []).some((x) => x !== null && (x === to || reaches(walker, x, to, steps - 1)));

/**
 * What follows the heart: sums and products with constants, tensors of the function (one of these at least), or a
 * constant times one (0.5 x), whose node comes along.
 */
function following(walker: Walker, heart: Node, own: ReadonlySet<Value | null>): readonly Node[] {
  const chain: Node[] = [];
  const aside: Node[] = [];
  let usesOwn = false;
  for (let node = walker.onlyReader(heart.outputs[0]); node && after.has(node.op); ) {
    const previous = (chain.at(-1) ?? heart).outputs[0];
    const others = node.inputs.filter((x) => x !== previous && x !== null && !x.constant && !own.has(x));
    const multiples = others.flatMap((x) => scaledOwn(walker, x, own));
    if (multiples.length < others.length) break;
    usesOwn ||= multiples.length > 0 || node.inputs.some((x) => own.has(x));
    aside.push(...multiples);
    chain.push(node);
    node = walker.onlyReader(node.outputs[0]);
  }
  return usesOwn ? [...aside, ...chain] : [];
}

/** The node that makes x by multiplying one of the function's own tensors by a constant, if one does. */
function scaledOwn(walker: Walker, x: Value | null, own: ReadonlySet<Value | null>): readonly Node[] {
  const node = x ? walker.maker(x) : undefined;
  const isMultiple = node?.op === "Mul" && node.inputs.every((v) => own.has(v) || v?.constant !== undefined);
  return node && isMultiple ? [node] : [];
}
