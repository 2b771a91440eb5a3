/**
 * @file Reading inside what the runtime fuses. onnxruntime merges a convolution with the normalisation or residual sum
 *   that alone reads it, and rounds once where the separate operators round twice. One more reader would undo that and
 *   change the model's own outputs in the last bit; so a layer inside such a fusion is read from a copy of its
 *   operators.
 */
import { dtypeOf, type GraphBuilder } from "../graph/builder.ts";
import type { Graph, Value } from "../graph/ir.ts";
import { consumers, producers } from "../graph/walk.ts";

/** What is merged into the operator before it. */
const merging: ReadonlySet<string> = new Set(["BatchNormalization", "Add", "Sub", "Mul", "Div"]);
/** What others are merged into. */
const merged: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "BatchNormalization", "MatMul", "Gemm"]);

/** `value`, or where reading it would undo a fusion a value equal to it up to rounding. */
export function unfused(g: GraphBuilder, original: Graph, value: Value): Value {
  const [makers, readers] = [producers(original), consumers(original)];
  const copy = (v: Value): Value => {
    const node = makers.get(v);
    const [reader, ...others] = readers.get(v) ?? [];
    const isFused = node && reader && others.length === 0 && merged.has(node.op) && merging.has(reader.op);
    if (!isFused || original.outputs.includes(v)) return v;
    const [x = null, ...rest] = node.inputs;
    // A sum of one term is a copy the runtime does not see through: otherwise it would merge the twins again.
    const inner = x && copy(x);
    const source = inner && inner === x ? g.node("Sum", [x]) : inner;
    return g.emit({ ...node, inputs: [source, ...rest] }, 1)[0] ?? v;
  };
  const read = copy(value);
  // Where the runtime computes a 16-bit model in float32, a Cast as reader makes it round once more; a sum does not.
  return dtypeOf(read) === "float16" ? g.node("Sum", [read]) : read;
}
