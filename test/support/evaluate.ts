/**
 * @file A float64 interpreter of ONNX graphs, in the dialect of opset 18 to 24: the oracle gradients are judged by.
 * Plain textbook loops, one small function an operator in evaluate/, no code shared with inference or differentiation.
 */
import { numbers } from "../../shared/graph/constant.ts";
import type { Node, Value } from "../../shared/graph/ir.ts";
import { convolution } from "./evaluate/convolution.ts";
import { elementwise } from "./evaluate/elementwise.ts";
import { sampling } from "./evaluate/grid-sample.ts";
import { indexing } from "./evaluate/indexing.ts";
import { linear } from "./evaluate/linear.ts";
import { movement } from "./evaluate/movement.ts";
import { normalization } from "./evaluate/normalization.ts";
import { pooling } from "./evaluate/pooling.ts";
import { reduction } from "./evaluate/reduction.ts";
import { resizing } from "./evaluate/resize.ts";
import type { Operators, Tensor } from "./evaluate/tensor.ts";

export { scalar, type Tensor, tensor, vector, zeros } from "./evaluate/tensor.ts";

const operators: Operators = {
  ...elementwise,
  ...linear,
  ...convolution,
  ...pooling,
  ...normalization,
  ...reduction,
  ...movement,
  ...indexing,
  ...resizing,
  ...sampling,
};

/** What the interpreter knows. */
export const evaluatedOperators: ReadonlySet<string> = new Set(Object.keys(operators));

/**
 * The value of everything the nodes compute, of the feeds, and of the constants they read. A feed may stand in for a
 * constant: that is how a weight is nudged. Throws where an input is neither fed, constant nor computed before.
 */
export function evaluate(
  graph: { readonly nodes: readonly Node[] },
  feeds: ReadonlyMap<Value, Tensor>,
): Map<Value, Tensor> {
  const known = new Map(feeds);
  for (const node of graph.nodes) {
    const operator = node.domain === "" && Object.hasOwn(operators, node.op) ? operators[node.op] : undefined;
    if (operator === undefined) throw new RangeError(`the interpreter has no operator "${node.domain}${node.op}"`);
    const inputs = node.inputs.map((value) => (value === null ? undefined : look(value, known, node)));
    const made = operator({ node, inputs });
    const outputs = "dims" in made ? [made] : made;
    node.outputs.forEach((value, i) => {
      const tensor = outputs[i];
      if (value === null) return;
      if (tensor === undefined) throw new RangeError(`${node.op} has no output ${i} here`);
      known.set(value, tensor);
    });
  }
  return known;
}

function look(value: Value, known: Map<Value, Tensor>, node: Node): Tensor {
  const found = known.get(value);
  if (found !== undefined) return found;
  if (value.constant === undefined)
    throw new RangeError(`${node.op} (${node.name}) reads "${value.name}", never computed`);
  const tensor = { dims: value.constant.dims, data: Float64Array.from(numbers(value.constant)) };
  known.set(value, tensor);
  return tensor;
}
