/** @file What a VJP rule is: how one operator turns the gradient of its outputs into the gradients of its inputs. */
import { AppError } from "../errors.ts";
import { describe } from "../graph/attributes.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Node, Value } from "../graph/ir.ts";
import { printNode } from "../graph/print.ts";

/** Where a rule is applied: the node, the builder to write into, and the gradients that arrived. */
export interface Site {
  readonly g: GraphBuilder;
  readonly node: Node;
  /** Input `i`, which the operator requires. */
  readonly x: (i: number) => Value;
  /** Input `i`, or null where it was left out. */
  readonly optional: (i: number) => Value | null;
  /** Output `i` (the first by default). */
  readonly y: (i?: number) => Value;
  /** Gradient of the first output, of its rank; of its very shape unless the rule is `lazy`. */
  readonly dy: Value;
  /** Gradient of output `i`; zeros where none arrived. */
  readonly dyAt: (i: number) => Value;
}

/** Builds the gradient of one input. Called only when that input needs one, so frozen weights cost nothing. */
export type Pullback = () => Value;

/** One entry an input, in order; null (or missing) where no gradient flows: an index, a shape. */
export type Rule = (site: Site) => readonly (Pullback | null)[];

export type Entry =
  | {
      readonly kind: "rule";
      readonly pull: Rule;
      /**
       * The rule takes a `dy` whose extents may be 1 where the output's are not (a gradient that is the same at each
       * location, as below a global average pool): multiplying then expands it for free.
       */
      readonly lazy: boolean;
      /** Elementwise with broadcasting: what was broadcast going forward is summed going back. The sweep does it. */
      readonly pointwise: boolean;
    }
  /** The gradient is zero wherever it exists. */
  | { readonly kind: "flat"; readonly why: string }
  /** We decline, with the reason. */
  | { readonly kind: "refused"; readonly why: string };

/** Operator name (ai.onnx) to its entry. An operator that is not here has no rule. */
export type RuleTable = Readonly<Record<string, Entry>>;

export const rule = (pull: Rule): Entry => ({ kind: "rule", pull, lazy: false, pointwise: false });
/** A rule of linear data movement that keeps lazily broadcast extents as they are. */
export const lazy = (pull: Rule): Entry => ({ kind: "rule", pull, lazy: true, pointwise: false });
/** An elementwise rule. Broadcasting is undone by the sweep, never in the rule. */
export const pointwise = (pull: Rule): Entry => ({ kind: "rule", pull, lazy: true, pointwise: true });
export const flat = (why: string): Entry => ({ kind: "flat", why });
export const refused = (why: string): Entry => ({ kind: "refused", why });

/** The error for a node no gradient can pass. `because` is a clause. */
export function cannotDifferentiate(node: Node, because: string): AppError {
  const message = `cannot take a gradient through ${describe(node)}: ${because}, in ${printNode(node)}`;
  return new AppError("model-unsupported", message, {
    operator: node.op,
    node: node.name,
    tensor: node.outputs.find((v) => v !== null)?.name,
  });
}
