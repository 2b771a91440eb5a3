/** @file GraphProto to graph: names become values, and every way the names can be wrong is told apart. */
import { AppError } from "../errors.ts";
import { constantOf, int64s } from "../graph/constant.ts";
import type { Attribute, Constant, Graph, Node, Value } from "../graph/ir.ts";
import { suggest } from "../nearest.ts";
import { attributeOfProto } from "./attribute.ts";
import { encode } from "./encode.ts";
import type { ExternalFiles } from "./external.ts";
import { inTopologicalOrder } from "./order.ts";
import { type GraphProto, type ModelProto, type NodeProto, tensorProto } from "./schema.ts";
import { capturedNames } from "./subgraph.ts";
import { constantOfTensor } from "./tensor.ts";
import { typeOfInput } from "./value-info.ts";

/** The graph in the opset it is written in. Throws AppError as `importModel` says. */
export function buildGraph(
  model: ModelProto,
  opset: number,
  opsets: ReadonlyMap<string, number>,
  files: ExternalFiles,
): Graph {
  const proto = model.graph ?? {};
  if ((proto.sparse_initializer ?? []).length > 0) {
    throw new AppError("model-unsupported", "the model has sparse initializers: save it with dense ones");
  }
  const values = new Map<string, Value>();
  addInitializers(proto, values, files);
  const inputs = addInputs(proto, values);

  const drafts = (proto.node ?? []).map((node, i): Draft => draftOf(node, i, files));
  for (const draft of drafts) addOutputs(draft, values);
  const nodes = drafts.flatMap((draft) => (draft.constant === undefined ? [nodeOf(draft, values)] : []));
  const outputs = (proto.output ?? []).map(({ name = "" }) => {
    const value = values.get(name);
    if (value === undefined) {
      throw new AppError(
        "model-malformed",
        `the model's output "${name}" is computed by no node${suggest(name, values.keys())}`,
        { tensor: name },
      );
    }
    return value;
  });
  if (outputs.length === 0) throw new AppError("model-malformed", "the model has no outputs: there is nothing to run");

  return {
    name: proto.name ?? "",
    inputs,
    outputs,
    nodes: inTopologicalOrder(nodes),
    opset,
    otherOpsets: new Map([...opsets].filter(([domain]) => domain !== "")),
    metadata: new Map((model.metadata_props ?? []).map((p) => [p.key ?? "", p.value ?? ""])),
    functions: model.functions ?? [],
  };
}

function addInitializers(proto: GraphProto, values: Map<string, Value>, files: ExternalFiles): void {
  for (const tensor of proto.initializer ?? []) {
    const name = tensor.name ?? "";
    if (name === "") throw new AppError("model-malformed", "an initializer has no name");
    const constant = constantOfTensor(tensor, `initializer "${name}"`, files);
    add(values, constantValue(name, constant), "an initializer");
  }
}

/** Inputs a caller must feed. IR 3 lists initializers among the inputs, later ones may (as defaults): those are not. */
function addInputs(proto: GraphProto, values: Map<string, Value>): readonly Value[] {
  const all = proto.input ?? [];
  const fed = all.filter(({ name = "" }) => values.get(name)?.constant === undefined);
  const symbols = new Set(
    all.flatMap((i) => i.type?.tensor_type?.shape?.dim ?? []).flatMap((d) => d.dim_param?.trim() ?? []),
  );
  const fresh = (hint: string): string => {
    let symbol = hint;
    for (let serial = 1; symbols.has(symbol); serial++) symbol = `${hint}_${serial}`;
    symbols.add(symbol);
    return symbol;
  };
  return fed.map((info): Value => {
    const name = info.name ?? "";
    if (name === "") throw new AppError("model-malformed", "an input of the model has no name");
    return add(values, { name, type: typeOfInput(info, fresh) }, "an input");
  });
}

/** A node whose names are not yet looked up. */
interface Draft {
  readonly proto: NodeProto;
  /** How messages call it. */
  readonly label: string;
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** For a Constant node: what it holds. */
  readonly constant: Constant | undefined;
}

