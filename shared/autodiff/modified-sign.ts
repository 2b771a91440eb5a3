/** @file What is known of a tensor's sign before anything runs: whether it can be negative at all. */
import { getFloat } from "../graph/attributes.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import { numbers } from "../graph/constant.ts";
import type { Node, Value } from "../graph/ir.ts";

/** Never negative, whatever they read. */
const nonNegative: ReadonlySet<string> = new Set(
  "Relu Sigmoid HardSigmoid Softmax Softplus Exp Abs Sqrt ReduceL1 ReduceL2 ReduceSumSquare".split(" "),
);
/** Not negative where nothing they read is: moves, selections, means and sums. */
const keeping: ReadonlySet<string> = new Set(
  (
    "Identity Dropout Cast Reshape Flatten Squeeze Unsqueeze Transpose Slice Gather Split Expand Tile DepthToSpace " +
    "SpaceToDepth Concat Add Sum Mul Mean Max Min MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool " +
    "ReduceMean ReduceMax ReduceMin ReduceSum LRN"
  ).split(" "),
);
/** Operators whose first input alone is data; the others are shapes, axes and indices. */
const indexed: ReadonlySet<string> = new Set(
  (
    "Reshape Squeeze Unsqueeze Slice Gather Split Expand Tile Pad Resize Clip ReduceMean ReduceMax ReduceMin " +
    "ReduceSum"
  ).split(" "),
);

/** Whether a tensor is known to hold nothing below zero. False where it cannot be told. */
export function isNonNegative(g: GraphBuilder, v: Value): boolean {
  if (v.constant) return Array.from(numbers(v.constant)).every((n) => n >= 0);
  const node = g.producer(v);
  if (node?.domain !== "") return false;
  if (nonNegative.has(node.op)) return true;
  const data = indexed.has(node.op) ? node.inputs.slice(0, 1) : node.inputs;
  const kept = (): boolean => data.every((x) => x === null || isNonNegative(g, x));
  switch (node.op) {
    case "Clip":
      return (node.inputs[1]?.constant && (numbers(node.inputs[1].constant)[0] ?? -1) >= 0) || kept();
    case "Max":
      return node.inputs.some((x) => x !== null && isNonNegative(g, x));
    case "LeakyRelu": // a slope of 0 is what some exporters make of Relu
      return getFloat(node, "alpha", 0.01) === 0 || kept();
    case "Pad":
      return kept() && !padsBelowZero(node);
    case "Resize": // cubic interpolation overshoots
      return kept() && node.attributes.get("mode")?.value !== "cubic";
    default:
      return keeping.has(node.op) && kept();
  }
}

function padsBelowZero({ inputs: [, , value] }: Node): boolean {
  if (!value) return false;
  return !value.constant || (numbers(value.constant)[0] ?? 0) < 0;
}
