/** @file Graph to bytes. The same graph gives the same bytes. */
import type { Constant, Graph, Node, Value } from "../graph/ir.ts";
import { protoOfAttribute } from "./attribute.ts";
import { encode } from "./encode.ts";
import {
  type AttributeProto,
  attributeTypes,
  graphProto,
  type ModelProto,
  modelProto,
  type NodeProto,
  type TensorProto,
} from "./schema.ts";
import { externalTensor, tensorOfConstant } from "./tensor.ts";
import { valueInfoOf } from "./value-info.ts";

export interface ExportOptions {
  /**
   * Files whose bytes the runtime will be given beside the model. A constant that is a view on one of them is written
   * as a reference to it instead of its bytes.
   */
  readonly externalWeights?: readonly { readonly location: string; readonly bytes: Uint8Array }[];
  readonly producer?: { readonly name: string; readonly version: string };
}

/**
 * The oldest IR version that an opset may be used with. Runtimes refuse files of an IR newer than they know, so the
 * oldest serves most.
 */
const irVersions: Readonly<Record<number, number>> = { 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12 };
const irVersionNewest = 12;

/**
 * Constants up to this size always stand in the file itself: shapes and axes must (the runtime reads them when it
 * infers shapes, before external data is loaded), and a reference takes a hundred bytes too.
 */
const inlineBytesMax = 1024;

/** The graph as an ONNX file. Constants nothing reads are left out. */
export function exportModel(graph: Graph, options: ExportOptions = {}): Uint8Array<ArrayBuffer> {
  const model: ModelProto = {
    ir_version: BigInt(irVersions[graph.opset] ?? irVersionNewest),
    producer_name: options.producer?.name ?? "backlight",
    producer_version: options.producer?.version,
    graph: {
      node: graph.nodes.map(nodeProtoOf),
      name: graph.name === "" ? "graph" : graph.name, // ONNX requires one
      initializer: constantsOf(graph).map(([name, constant]) => tensorFor(name, constant, options)),
      input: graph.inputs.map(valueInfoOf),
      output: graph.outputs.map(valueInfoOf),
    },
    opset_import: [
      { domain: "", version: BigInt(graph.opset) },
      ...[...graph.otherOpsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    ],
    metadata_props: [...graph.metadata].map(([key, value]) => ({ key, value })),
    functions: [...graph.functions],
  };
  return encode(modelProto, model);
}

/** The constants that nodes or outputs read, in the order they are met. */
function constantsOf(graph: Graph): readonly (readonly [string, Constant])[] {
  const found = new Map<Value, Constant>();
  const visit = (value: Value | null): void => {
    if (value?.constant !== undefined) found.set(value, value.constant);
  };
  for (const node of graph.nodes) {
    node.inputs.forEach(visit);
    node.captured?.forEach(visit);
  }
  graph.outputs.forEach(visit);
  return [...found].map(([value, constant]) => [value.name, constant]);
}

function tensorFor(name: string, constant: Constant, options: ExportOptions): TensorProto {
  const { bytes } = constant;
  if (bytes.length > inlineBytesMax && constant.dtype !== "string" && constant.dtype !== "other") {
    for (const file of options.externalWeights ?? []) {
      const offset = bytes.byteOffset - file.bytes.byteOffset;
      const inside = offset >= 0 && offset + bytes.length <= file.bytes.length;
      if (bytes.buffer === file.bytes.buffer && inside) return externalTensor(constant, name, file.location, offset);
    }
  }
  return tensorOfConstant(constant, name);
}

/** The body of control flow. Its constants stand outside: the node captures them. */
const bodyOf = (name: string, graph: Graph): AttributeProto => ({
  name,
  type: attributeTypes.graph,
  g: encode(graphProto, {
    node: graph.nodes.map(nodeProtoOf),
    name: graph.name,
    input: graph.inputs.map(valueInfoOf),
    output: graph.outputs.map(valueInfoOf),
  }),
});

function nodeProtoOf(node: Node): NodeProto {
  const nameOf = (value: Value | null): string => value?.name ?? "";
  return {
    input: node.inputs.map(nameOf),
    output: node.outputs.map(nameOf),
    name: node.name === "" ? undefined : node.name,
    op_type: node.op,
    attribute: [...node.attributes].map(([name, attribute]) =>
      attribute.kind === "graph" ? bodyOf(name, attribute.value) : protoOfAttribute(name, attribute),
    ),
    domain: node.domain === "" ? undefined : node.domain,
  };
}
