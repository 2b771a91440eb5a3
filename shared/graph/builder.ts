/**
 * @file Adds nodes to a graph. Only the builder makes nodes, so three things hold by construction: every value's type
 *   is inferred at once, names are unique, and nodes are in topological order.
 */
import { AppError } from "../errors.ts";
import { int, ints, string } from "./attributes.ts";
import { constantOf, dataTypeCode, int64s } from "./constant.ts";
import { infer } from "./infer.ts";
import type { Attribute, Constant, Dim, DType, Graph, Node, Shape, TensorType, Value } from "./ir.ts";

/** The version of ai.onnx that graphs are lifted to before anything is added to them, and the newest we know. */
export const opsetMin = 18;
export const opsetMax = 24;

export type AttributeInput = Readonly<Record<string, Attribute | undefined>>;

/** A graph with nothing in it. Opset 21: the first whose GroupNormalization scales channels, not groups. */
export const emptyGraph = (opset = 21): Graph => ({
  name: "graph",
  inputs: [],
  outputs: [],
  nodes: [],
  opset,
  otherOpsets: new Map(),
  metadata: new Map(),
  functions: [],
});

export class GraphBuilder {
  readonly base: Graph;
  readonly nodes: Node[];
  readonly #names: Set<string>;
  readonly #prefix: string;
  readonly #inputs: Value[];
  readonly #scalars = new Map<string, Value>();
  #serial = 0;

  /** Starts with the nodes of `base`; every name it makes begins with `prefix`. */
  constructor(base: Graph, prefix = "backlight/") {
    this.base = base;
    this.nodes = [...base.nodes];
    this.#inputs = [...base.inputs];
    this.#prefix = prefix;
    this.#names = new Set(base.inputs.map((v) => v.name));
    for (const node of base.nodes) {
      for (const value of [...node.inputs, ...node.outputs]) if (value !== null) this.#names.add(value.name);
      if (node.name !== "") this.#names.add(node.name);
    }
  }

