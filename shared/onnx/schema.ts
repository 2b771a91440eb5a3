/**
 * @file The messages of onnx.proto as tables, with the names and numbers they have there; their TypeScript types follow
 * from the tables. Subgraphs, functions and types other than tensors are plain `bytes` here: nothing recurses, so no
 * file can nest without bound, and what is not understood is kept byte for byte.
 */

/** What the wire calls and TypeScript hold: `packed` are the runs of a packed numeric field, undecoded. */
interface Kinds {
  int: bigint;
  float: number;
  string: string;
  bytes: Uint8Array;
  packed: Uint8Array;
}

/** One field. `V` is only there for the compiler. */
export interface Field<V = unknown> {
  readonly id: number;
  readonly type: keyof Kinds | Schema;
  readonly repeated: boolean;
  /** For `packed`: the wire type its elements have when a writer did not pack them. */
  readonly elementWireType?: number;
  readonly value?: V;
}

type Fields = Readonly<Record<string, Field>>;

export interface Schema<F extends Fields = Fields> {
  readonly fields: F;
  /** The fields by number, with their names, in ascending order; holes where a number is not used. */
  readonly byId: readonly (readonly [name: string, field: Field] | undefined)[];
}

/** The decoded message: absent fields are undefined. `unknown` are fields without a row, tag included. */
export type Message<S extends Schema> = {
  [K in keyof S["fields"]]?: S["fields"][K] extends Field<infer V> ? V | undefined : never;
} & { unknown?: Uint8Array[] | undefined };

function schema<F extends Fields>(fields: F): Schema<F> {
  const byId: [string, Field][] = [];
  for (const [name, field] of Object.entries(fields)) byId[field.id] = [name, field];
  return { fields, byId };
}

const one = <K extends keyof Kinds>(id: number, type: K): Field<Kinds[K]> => ({ id, type, repeated: false });
const many = <K extends keyof Kinds>(id: number, type: K): Field<Kinds[K][]> => ({ id, type, repeated: true });
const message = <S extends Schema>(id: number, type: S): Field<Message<S>> => ({ id, type, repeated: false });
const messages = <S extends Schema>(id: number, type: S): Field<Message<S>[]> => ({ id, type, repeated: true });
const packed = (id: number, elementWireType: 0 | 1 | 5): Field<Uint8Array[]> => ({
  id,
  type: "packed",
  repeated: true,
  elementWireType,
});

export const stringStringEntryProto = schema({ key: one(1, "string"), value: one(2, "string") });

export const tensorProto = schema({
  dims: many(1, "int"),
  data_type: one(2, "int"),
  segment: one(3, "bytes"),
  float_data: packed(4, 5),
  int32_data: packed(5, 0),
  string_data: many(6, "bytes"),
  int64_data: packed(7, 0),
  name: one(8, "string"),
  raw_data: one(9, "bytes"),
  double_data: packed(10, 1),
  uint64_data: packed(11, 0),
  doc_string: one(12, "bytes"),
  external_data: messages(13, stringStringEntryProto),
  data_location: one(14, "int"),
  metadata_props: messages(16, stringStringEntryProto),
});

export const attributeProto = schema({
  name: one(1, "string"),
  f: one(2, "float"),
  i: one(3, "int"),
  s: one(4, "bytes"),
  t: message(5, tensorProto),
  g: one(6, "bytes"),
  floats: many(7, "float"),
  ints: many(8, "int"),
  strings: many(9, "bytes"),
  tensors: many(10, "bytes"),
  graphs: many(11, "bytes"),
  doc_string: one(13, "bytes"),
  tp: one(14, "bytes"),
  type_protos: many(15, "bytes"),
  type: one(20, "int"),
  ref_attr_name: one(21, "string"),
  sparse_tensor: one(22, "bytes"),
  sparse_tensors: many(23, "bytes"),
});

export const nodeProto = schema({
  input: many(1, "string"),
  output: many(2, "string"),
  name: one(3, "string"),
  op_type: one(4, "string"),
  attribute: messages(5, attributeProto),
  doc_string: one(6, "bytes"),
  domain: one(7, "string"),
  overload: one(8, "string"),
  metadata_props: messages(9, stringStringEntryProto),
});

const dimension = schema({ dim_value: one(1, "int"), dim_param: one(2, "string"), denotation: one(3, "bytes") });
const tensorShapeProto = schema({ dim: messages(1, dimension) });
const tensorType = schema({ elem_type: one(1, "int"), shape: message(2, tensorShapeProto) });

export const typeProto = schema({
  tensor_type: message(1, tensorType),
  sequence_type: one(4, "bytes"),
  map_type: one(5, "bytes"),
  denotation: one(6, "bytes"),
  sparse_tensor_type: one(8, "bytes"),
  optional_type: one(9, "bytes"),
});

export const valueInfoProto = schema({
  name: one(1, "string"),
  type: message(2, typeProto),
  doc_string: one(3, "bytes"),
  metadata_props: messages(4, stringStringEntryProto),
});

export const graphProto = schema({
  node: messages(1, nodeProto),
  name: one(2, "string"),
  initializer: messages(5, tensorProto),
  doc_string: one(10, "bytes"),
  input: messages(11, valueInfoProto),
  output: messages(12, valueInfoProto),
  value_info: messages(13, valueInfoProto),
  quantization_annotation: many(14, "bytes"),
  sparse_initializer: many(15, "bytes"),
  metadata_props: messages(16, stringStringEntryProto),
});

export const operatorSetIdProto = schema({ domain: one(1, "string"), version: one(2, "int") });

export const functionProto = schema({
  name: one(1, "string"),
  node: messages(7, nodeProto),
  opset_import: messages(9, operatorSetIdProto),
  domain: one(10, "string"),
});

export const modelProto = schema({
  ir_version: one(1, "int"),
  producer_name: one(2, "string"),
  producer_version: one(3, "string"),
  domain: one(4, "string"),
  model_version: one(5, "int"),
  doc_string: one(6, "bytes"),
  graph: message(7, graphProto),
  opset_import: messages(8, operatorSetIdProto),
  metadata_props: messages(14, stringStringEntryProto),
  training_info: many(20, "bytes"),
  functions: many(25, "bytes"),
  configuration: many(26, "bytes"),
});

export type TensorProto = Message<typeof tensorProto>;
export type AttributeProto = Message<typeof attributeProto>;
export type NodeProto = Message<typeof nodeProto>;
export type TypeProto = Message<typeof typeProto>;
export type ValueInfoProto = Message<typeof valueInfoProto>;
export type GraphProto = Message<typeof graphProto>;
export type ModelProto = Message<typeof modelProto>;

/** AttributeProto.AttributeType. */
export const attributeTypes = {
  float: 1n,
  int: 2n,
  string: 3n,
  tensor: 4n,
  graph: 5n,
  floats: 6n,
  ints: 7n,
  strings: 8n,
  tensors: 9n,
  graphs: 10n,
} as const;