function draftOf(proto: NodeProto, index: number, files: ExternalFiles): Draft {
  const op = proto.op_type ?? "";
  const label = `node ${index}${op === "" ? "" : ` (${op}${proto.name ? ` "${proto.name}"` : ""})`}`;
  if (op === "") throw new AppError("model-malformed", `${label} has no operator`);
  if ((proto.overload ?? "") !== "") {
    throw new AppError("model-unsupported", `${label} calls an overload of a function: inline the functions`);
  }
  const attributes = new Map<string, Attribute>();
  for (const attribute of proto.attribute ?? []) {
    const name = attribute.name ?? "";
    if (attributes.has(name)) throw new AppError("model-malformed", `${label} has the attribute "${name}" twice`);
    attributes.set(name, attributeOfProto(attribute, `attribute "${name}" of ${label}`, files));
  }
  const isConstant = op === "Constant" && isStandard(proto) && (proto.output ?? []).length === 1;
  return { proto, label, attributes, constant: isConstant ? constantOfNode(attributes) : undefined };
}

const isStandard = (proto: NodeProto): boolean => domainOf(proto) === "";
const domainOf = ({ domain = "" }: NodeProto): string => (domain === "ai.onnx" ? "" : domain);

/** What a Constant node holds, in any of the ways ONNX has; undefined for a sparse one, which stays a node. */
function constantOfNode(attributes: ReadonlyMap<string, Attribute>): Constant | undefined {
  const [entry] = attributes;
  if (entry === undefined || attributes.size !== 1) return undefined;
  const [, attribute] = entry;
  switch (attribute.kind) {
    case "tensor":
      return attribute.value;
    case "float":
      return constantOf("float32", [], [attribute.value]);
    case "floats":
      return constantOf("float32", [attribute.value.length], attribute.value);
    case "int":
      return int64s([], [attribute.value]);
    case "ints":
      return int64s([attribute.value.length], attribute.value);
    case "string":
      return stringConstant([], [attribute.value]);
    case "strings":
      return stringConstant([attribute.value.length], attribute.value);
    case "graph":
    case "opaque":
      return undefined;
    default:
      return attribute satisfies never;
  }
}

/** TensorProto.DataType.STRING. */
const stringType = 8n;

/** String tensors are kept as the TensorProto they are in a file. */
function stringConstant(dims: readonly number[], texts: readonly string[]): Constant {
  const utf8 = new TextEncoder();
  const tensor = { dims: dims.map(BigInt), data_type: stringType, string_data: texts.map((t) => utf8.encode(t)) };
  return { dtype: "string", dims, bytes: encode(tensorProto, tensor) };
}

function addOutputs({ proto, label, constant }: Draft, values: Map<string, Value>): void {
  for (const name of proto.output ?? []) {
    if (name === "") continue;
    add(values, constant === undefined ? { name, type: undefined } : constantValue(name, constant), label);
  }
}

const constantValue = (name: string, constant: Constant): Value => ({
  name,
  type: { dtype: constant.dtype, shape: constant.dims },
  constant,
});

/** Every name is given once: ONNX is in static single assignment form. */
function add(values: Map<string, Value>, value: Value, by: string): Value {
  if (values.has(value.name)) {
    throw new AppError(
      "model-malformed",
      `the tensor "${value.name}" is defined twice, the second time by ${by}: names must be unique`,
      { tensor: value.name },
    );
  }
  values.set(value.name, value);
  return value;
}

function nodeOf({ proto, label, attributes }: Draft, values: ReadonlyMap<string, Value>): Node {
  const read = (name: string, how: string): Value => {
    const value = values.get(name);
    if (value !== undefined) return value;
    throw new AppError(
      "model-malformed",
      `${label} reads "${name}"${how}, which nothing defines${suggest(name, values.keys())}`,
      { tensor: name },
    );
  };
  const captured = [...capturedNames(proto)].map((name) => read(name, " in a subgraph"));
  return {
    op: proto.op_type ?? "",
    domain: domainOf(proto),
    name: proto.name ?? "",
    inputs: (proto.input ?? []).map((name) => (name === "" ? null : read(name, ""))),
    outputs: (proto.output ?? []).map((name) => (name === "" ? null : (values.get(name) ?? null))),
    attributes,
    ...(captured.length > 0 && { captured }),
  };
}
