/**
 * @file The graph: plain data, no behaviour. Operators are those of ONNX, kept as they stand in the file, because the
 * forward part of an explainer must run exactly as the original does. Knows nothing of protobuf.
 */

/** Element types, by their ONNX names (TensorProto.DataType in lower case). `float32` is ONNX's FLOAT. */
export type DType =
  | "float32"
  | "float16"
  | "float64"
  | "bfloat16"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool"
  | "string"
  | "other"; // complex, float8, int4 and whatever ONNX adds: carried through, never computed with

/** The types gradients flow through. */
export const floatTypes: ReadonlySet<DType> = new Set(["float32", "float16", "float64", "bfloat16"]);

/**
 * One dimension: its extent, or an expression in the model's symbolic dimensions such as `N` or `floor((H-1)/2)+1`.
 * Two dimensions are known to be equal when their expressions are the same text. A symbolic dimension is never taken
 * to be 1, so it never broadcasts.
 */
export type Dim = number | string;
export type Shape = readonly Dim[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/**
 * A tensor known when compiling. `bytes` are little-endian, row-major, often a view on the model file: never written.
 */
export interface Constant {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly bytes: Uint8Array;
}

/** An edge of the graph. Compared by identity; the name is unique in its graph. */
export interface Value {
  readonly name: string;
  /** Unknown where a producer's shape cannot be inferred; harmless unless a gradient must pass there. */
  readonly type: TensorType | undefined;
  /** Set for initializers and for what folding computed: such a value has no producer. */
  readonly constant?: Constant;
  /**
   * For small integer tensors of rank 0 or 1 made of shapes (Shape, Gather, Concat ...): their elements, known or
   * symbolic. Lets `Reshape(x, Concat(Shape(x)[0], -1))` be inferred while the batch is symbolic.
   */
  readonly elements?: readonly Dim[];
}

/**
 * An attribute. Integers are bigint, as ONNX's are 64-bit; `opaque` (subgraphs, types) is kept byte for byte. `graph`
 * is the body of control flow of our own: what it reads from outside is in its node's `captured`.
 */
export type Attribute =
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "ints"; readonly value: readonly bigint[] }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: Constant }
  | { readonly kind: "graph"; readonly value: Graph }
  | { readonly kind: "opaque"; readonly value: Uint8Array };

/** An attribute that holds no graph. */
export type PlainAttribute = Exclude<Attribute, { readonly kind: "graph" }>;

export type Attributes = ReadonlyMap<string, Attribute>;

export interface Node {
  readonly op: string;
  /** "" is ai.onnx. */
  readonly domain: string;
  readonly name: string;
  /** null: an optional input left out. */
  readonly inputs: readonly (Value | null)[];
  /** null: an optional output not asked for. */
  readonly outputs: readonly (Value | null)[];
  readonly attributes: Attributes;
  /** Values of the enclosing graph that the node's subgraphs (If, Loop, Scan) read by name. */
  readonly captured?: readonly Value[];
}

export interface Graph {
  readonly name: string;
  /** What a caller must feed: never initializers, also where IR 3 lists those as inputs. */
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** In topological order. */
  readonly nodes: readonly Node[];
  /** The version of ai.onnx all nodes are written in. */
  readonly opset: number;
  /** Other operator sets the nodes use, by domain. */
  readonly otherOpsets: ReadonlyMap<string, number>;
  /** metadata_props of the file. */
  readonly metadata: ReadonlyMap<string, string>;
  /** FunctionProto messages, byte for byte. */
  readonly functions: readonly Uint8Array[];
}
