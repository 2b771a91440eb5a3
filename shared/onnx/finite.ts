/** @file Looks for weights that are no numbers: a model that was trained or converted wrongly. */
import { AppError } from "../errors.ts";
import { numbers } from "../graph/constant.ts";
import { type Constant, floatTypes, type Graph, type Node, type Value } from "../graph/ir.ts";

export interface NonFinite {
  readonly tensor: string;
  /** Row-major position of the first such element. */
  readonly index: number;
  /** NaN, Infinity or -Infinity. */
  readonly element: number;
}

/** Operators whose constants are weights: an infinity there is a defect, elsewhere it may be a mask or a bound. */
const weighted: ReadonlySet<string> = new Set([
  "BatchNormalization",
  "Conv",
  "ConvTranspose",
  "Gemm",
  "InstanceNormalization",
  "LayerNormalization",
  "MatMul",
]);

/**
 * The constants that nodes read which hold NaN anywhere, or an infinity where it is a weight; one finding a tensor.
 * Reads every float weight once: about 60 ms for 100 MB.
 */
export function findNonFinite(graph: Graph): readonly NonFinite[] {
  const infinityIsWrong = new Map<Value, boolean>();
  for (const node of graph.nodes) {
    for (const value of node.inputs) {
      if (value?.constant === undefined || !floatTypes.has(value.constant.dtype)) continue;
      infinityIsWrong.set(value, isWeighted(node) || infinityIsWrong.get(value) === true);
    }
  }
  return [...infinityIsWrong].flatMap(([{ name, constant }, strict]) => {
    const found = constant && firstNonFinite(constant, strict);
    return found === undefined ? [] : [{ tensor: name, ...found }];
  });
}

/** Throws `model-malformed` that names the tensors. */
export function rejectNonFinite(graph: Graph): void {
  const found = findNonFinite(graph);
  const [first] = found;
  if (first === undefined) return;
  const others = found.length === 1 ? "" : ` and so do ${found.length - 1} other tensors`;
  throw new AppError(
    "model-malformed",
    `the weights "${first.tensor}" hold ${first.element} at element ${first.index}${others}: ` +
      "no gradient can be computed through them; export the model anew from sound weights",
    { tensors: found.map((f) => f.tensor) },
  );
}

const isWeighted = (node: Node): boolean => node.domain === "" && weighted.has(node.op);

function firstNonFinite(constant: Constant, strict: boolean): Omit<NonFinite, "tensor"> | undefined {
  if (allFinite(constant)) return undefined;
  const elements = numbers(constant);
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index] ?? 0;
    if (Number.isNaN(element) || (strict && !Number.isFinite(element))) return { index, element };
  }
  return undefined;
}

/** Zero times any finite number is zero, and the sum of zeros is: one multiplication an element, no branch. */
function allFinite(constant: Constant): boolean {
  if (constant.dtype === "float16") return allFiniteHalf(constant);
  const elements = numbers(constant);
  let sum = 0;
  for (let i = 0; i < elements.length; i++) sum += (elements[i] ?? 0) * 0;
  return sum === 0;
}

/** All exponent bits set: infinity or NaN. */
function allFiniteHalf({ bytes }: Constant): boolean {
  for (let i = 1; i < bytes.length; i += 2) if (((bytes[i] ?? 0) & 0x7c) === 0x7c) return false;
  return true;
}
