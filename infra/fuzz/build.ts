/** @file Makes small ONNX files from a few lines each, through our own encoder: for the fuzzer and the tests. */
import { constantOf, dataTypeCode } from "../../shared/graph/constant.ts";
import type { Constant, Dim, DType, PlainAttribute } from "../../shared/graph/ir.ts";
import { protoOfAttribute } from "../../shared/onnx/attribute.ts";
import { encode } from "../../shared/onnx/encode.ts";
import {
  type GraphProto,
  type ModelProto,
  modelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "../../shared/onnx/schema.ts";
import { tensorOfConstant } from "../../shared/onnx/tensor.ts";

export interface TinyModel {
  /** Default 18. */
  readonly opset?: number;
  readonly irVersion?: number;
  readonly nodes: readonly NodeProto[];
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  readonly initializers?: readonly TensorProto[];
  /** Further fields of the model and graph. */
  readonly model?: ModelProto;
  readonly graph?: GraphProto;
}

/** The message of a model with one graph. */
export const modelMessage = (tiny: TinyModel): ModelProto => ({
  ir_version: BigInt(tiny.irVersion ?? 8),
  producer_name: "tiny",
  opset_import: [{ domain: "", version: BigInt(tiny.opset ?? 18) }],
  ...tiny.model,
  graph: {
    name: "tiny",
    node: [...tiny.nodes],
    input: [...tiny.inputs],
    output: [...tiny.outputs],
    initializer: [...(tiny.initializers ?? [])],
    ...tiny.graph,
  },
});

/** The same as the bytes of a file. */
export const modelBytes = (tiny: TinyModel): Uint8Array => encode(modelProto, modelMessage(tiny));

/** `node("Conv", ["x", "w"], ["y"], { pads: ints([1, 1, 1, 1]) })`. "" leaves an input out. */
export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, PlainAttribute>> = {},
  name = "",
): NodeProto => ({
  op_type: op,
  name,
  input: [...inputs],
  output: [...outputs],
  attribute: Object.entries(attributes).map(([key, value]) => protoOfAttribute(key, value)),
});

/** A declared input or output; a string is a symbolic dimension, "" one without a name. */
export const tensorInfo = (name: string, shape: readonly Dim[], dtype: DType = "float32"): ValueInfoProto => ({
  name,
  type: {
    tensor_type: {
      elem_type: BigInt(dataTypeCode(dtype)),
      shape: {
        dim: shape.map((d) => (typeof d === "number" ? { dim_value: BigInt(d) } : d === "" ? {} : { dim_param: d })),
      },
    },
  },
});

export const initializer = (name: string, constant: Constant): TensorProto => tensorOfConstant(constant, name);

/** float32 unless said otherwise. */
export const weights = (
  name: string,
  dims: readonly number[],
  values: ArrayLike<number>,
  dtype: DType = "float32",
): TensorProto => initializer(name, constantOf(dtype, dims, values));