  /** A new graph input. The name is used as it is and must be free. */
  input(name: string, type: TensorType): Value {
    const value = { name: this.#take(name), type };
    this.#inputs.push(value);
    return value;
  }

  constant(constant: Constant, hint = "const"): Value {
    return { name: this.#unique(hint), type: { dtype: constant.dtype, shape: constant.dims }, constant };
  }

  /** A rank-0 constant, shared by all who ask for the same number. */
  scalar(value: number, dtype: DType = "float32"): Value {
    return this.#shared(`${dtype}:${Object.is(value, -0) ? "-0" : value}`, () =>
      this.constant(constantOf(dtype, [], [value]), "scalar"),
    );
  }

  /** A 1-D int64 constant, shared likewise: axes, shapes, pads. */
  int64(values: readonly (number | bigint)[]): Value {
    return this.#shared(`int64[${values.join()}]`, () => this.constant(int64s([values.length], values), "int64"));
  }

  /** One ai.onnx node with one output. */
  node(op: string, inputs: readonly (Value | null)[], attributes: AttributeInput = {}): Value {
    const [output] = this.multi(op, inputs, attributes, 1);
    if (output === undefined) throw new TypeError("a node has an output");
    return output;
  }

  /** One ai.onnx node with `count` outputs. */
  multi(op: string, inputs: readonly (Value | null)[], attributes: AttributeInput, count: number): readonly Value[] {
    const present = Object.entries(attributes).flatMap(([k, v]) => (v === undefined ? [] : [[k, v] as const]));
    return this.emit({ op, domain: "", name: "", inputs, attributes: new Map(present) }, count);
  }

  /** Any node, its outputs named anew. */
  emit(call: Omit<Node, "outputs">, count: number): readonly Value[] {
    const name = this.#unique(call.op);
    const outputs = infer(call, count).map((found, i) => ({ name: i === 0 ? name : this.#unique(call.op), ...found }));
    this.nodes.push({ ...call, name, outputs });
    return outputs;
  }

  /**
   * Asks an existing node for one more of its optional outputs (MaxPool's indices) and returns it. The node's other
   * outputs stay the same values.
   */
  output(of: Value, index: number): Value {
    const node = this.producer(of);
    if (node === undefined) throw new TypeError(`"${of.name}" has no producer`);
    const existing = node.outputs[index];
    if (existing) return existing;
    const found = infer(node, index + 1)[index];
    const value: Value = { name: this.#unique(`${node.op}.${index}`), type: found?.type };
    const outputs = Array.from({ length: Math.max(index + 1, node.outputs.length) }, (_, i) =>
      i === index ? value : (node.outputs[i] ?? null),
    );
    this.nodes[this.nodes.indexOf(node)] = { ...node, outputs };
    return value;
  }

  /** The node that computes a value; the newest are looked at first. */
  producer(value: Value): Node | undefined {
    return this.nodes.findLast((node) => node.outputs.includes(value));
  }

  /**
   * States the shape of the value made last, where the graph guarantees what inference cannot see (a crop to extents
   * known only at run time).
   */
  declare(value: Value, shape: Shape): Value {
    const last = this.nodes.pop();
    if (last === undefined || last.outputs[0] !== value)
      throw new TypeError(`"${value.name}" is not the value made last`);
    const declared: Value = { ...value, type: { dtype: dtypeOf(last.inputs[0] ?? value), shape } };
    this.nodes.push({ ...last, outputs: [declared, ...last.outputs.slice(1)] });
    return declared;
  }

  /** The same value under a name of the caller's choice, which must be free: how graph outputs get their names. */
  named(value: Value, name: string): Value {
    const output: Value = { ...identityOf(value), name: this.#take(name) };
    this.nodes.push({
      op: "Identity",
      domain: "",
      name: this.#unique("Identity"),
      inputs: [value],
      outputs: [output],
      attributes: new Map(),
    });
    return output;
  }

  /** The graph so far with these outputs, without the nodes none of them needs. Inputs all stay. */
  build(outputs: readonly Value[], metadata: ReadonlyMap<string, string> = this.base.metadata): Graph {
    const needed = new Set<Value>(outputs);
    const kept: Node[] = [];
    for (const node of [...this.nodes].reverse()) {
      if (!node.outputs.some((v) => v !== null && needed.has(v))) continue;
      kept.push(node);
      for (const v of [...node.inputs, ...(node.captured ?? [])]) if (v !== null) needed.add(v);
    }
    return { ...this.base, inputs: this.#inputs, outputs, nodes: kept.reverse(), metadata };
  }

  #shared(key: string, make: () => Value): Value {
    const found = this.#scalars.get(key);
    if (found !== undefined) return found;
    const value = make();
    this.#scalars.set(key, value);
    return value;
  }

  #unique(hint: string): string {
    for (;;) {
      this.#serial += 1;
      const name = `${this.#prefix}${hint}_${this.#serial}`;
      if (!this.#names.has(name)) return this.#take(name);
    }
  }

  #take(name: string): string {
    if (this.#names.has(name)) {
      throw new AppError(
        "spec-invalid",
        `the model already has a tensor named "${name}", which this graph needs for itself`,
        { name },
      );
    }
    this.#names.add(name);
    return name;
  }

  // --- the operators gradients are written in --------------------------------------------------------------------

  add = (a: Value, b: Value): Value => this.node("Add", [a, b]);
  sub = (a: Value, b: Value): Value => this.node("Sub", [a, b]);
  mul = (a: Value, b: Value): Value => this.node("Mul", [a, b]);
  div = (a: Value, b: Value): Value => this.node("Div", [a, b]);
  neg = (x: Value): Value => this.node("Neg", [x]);
  sqrt = (x: Value): Value => this.node("Sqrt", [x]);
  abs = (x: Value): Value => this.node("Abs", [x]);
  sign = (x: Value): Value => this.node("Sign", [x]);
  exp = (x: Value): Value => this.node("Exp", [x]);
  relu = (x: Value): Value => this.node("Relu", [x]);
  where = (when: Value, a: Value, b: Value): Value => this.node("Where", [when, a, b]);
  matmul = (a: Value, b: Value): Value => this.node("MatMul", [a, b]);
  identity = (x: Value): Value => this.node("Identity", [x]);
  reshape = (x: Value, shape: readonly number[]): Value => this.node("Reshape", [x, this.int64(shape)]);
  transpose = (x: Value, perm: readonly number[]): Value => this.node("Transpose", [x], { perm: ints(perm) });
  concat = (xs: readonly Value[], axis: number): Value => this.node("Concat", xs, { axis: int(axis) });
  gather = (x: Value, indices: Value, axis: number): Value => this.node("Gather", [x, indices], { axis: int(axis) });
  cast = (x: Value, dtype: DType): Value =>
    x.type?.dtype === dtype ? x : this.node("Cast", [x], { to: int(dataTypeCode(dtype)) });

  /** A number times a tensor, in the tensor's own type; 1 costs nothing. */
  scale(x: Value, by: number): Value {
    return by === 1 ? x : this.mul(x, this.scalar(by, dtypeOf(x)));
  }

  /** Sum over `axes`, which stay as 1 unless `keepdims` is false. */
  sum = (x: Value, axes: readonly number[], keepdims = true): Value => this.#reduce("ReduceSum", x, axes, keepdims);
  mean = (x: Value, axes: readonly number[], keepdims = true): Value => this.#reduce("ReduceMean", x, axes, keepdims);
  max = (x: Value, axes: readonly number[], keepdims = true): Value => this.#reduce("ReduceMax", x, axes, keepdims);
  min = (x: Value, axes: readonly number[], keepdims = true): Value => this.#reduce("ReduceMin", x, axes, keepdims);

  #reduce(op: string, x: Value, axes: readonly number[], keepdims: boolean): Value {
    return axes.length === 0 ? x : this.node(op, [x, this.int64(axes)], { keepdims: int(keepdims ? 1 : 0) });
  }

  /** x[starts:ends:steps] over `axes`. */
  slice(
    x: Value,
    starts: readonly number[],
    ends: readonly (number | bigint)[],
    axes: readonly number[],
    steps: readonly number[] = axes.map(() => 1),
  ): Value {
    return this.node("Slice", [x, this.int64(starts), this.int64(ends), this.int64(axes), this.int64(steps)]);
  }

  /** Zero padding, `pads` as ONNX has them: all begins, then all ends; negative ones crop. */
  pad(x: Value, pads: readonly number[]): Value {
    return pads.every((p) => p === 0)
      ? x
      : this.node("Pad", [x, this.int64(pads), this.scalar(0, dtypeOf(x))], { mode: string("constant") });
  }

  /** The extents of `x` as an int64 tensor: a constant where they are known, a Shape node where not. */
  shapeOf(x: Value): Value {
    const shape = shapeOf(x);
    return isStatic(shape) ? this.int64(shape) : this.node("Shape", [x]);
  }

  /** Reshapes to a shape that may have symbolic dimensions, which `like` (of that very shape) has at run time. */
  reshapeLike(x: Value, like: Value): Value {
    const shape = shapeOf(like);
    if (sameShape(shapeOf(x), shape)) return x;
    const symbolic = shape.filter((d) => typeof d === "string").length;
    if (symbolic <= 1 && !shape.includes(0))
      return this.reshape(
        x,
        shape.map((d) => (typeof d === "string" ? -1 : d)),
      );
    return this.node("Reshape", [x, this.shapeOf(like)], { allowzero: int(1) });
  }

  /** Broadcasts to the shape of `like`; nothing where it has that shape already. */
  expandLike(x: Value, like: Value): Value {
    return sameShape(shapeOf(x), shapeOf(like)) ? x : this.node("Expand", [x, this.shapeOf(like)]);
  }

  zerosLike(x: Value): Value {
    const type = typeOf(x);
    const zero = constantOf(type.dtype, [1], [0]);
    return this.node("ConstantOfShape", [this.shapeOf(x)], { value: { kind: "tensor", value: zero } });
  }
}

const identityOf = (value: Value): Omit<Value, "name"> => ({
  type: value.type,
  ...(value.elements && { elements: value.elements }),
});

/** The type of a value a gradient passes through: unknown there is an error that names it. */
export function typeOf(value: Value): TensorType {
  if (value.type === undefined) {
    throw new AppError("model-unsupported", `the shape of "${value.name}" is unknown, so no gradient can pass there`, {
      tensor: value.name,
    });
  }
  return value.type;
}
export const shapeOf = (value: Value): Shape => typeOf(value).shape;
export const dtypeOf = (value: Value): DType => typeOf(value).dtype;
export const rankOf = (value: Value): number => shapeOf(value).length;

export const isStatic = (shape: Shape): shape is readonly number[] => shape.every((d) => typeof d === "number");
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** All extents as numbers, or an error that says which is not known and what to do. */
export function staticShape(value: Value): readonly number[] {
  const shape = shapeOf(value);
  if (isStatic(shape)) return shape;
  throw new AppError(
    "model-unsupported",
    `"${value.name}" has shape [${shape.join(", ")}], and its gradient needs fixed extents: give the input size`,
    { tensor: value.name, shape },
  );
}

/** One extent as a number, or the same error. */
export function extent(value: Value, axis: number): number {
  const dim: Dim | undefined = shapeOf(value).at(axis);
  return typeof dim === "number" ? dim : (staticShape(value).at(axis) ?? 0);
}
