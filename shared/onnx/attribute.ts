/** @file AttributeProto to attribute and back. What the graph does not compute with is kept as the whole message. */
import { AppError } from "../errors.ts";

import type { Attribute, PlainAttribute } from "../graph/ir.ts";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import type { ExternalFiles } from "./external.ts";
import { type AttributeProto, attributeProto, attributeTypes } from "./schema.ts";
import { constantOfTensor, tensorOfConstant } from "./tensor.ts";
import { decodeUtf8 } from "./wire.ts";

/** `where` names the node and attribute in messages. */
export function attributeOfProto(proto: AttributeProto, where: string, files: ExternalFiles): Attribute {
  const types = attributeTypes;
  switch (proto.type ?? guessType(proto)) {
    case types.float:
      return { kind: "float", value: proto.f ?? 0 };
    case types.int:
      return { kind: "int", value: proto.i ?? 0n };
    case types.string: {
      const text = decodeUtf8(proto.s ?? new Uint8Array());
      return text === undefined ? opaque(proto) : { kind: "string", value: text };
    }
    case types.tensor:
      if (proto.t === undefined) throw new AppError("model-malformed", `${where} is a tensor without data`);
      return { kind: "tensor", value: constantOfTensor(proto.t, where, files) };
    case types.floats:
      return { kind: "floats", value: proto.floats ?? [] };
    case types.ints:
      return { kind: "ints", value: proto.ints ?? [] };
    case types.strings: {
      const texts = (proto.strings ?? []).map(decodeUtf8);
      const readable = texts.filter((t) => t !== undefined);
      return readable.length < texts.length ? opaque(proto) : { kind: "strings", value: readable };
    }
    default:
      return opaque(proto);
  }
}

const opaque = (proto: AttributeProto): Attribute => ({ kind: "opaque", value: encode(attributeProto, proto) });

/** Files of IR 1 have no type; the one field that is set tells it. */
function guessType(proto: AttributeProto): bigint {
  const types = attributeTypes;
  if (proto.f !== undefined) return types.float;
  if (proto.i !== undefined) return types.int;
  if (proto.s !== undefined) return types.string;
  if (proto.t !== undefined) return types.tensor;
  if (proto.g !== undefined) return types.graph;
  if (proto.floats !== undefined) return types.floats;
  if (proto.ints !== undefined) return types.ints;
  if (proto.strings !== undefined) return types.strings;
  return 0n;
}

export function protoOfAttribute(name: string, attribute: PlainAttribute): AttributeProto {
  const types = attributeTypes;
  const utf8 = new TextEncoder();
  switch (attribute.kind) {
    case "int":
      return { name, i: attribute.value, type: types.int };
    case "ints":
      return { name, ints: [...attribute.value], type: types.ints };
    case "float":
      return { name, f: attribute.value, type: types.float };
    case "floats":
      return { name, floats: [...attribute.value], type: types.floats };
    case "string":
      return { name, s: utf8.encode(attribute.value), type: types.string };
    case "strings":
      return { name, strings: attribute.value.map((s) => utf8.encode(s)), type: types.strings };
    case "tensor":
      return { name, t: tensorOfConstant(attribute.value, undefined), type: types.tensor };
    case "opaque":
      return decode(attributeProto, attribute.value);
    default:
      return attribute satisfies never;
  }
}
