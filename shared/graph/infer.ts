/**
 * @file The type of every output of every operator, a row an operator, in the dialect of opset 18 to 24 that graphs are
 * lifted to. An operator without a row has outputs of unknown type: no error until a gradient must pass there. The rows
 * are in infer/, a file a family.
 */
import { control } from "./infer/control.ts";
import { creation } from "./infer/creation.ts";
import { trackElements } from "./infer/elements.ts";
import { elementwise } from "./infer/elementwise.ts";
import { indexing } from "./infer/indexing.ts";
import { linear } from "./infer/linear.ts";
import { movement } from "./infer/movement.ts";
import { normalization } from "./infer/normalization.ts";
import { reductions } from "./infer/reductions.ts";
import { resampling } from "./infer/resampling.ts";
import { malformed, type Row, type TypedNode } from "./infer/row.ts";
import { windows } from "./infer/windows.ts";
import type { Dim, Node, TensorType } from "./ir.ts";

export interface Inferred {
  readonly type: TensorType | undefined;
  readonly elements?: readonly Dim[];
}

/** No runtime holds a tensor this large; a size beyond it is a damaged or hostile file, and overflows arithmetic. */
const elementsPerTensorMax = 2 ** 40;

const families = [
  control,
  creation,
  elementwise,
  indexing,
  linear,
  movement,
  normalization,
  reductions,
  resampling,
  windows,
] as const;

/** A map and not an object: an operator may be called "constructor". */
const rows: ReadonlyMap<string, Row> = new Map(families.flatMap((family) => Object.entries(family)));

/** The ai.onnx operators whose output types are known. */
export const inferableOperators: readonly string[] = [...rows.keys()].sort();

/** Types of the first `count` outputs. Throws `model-malformed` where the inputs contradict the operator. */
export function infer(call: Omit<Node, "outputs">, count: number): readonly Inferred[] {
  const node: Node = { outputs: [], ...call };
  const row = node.domain === "" ? rows.get(node.op) : undefined;
  const types = row !== undefined && isTyped(node) ? (row(node, count) ?? []) : [];
  for (const type of types) if (type !== undefined) expectReasonable(node, type);
  const elements = trackElements(node, types);
  return Array.from({ length: count }, (_, i) => {
    const type = types[i];
    const tracked = elements[i];
    return tracked === undefined ? { type } : { type, elements: tracked };
  });
}

/** Whether every input that is there has a known type. */
const isTyped = (node: Node): node is TypedNode => node.inputs.every((v) => v === null || v.type !== undefined);

function expectReasonable(node: Node, { shape }: TensorType): void {
  const known = shape.filter((d) => typeof d === "number");
  if (known.some((d) => d < 0 || !Number.isSafeInteger(d)))
    throw malformed(node, `the output would have shape [${shape.join(",")}]`);
  if (!known.includes(0) && known.reduce((n, d) => n * d, 1) > elementsPerTensorMax) {
    throw malformed(node, `the output would have shape [${shape.join(",")}], more than 2^40 elements`);
  }
}
