/** @file What a case of the inference tables is, and the one-node graph it stands for. */
import { type AttributeInput, emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { constantOf } from "../../shared/graph/constant.ts";
import type { Dim, DType, Shape, Value } from "../../shared/graph/ir.ts";

/** A shape is a float32 graph input; numbers under a type are a 1-D (or, as a lone number, rank-0) constant. */
export type Operand =
  | Shape
  | null
  | { readonly input: DType; readonly shape: Shape }
  | { readonly [K in "int64" | "float32"]?: readonly number[] | number };

export interface InferCase {
  readonly inputs: readonly Operand[];
  readonly attributes?: AttributeInput;
  readonly shapes: readonly Shape[];
  /** Element types of the outputs, where not all are float32. */
  readonly dtypes?: readonly DType[];
  /** Why the wasm runtime cannot confirm the case. */
  readonly notRun?: string;
}

export const i64 = (...values: number[]): Operand => ({ int64: values });
export const long = (...shape: Dim[]): Operand => ({ input: "int64", shape });
export const bool = (...shape: Dim[]): Operand => ({ input: "bool", shape });
export const same = (...shape: Dim[]): InferCase => ({ inputs: [shape], shapes: [shape] });
export const table = <T>(names: readonly string[], make: (name: string) => readonly [string, T]): Record<string, T> =>
  Object.fromEntries(names.map(make));

/** The one-node graph of a case; operands are named in0, in1 ... */
export function graphOf(
  op: string,
  { inputs, attributes, shapes }: Pick<InferCase, "inputs" | "attributes" | "shapes">,
) {
  const g = new GraphBuilder(emptyGraph(20));
  const values = inputs.map((operand, i): Value | null => operandValue(g, operand, `in${i}`));
  const outputs = g.multi(op, values, attributes ?? {}, shapes.length);
  return { g, outputs, values };
}

function operandValue(g: GraphBuilder, operand: Operand, name: string): Value | null {
  if (operand === null) return null;
  if (isShape(operand)) return g.input(name, { dtype: "float32", shape: operand });
  if ("input" in operand) return g.input(name, { dtype: operand.input, shape: operand.shape });
  const dtype = operand.int64 === undefined ? "float32" : "int64";
  const values = operand.int64 ?? operand.float32 ?? [];
  return g.constant(
    typeof values === "number" ? constantOf(dtype, [], [values]) : constantOf(dtype, [values.length], values),
  );
}

export const isShape = (operand: Operand): operand is Shape => Array.isArray(operand);
