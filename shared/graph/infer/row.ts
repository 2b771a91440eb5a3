/** @file What a row of the inference tables is, and how rows read inputs and report contradictions. */
import { AppError } from "../../errors.ts";
import { describe } from "../attributes.ts";
import { conflict } from "../dims.ts";
import type { Dim, DType, Node, Shape, TensorType, Value } from "../ir.ts";
import { elementsOf } from "./values.ts";

export interface Typed extends Value {
  readonly type: TensorType;
}

/** A node all of whose inputs have known types: where one has not, neither have the outputs, and no row is asked. */
export interface TypedNode extends Node {
  readonly inputs: readonly (Typed | null)[];
}

export type Types = readonly (TensorType | undefined)[];

/** The types of a node's first `count` outputs. Undefined where they depend on what only the run will know. */
export type Row = (node: TypedNode, count: number) => Types | undefined;
export type Table = Readonly<Record<string, Row>>;

/** The same row for several operators. */
export const each = (operators: readonly string[], row: Row): Table =>
  Object.fromEntries(operators.map((op) => [op, row]));

export const tensor = (dtype: DType, shape: Shape): TensorType => ({ dtype, shape });

/** An error for inputs that contradict the operator: `Conv (conv_3): the input "x" has ...`. */
export const malformed = (node: Node, message: string): AppError =>
  new AppError("model-malformed", `${describe(node)}: ${message}`, { node: node.name, operator: node.op });

export const optional = (node: TypedNode, index: number): Typed | undefined => node.inputs[index] ?? undefined;

export function input(node: TypedNode, index: number): Typed {
  const found = optional(node, index);
  if (found === undefined) throw malformed(node, `input ${index} is missing`);
  return found;
}

export const present = (node: TypedNode): readonly Typed[] => node.inputs.filter((v) => v !== null);

/** `"x" [1,3,224,224]`: how messages name a tensor. */
export const named = (value: Typed): string => `"${value.name}" [${value.type.shape.join(",")}]`;

/** The axis counted from the front. */
export function axisOf(node: Node, axis: number, rank: number): number {
  if (axis >= rank || axis < -rank) throw malformed(node, `axis ${axis} is out of range for rank ${rank}`);
  return axis < 0 ? axis + rank : axis;
}

/** Axes counted from the front, each once. */
export function axesOf(node: Node, axes: readonly number[], rank: number): readonly number[] {
  const found = axes.map((a) => axisOf(node, a, rank));
  if (new Set(found).size < found.length) throw malformed(node, `the axes [${axes.join(",")}] name one axis twice`);
  return found;
}

export function expectRank(node: Node, value: Typed, min: number, max = min): void {
  const rank = value.type.shape.length;
  if (rank < min || rank > max) {
    const wanted = min === max ? `${min}` : max === Number.POSITIVE_INFINITY ? `${min} or more` : `${min} to ${max}`;
    throw malformed(node, `the input ${named(value)} has rank ${rank}, the operator takes ${wanted}`);
  }
}

/** Optional per-channel inputs (bias, scale, mean): 1-D, one element a channel. */
export function expectVector(node: TypedNode, index: number, extent: Dim): void {
  const value = optional(node, index);
  if (value === undefined) return;
  expectRank(node, value, 1);
  if (conflict(value.type.shape[0], extent)) {
    throw malformed(node, `"${value.name}" has ${value.type.shape[0]} elements, but there are ${extent} channels`);
  }
}

/** Inputs of one element type, as the operator demands. */
export function expectOneType(node: Node, values: readonly Typed[]): void {
  const [first] = values;
  const other = values.find((v) => v.type.dtype !== first?.type.dtype);
  if (first && other) {
    throw malformed(node, `"${first.name}" is ${first.type.dtype}, but "${other.name}" is ${other.type.dtype}`);
  }
}

/** The shape that all the tensors broadcast to. Of two different expressions the left one is taken. */
export function broadcast(node: Node, values: readonly Typed[]): Shape {
  return broadcastShapes(
    values.map((v) => v.type.shape),
    () => malformed(node, `the shapes of ${values.map(named).join(" and ")} do not broadcast`),
  );
}

export function broadcastShapes(shapes: readonly Shape[], failed: () => AppError): Shape {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    let extent: Dim = 1;
    for (const shape of shapes) {
      const dim = shape[i - rank + shape.length] ?? 1;
      if (dim === 1) continue;
      if (extent !== 1 && conflict(extent, dim)) throw failed();
      // A symbol that meets a number must be that number when the model runs.
      if (extent === 1 || (typeof extent === "string" && typeof dim === "number")) extent = dim;
    }
    return extent;
  });
}

/** The elements of an integer input as numbers; undefined where it is absent or not wholly known. */
export function numbersOf(node: TypedNode, index: number): readonly number[] | undefined {
  const value = optional(node, index);
  const elements = value && elementsOf(value);
  return elements?.every((e) => typeof e === "number") ? elements : undefined;
}

export const replaced = (shape: Shape, axis: number, dim: Dim): Shape => shape.map((d, i) => (i === axis ? dim : d));
