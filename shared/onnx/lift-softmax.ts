/** @file Softmax, LogSoftmax and Hardmax before opset 13: over all axes from `axis` on, flattened. */
import { getInt, int } from "../graph/attributes.ts";
import { dataTypeCode } from "../graph/constant.ts";
import type { Attribute, DType, Node, Value } from "../graph/ir.ts";
import type { Call, Lifting } from "./lift-call.ts";

/**
 * The plain operator where it means the same; else flatten, the operator over the last axis, and the shape restored.
 * In half precision between casts: onnxruntime runs the old operator in float32, but has a float16 kernel with other
 * rounding for the new one.
 */
export function liftSoftmax(node: Node, lifting: Lifting): Call {
  const [x] = node.inputs;
  if (x == null) return node;
  const half = node.op !== "Hardmax" && lifting.floatTypeOf(x) === "float16";
  const call = inOneType(half ? { ...node, inputs: [cast(lifting, x, "float32")] } : node, x, lifting);
  return half ? castCall(lifting.node(call, "float32"), "float16") : call;
}

function inOneType(node: Call, original: Value, lifting: Lifting): Call {
  const [x = original] = node.inputs;
  const axis = axisOf(node);
  if (isOneAxis(original, axis)) return { ...node, attributes: withAxis(node, axis) };
  const flat = lifting.node({ op: "Flatten", inputs: [x], attributes: new Map([["axis", int(axis)]]) }, "flat");
  const y = lifting.node({ op: node.op, inputs: [flat], attributes: withAxis(node, -1) }, "rows");
  // Not a constant: the same file may be prepared for another input size.
  const shape = lifting.node({ op: "Shape", inputs: [original], attributes: new Map() }, "shape");
  return { op: "Reshape", inputs: [y, shape], attributes: new Map() };
}

const axisOf = (call: Call): number => getInt({ ...call, domain: "", name: "", outputs: [] }, "axis", 1);

const withAxis = ({ attributes }: Call, axis: number): ReadonlyMap<string, Attribute> =>
  new Map([...attributes, ["axis", int(axis)] as const]);

const castCall = (x: Value, to: DType): Call => ({
  op: "Cast",
  inputs: [x],
  attributes: new Map([["to", int(dataTypeCode(to))]]),
});

const cast = (lifting: Lifting, x: Value, to: DType): Value => lifting.node(castCall(x, to), to);

/** Whether all axes behind `axis` have extent 1, so that flattening changes nothing. */
function isOneAxis({ type }: Value, axis: number): boolean {
  if (axis === -1) return true;
  if (type === undefined) return false;
  const rank = type.shape.length;
  const from = axis < 0 ? axis + rank : axis;
  return from < rank && type.shape.slice(from + 1).every((d) => d === 1);
}
