/** @file Graphs as text, one line a node, the same for the same graph: for goldens and error messages. Never parsed. */
import { bigints, numbers, volume } from "./constant.ts";
import type { Attribute, Constant, Graph, Node, TensorType, Value } from "./ir.ts";

/** Constants of at most so many elements are shown by value: axes, shapes, scalars. */
const literalMax = 8;
/** Attributes of more entries than this are cut off. */
const entriesMax = 16;

/** `%conv float32[1,3,2,2] = Conv(%x, %w) {strides=[2,2]}`, between lines for the graph's inputs and its outputs. */
export function print(graph: Graph): string {
  return [
    ...graph.inputs.map((v) => `input ${typed(v)}`),
    ...graph.nodes.map(printNode),
    ...graph.outputs.map((v) => `output ${typed(v)}`),
  ].join("\n");
}

/** One line: what the node makes, from what, how. */
export function printNode(node: Node): string {
  const outputs = node.outputs.map((v) => (v === null ? "_" : typed(v))).join(", ");
  const inputs = node.inputs.map((v) => (v === null ? "_" : reference(v))).join(", ");
  const captured = node.captured?.length ? ` reading ${node.captured.map(reference).join(", ")}` : "";
  const attributes = [...node.attributes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${printed(v)}`);
  const operator = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
  const braces = attributes.length > 0 ? ` {${attributes.join(", ")}}` : "";
  return `${outputs} = ${operator}(${inputs})${braces}${captured}`;
}

const typed = (value: Value): string => `%${value.name} ${printType(value.type)}`;

export const printType = (type: TensorType | undefined): string =>
  type === undefined ? "?" : `${type.dtype}[${type.shape.join(",")}]`;

const reference = ({ name, constant }: Value): string => (constant && literal(constant)) ?? `%${name}`;

/** A small constant by its value: `[1,-1]`, a rank-0 one without the brackets. */
function literal(constant: Constant): string | undefined {
  if (constant.dims.length > 1 || volume(constant.dims) > literalMax) return undefined;
  if (constant.dtype === "string" || constant.dtype === "other") return undefined;
  const isWide = constant.dtype === "int64" || constant.dtype === "uint64";
  const text = isWide ? bigints(constant).join() : Array.from(numbers(constant), shortest).join();
  return constant.dims.length === 0 ? text : `[${text}]`;
}

/** Seven digits tell float32 numbers apart well enough to read. */
const shortest = (value: number): string => (Number.isInteger(value) ? `${value}` : `${Number(value.toPrecision(7))}`);

function printed(attribute: Attribute): string {
  switch (attribute.kind) {
    case "int":
      return `${attribute.value}`;
    case "float":
      return shortest(attribute.value);
    case "string":
      return JSON.stringify(attribute.value);
    case "ints":
      return list(attribute.value.map(String));
    case "floats":
      return list(attribute.value.map(shortest));
    case "strings":
      return list(attribute.value.map((v) => JSON.stringify(v)));
    case "tensor":
      return literal(attribute.value) ?? `${attribute.value.dtype}[${attribute.value.dims.join(",")}]`;
    case "graph":
      return `<${attribute.value.nodes.length} nodes>`;
    case "opaque":
      return `<${attribute.value.length} bytes>`;
    default:
      return attribute satisfies never;
  }
}

const list = (entries: readonly string[]): string =>
  `[${entries.slice(0, entriesMax).join(",")}${entries.length > entriesMax ? ",..." : ""}]`;
