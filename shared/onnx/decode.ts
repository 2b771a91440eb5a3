/** @file Bytes to messages, driven by the tables of schema.ts. Byte fields are views on the input. */
import type { Field, Message, Schema } from "./schema.ts";
import { Reader, wireTypes } from "./wire.ts";

/** Where the bytes stand in the file: the field that holds them and its offset. Only for messages. */
export interface Origin {
  readonly path: readonly (string | number)[];
  readonly offset: number;
}

/** Reads one message. Throws `model-malformed` with the field's path and the byte offset. */
export function decode<S extends Schema>(schema: S, bytes: Uint8Array, origin?: Origin): Message<S> {
  const message = {};
  readMessage(new Reader(bytes, origin?.path, origin?.offset), schema, bytes.length, message);
  return message as Message<S>; // readMessage fills exactly the fields of the schema, each with its type
}

type Target = Record<string, unknown> & { unknown?: Uint8Array[] };

function readMessage(reader: Reader, schema: Schema, end: number, message: Target): void {
  while (reader.at < end) {
    const start = reader.at;
    const tag = reader.number(end);
    const id = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (id === 0) reader.fail("field number 0 does not exist", start);
    const known = schema.byId[id];
    if (known === undefined) {
      reader.skip(wireType, end);
      const after = reader.at;
      reader.at = start;
      reader.count();
      message.unknown ??= [];
      message.unknown.push(reader.view(after));
      continue;
    }
    const [name, field] = known;
    reader.path.push(name);
    if (field.repeated) readRepeated(reader, field, wireType, end, listOf(message, name));
    else message[name] = readOne(reader, field, wireType, end, message[name]);
    reader.path.pop();
  }
}

function listOf(message: Target, name: string): unknown[] {
  const existing = message[name];
  if (Array.isArray(existing)) return existing;
  const made: unknown[] = [];
  message[name] = made;
  return made;
}

function readOne(reader: Reader, field: Field, wireType: number, end: number, existing: unknown): unknown {
  if (typeof field.type === "object") {
    // A message field that occurs twice is merged: protobuf's rule.
    const message = (existing ?? {}) as Target; // only readOne put a value here, and for this field it is a message
    const inner = expectLength(reader, wireType, end);
    readMessage(reader, field.type, inner, message);
    return message;
  }
  return readScalar(reader, field.type, wireType, end);
}

function readRepeated(reader: Reader, field: Field, wireType: number, end: number, list: unknown[]): void {
  reader.path.push(list.length);
  const type = field.type;
  if (type === "packed" && wireType === field.elementWireType) {
    const start = reader.at;
    reader.skip(wireType, end);
    const after = reader.at;
    reader.at = start;
    reader.count();
    list.push(reader.view(after));
  } else if ((type === "int" || type === "float") && wireType === wireTypes.bytes) {
    const inner = reader.length(end);
    while (reader.at < inner) {
      reader.count();
      list.push(type === "int" ? reader.int64(inner) : reader.float32(inner));
    }
  } else {
    reader.count();
    list.push(readOne(reader, field, wireType, end, undefined));
  }
  reader.path.pop();
}

function readScalar(reader: Reader, type: Exclude<Field["type"], Schema>, wireType: number, end: number): unknown {
  switch (type) {
    case "int":
      expectWireType(reader, wireType, wireTypes.varint);
      return reader.int64(end);
    case "float":
      expectWireType(reader, wireType, wireTypes.fixed32);
      return reader.float32(end);
    case "string":
      return reader.string(expectLength(reader, wireType, end));
    case "bytes":
    case "packed":
      return reader.view(expectLength(reader, wireType, end));
    default:
      return type satisfies never;
  }
}

function expectLength(reader: Reader, wireType: number, end: number): number {
  expectWireType(reader, wireType, wireTypes.bytes);
  return reader.length(end);
}

function expectWireType(reader: Reader, found: number, expected: number): void {
  if (found !== expected) reader.fail(`wire type ${found} where ${expected} belongs`, reader.at);
}
