/** @file What a lifting rule is: types shared by the rules and by lift.ts, which applies them. */
import type { Attributes, Constant, DType, Node, Value } from "../graph/ir.ts";

/** The new form of a node; its outputs keep their names. */
export interface Call {
  readonly op: string;
  readonly inputs: readonly (Value | null)[];
  readonly attributes: Attributes;
  /** Fewer outputs than the old node had, where the new one has fewer. */
  readonly outputCount?: number;
}

/** What a rule may use. `hint` ends the name of what is made. */
export interface Lifting {
  /** The opset the node is written in. */
  readonly opset: number;
  /** A node in front of the lifted one, with one output. */
  node(call: Call, hint: string): Value;
  constant(constant: Constant, hint: string): Value;
  int64s(values: readonly (number | bigint)[], hint: string): Value;
  /** A rank-0 constant of `value`'s element type. */
  scalarLike(value: Value | null | undefined, number: number, hint: string): Value;
  /** The value's element type; where that is unknown, the type of the model's first floating input. */
  floatTypeOf(value: Value | null | undefined): DType;
  isOutputUsed(index: number): boolean;
}

export type Rule = (node: Node, lifting: Lifting) => Call;
