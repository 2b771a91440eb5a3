/**
 * @file Lifts a graph of an older opset to 18, so that every rule after it sees one dialect (18 to 24). The lifted
 * graph computes bit for bit what the original does in the same runtime. The rules are in lift-rules.ts.
 */
import { AppError } from "../errors.ts";
import { describe } from "../graph/attributes.ts";
import { opsetMin } from "../graph/builder.ts";
import { constantOf, int64s } from "../graph/constant.ts";
import { infer } from "../graph/infer.ts";
import {
  type Constant,
  type DType,
  floatTypes,
  type Graph,
  type Node,
  type TensorType,
  type Value,
} from "../graph/ir.ts";
import { decode } from "./decode.ts";
import type { Call, Lifting } from "./lift-call.ts";
import { rejected } from "./lift-reject.ts";
import { ruleFor } from "./lift-rules.ts";
import { attributeProto, functionProto, type NodeProto } from "./schema.ts";
import { nodesWithin } from "./subgraph.ts";

/** The first opset there is. */
export const opsetOldest = 1;

/**
 * Where half-precision models are lifted to: what our operators mean is the same in 18 and 19, but in a file of opset
 * 18, and no other, onnxruntime 1.30 leaves out roundings to float16 between nodes (measured on SqueezeNet).
 */
const opsetForFloat16 = 19;

/**
 * The graph in opset 18 (19 in half precision), or itself where it is in 18 or newer. `declared` are types the file
 * claims for tensors whose type cannot be inferred. Throws `model-unsupported` where an old operator has no equal in
 * opset 18, and for what the runtime refuses in any opset.
 */
export function lift(graph: Graph, declared: ReadonlyMap<string, TensorType> = new Map()): Graph {
  for (const node of graph.nodes) rejectUnsupported(node, graph.opset);
  if (graph.opset >= opsetMin) return graph;
  rejectOldSubgraphs(graph);

  const lifting = new Lifter(graph, declared);
  for (const node of graph.nodes) lifting.add(node);
  return {
    ...graph,
    opset: usesFloat16(graph) ? opsetForFloat16 : opsetMin,
    nodes: lifting.nodes,
    outputs: graph.outputs.map((v) => lifting.renewed(v)),
  };
}

function usesFloat16(graph: Graph): boolean {
  const read = graph.nodes.flatMap((n) => n.inputs);
  return [...graph.inputs, ...read].some((v) => v?.type?.dtype === "float16");
}

/** Walks the graph once; values are renewed because their types become known on the way. */
class Lifter implements Lifting {
  readonly opset: number;
  readonly nodes: Node[] = [];
  readonly #declared: ReadonlyMap<string, TensorType>;
  readonly #renewed = new Map<Value, Value>();
  readonly #used: ReadonlySet<Value>;
  readonly #names: Set<string>;
  /** The type of the first floating input. */
  readonly #float: DType;
  /** The original node being lifted. */
  #current: Node | undefined;

  constructor(graph: Graph, declared: ReadonlyMap<string, TensorType>) {
    this.opset = graph.opset;
    this.#declared = declared;
    const read = graph.nodes.flatMap((n) => [...n.inputs, ...(n.captured ?? [])]).filter((v) => v !== null);
    this.#used = new Set([...read, ...graph.outputs]);
    const written = graph.nodes.flatMap((n) => n.outputs).filter((v) => v !== null);
    this.#names = new Set([...graph.inputs, ...graph.outputs, ...read, ...written].map((v) => v.name));
    this.#float = graph.inputs.flatMap((v) => v.type?.dtype ?? []).find((d) => floatTypes.has(d)) ?? "float32";
  }

