/** @file Making and reading attributes. Readers apply the operator's default and name the node when a type is wrong. */
import { AppError } from "../errors.ts";
import type { Attribute, Constant, Node, PlainAttribute } from "./ir.ts";

export const int = (value: number | bigint): PlainAttribute => ({ kind: "int", value: BigInt(value) });
export const ints = (value: readonly (number | bigint)[]): PlainAttribute => ({
  kind: "ints",
  value: value.map(BigInt),
});
export const float = (value: number): PlainAttribute => ({ kind: "float", value });
export const floats = (value: readonly number[]): PlainAttribute => ({ kind: "floats", value });
export const string = (value: string): PlainAttribute => ({ kind: "string", value });
export const tensor = (value: Constant): PlainAttribute => ({ kind: "tensor", value });

type Payloads = { [A in Attribute as A["kind"]]: A["value"] };

function read<K extends Attribute["kind"]>(node: Node, name: string, kind: K): Payloads[K] | undefined {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return undefined;
  if (attribute.kind !== kind) {
    throw new AppError(
      "model-malformed",
      `${describe(node)}: attribute "${name}" is ${attribute.kind}, but ${node.op} takes ${kind}`,
      { node: node.name, attribute: name },
    );
  }
  return attribute.value as Payloads[K]; // the kind was just compared
}

/**
 * The integer attribute as a number; saturates at the safe range (INT64_MAX as "to the end" stays larger than any
 * extent).
 */
export const getInt = (node: Node, name: string, otherwise: number): number =>
  saturate(read(node, name, "int")) ?? otherwise;
export const getFloat = (node: Node, name: string, otherwise: number): number => read(node, name, "float") ?? otherwise;
export const getString = (node: Node, name: string, otherwise: string): string =>
  read(node, name, "string") ?? otherwise;
export const getInts = (node: Node, name: string): readonly number[] | undefined =>
  read(node, name, "ints")?.map((v) => saturate(v) ?? 0);
export const getFloats = (node: Node, name: string): readonly number[] | undefined => read(node, name, "floats");
export const getTensor = (node: Node, name: string): Constant | undefined => read(node, name, "tensor");

export function saturate(value: bigint): number;
export function saturate(value: bigint | undefined): number | undefined;
export function saturate(value: bigint | undefined): number | undefined {
  if (value === undefined) return undefined;
  const n = Number(value);
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, n));
}

/** `Conv (conv_3) -> "relu_2"`: how errors name a node. */
export function describe(node: Node): string {
  const output = node.outputs.find((v) => v !== null);
  return `${node.op}${node.name === "" ? "" : ` (${node.name})`}${output ? ` -> "${output.name}"` : ""}`;
}
