/** @file Nodes no runtime of ours runs as they stand, or whose old meaning has no equal in opset 18. */
import { getInt } from "../graph/attributes.ts";
import type { Node } from "../graph/ir.ts";

/** Operators that before opset 7 broadcast by attributes instead of NumPy's rule. */
const oldBroadcast: ReadonlySet<string> = new Set([
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Pow",
  "And",
  "Or",
  "Xor",
  "Equal",
  "Greater",
  "Less",
]);

/** Why the node cannot be used, or undefined where it can. */
export function rejected(node: Node, opset: number): string | undefined {
  if (node.domain !== "") return undefined;
  const { op } = node;
  if (op === "LRN" && getInt(node, "size", 0) % 2 === 0) {
    return `size ${getInt(node, "size", 0)} is even, which onnxruntime does not run: use an odd size`;
  }
  if (opset < 7 && oldBroadcast.has(op) && getInt(node, "broadcast", 0) === 1) {
    return (
      `opset ${opset} broadcasts by the attribute "broadcast", which onnxruntime does not run: ` +
      "convert the model to opset 7 or newer with onnx.version_converter"
    );
  }
  if (op === "BatchNormalization" && opset < 9 && getInt(node, "spatial", 1) === 0) {
    return "spatial=0 (statistics per pixel) has no equal in newer opsets and is not supported";
  }
  if (op === "BatchNormalization" && opset < 7 && getInt(node, "is_test", 0) === 0) {
    return "is_test=0 (training mode) is not supported: export the model for inference";
  }
  if (op === "Scan" && opset < 9) return "Scan of opset 8 has no equal in newer opsets: export the model anew";
  if (op === "Tile" && opset < 6) return `Tile of opset ${opset} has no equal in newer opsets: export the model anew`;
  return undefined;
}