  add(original: Node): void {
    this.#current = original;
    const node: Node = {
      ...original,
      inputs: original.inputs.map((v) => v && this.renewed(v)),
      ...(original.captured && { captured: original.captured.map((v) => this.renewed(v)) }),
    };
    const call: Call = ruleFor(node, this.opset)?.(node, this) ?? node;
    const outputs = original.outputs.slice(0, call.outputCount ?? original.outputs.length);
    const types = infer({ ...node, ...call }, outputs.length);
    const renewed = outputs.map((old, i) => {
      if (old === null) return null;
      const { type, elements } = types[i] ?? { type: undefined };
      const value: Value = {
        name: old.name,
        type: type ?? this.#declared.get(old.name),
        ...(elements !== undefined && { elements }),
      };
      this.#renewed.set(old, value);
      return value;
    });
    this.nodes.push({
      ...node,
      op: call.op,
      inputs: call.inputs,
      attributes: call.attributes,
      outputs: renewed,
    });
  }

  renewed(value: Value): Value {
    return this.#renewed.get(value) ?? value;
  }

  node(call: Call, hint: string): Value {
    const name = this.#unique(hint);
    const full = { ...call, domain: "", name };
    const output: Value = { name, type: undefined, ...infer(full, 1)[0] };
    this.nodes.push({ ...full, outputs: [output] });
    return output;
  }

  constant(constant: Constant, hint: string): Value {
    const type = { dtype: constant.dtype, shape: constant.dims };
    return { name: this.#unique(hint), type, constant };
  }

  int64s(values: readonly (number | bigint)[], hint: string): Value {
    return this.constant(int64s([values.length], values), hint);
  }

  scalarLike(value: Value | null | undefined, number: number, hint: string): Value {
    const dtype = this.floatTypeOf(value);
    if (!floatTypes.has(dtype)) {
      const where = this.#current === undefined ? "a node" : describe(this.#current);
      throw new AppError(
        "model-malformed",
        `${where}: opset ${this.opset} has it for floating point only, not ${dtype}`,
      );
    }
    return this.constant(constantOf(dtype, [], [number]), hint);
  }

  floatTypeOf(value: Value | null | undefined): DType {
    return value?.type?.dtype ?? this.#float;
  }

  isOutputUsed(index: number): boolean {
    const output = this.#current?.outputs[index];
    return output != null && this.#used.has(output);
  }

  /** Named after what the original node makes, so that a printed graph reads well. */
  #unique(hint: string): string {
    const stem = `${this.#current?.outputs.find((v) => v !== null)?.name ?? "lifted"}/${hint}`;
    let name = stem;
    for (let serial = 2; this.#names.has(name); serial++) name = `${stem}_${serial}`;
    this.#names.add(name);
    return name;
  }
}

function rejectUnsupported(node: Node, opset: number): void {
  const why = rejected(node, opset);
  if (why !== undefined) {
    throw new AppError("model-unsupported", `${describe(node)}: ${why}`, { node: node.name, operator: node.op });
  }
}

/** Subgraphs and functions are kept byte for byte, so what is in them must mean the same in opset 18. */
function rejectOldSubgraphs(graph: Graph): void {
  for (const node of graph.nodes) {
    for (const attribute of node.attributes.values()) {
      if (attribute.kind !== "opaque") continue;
      rejectOld(nodesWithin({ attribute: [decode(attributeProto, attribute.value)] }), graph.opset, describe(node));
    }
  }
  for (const bytes of graph.functions) {
    const proto = decode(functionProto, bytes);
    const version = proto.opset_import?.find((o) => (o.domain ?? "") === "" || o.domain === "ai.onnx")?.version;
    rejectOld(proto.node ?? [], Number(version ?? BigInt(graph.opset)), `function "${proto.name ?? ""}"`);
  }
}

function rejectOld(nodes: readonly NodeProto[], opset: number, where: string): void {
  for (const { op_type = "", domain = "" } of nodes) {
    if (domain !== "" && domain !== "ai.onnx") continue;
    const probe: Node = { op: op_type, domain: "", name: "", inputs: [], outputs: [], attributes: new Map() };
    if (ruleFor(probe, opset) === undefined) continue;
    throw new AppError(
      "model-unsupported",
      `${where} holds a ${op_type} of opset ${opset} in its own graph, which cannot be lifted to opset ${opsetMin}: ` +
        "convert the model with onnx.version_converter or export it anew",
      { operator: op_type },
    );
  }
}
