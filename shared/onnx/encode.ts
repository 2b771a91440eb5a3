/** @file Messages to bytes, driven by the tables of schema.ts: fields in ascending order, unknown ones last. */
import type { Field, Message, Schema } from "./schema.ts";
import { int64Size, numberSize, stringSize, Writer, wireTypes } from "./wire.ts";

type Source = Readonly<Record<string, unknown>> & { readonly unknown?: readonly Uint8Array[] | undefined };

/**
 * Writes one message. Measures first and allocates once, so that 100 MB of weights are copied once; the same message
 * gives the same bytes.
 */
export function encode<S extends Schema>(schema: S, message: Message<S>): Uint8Array<ArrayBuffer> {
  const source: Source = message;
  // Sizes of submessages in the order they are met: the second pass takes them in the same order.
  const sizes: number[] = [];
  const writer = new Writer(measureMessage(schema, source, sizes));
  writeMessage(schema, source, writer, sizes.values());
  return writer.bytes;
}

/** The values of a field, whether it is repeated or not. */
function valuesOf(field: Field, message: Source, name: string): readonly unknown[] {
  const value = message[name];
  if (value === undefined) return [];
  return field.repeated && Array.isArray(value) ? value : [value];
}

function measureMessage(schema: Schema, message: Source, sizes: number[]): number {
  let size = 0;
  for (const entry of schema.byId) {
    if (entry === undefined) continue;
    const [name, field] = entry;
    for (const value of valuesOf(field, message, name)) {
      size += numberSize(field.id * 8) + measureValue(field, value, sizes);
    }
  }
  for (const bytes of message.unknown ?? []) size += bytes.length;
  return size;
}

const delimited = (size: number): number => numberSize(size) + size;

function measureValue(field: Field, value: unknown, sizes: number[]): number {
  if (typeof field.type === "object") {
    const at = sizes.push(0) - 1;
    const size = measureMessage(field.type, value as Source, sizes); // Message<S> has checked it
    sizes[at] = size;
    return delimited(size);
  }
  switch (typeof value) {
    case "bigint":
      return int64Size(value);
    case "number":
      return 4;
    case "string":
      return delimited(stringSize(value));
    default:
      return delimited((value as Uint8Array).length); // the one kind left
  }
}

function writeMessage(schema: Schema, message: Source, writer: Writer, sizes: Iterator<number>): void {
  for (const entry of schema.byId) {
    if (entry === undefined) continue;
    const [name, field] = entry;
    for (const value of valuesOf(field, message, name)) writeValue(field, value, writer, sizes);
  }
  for (const bytes of message.unknown ?? []) writer.raw(bytes);
}

function writeValue(field: Field, value: unknown, writer: Writer, sizes: Iterator<number>): void {
  if (typeof field.type === "object") {
    writer.number(field.id * 8 + wireTypes.bytes);
    const size: number | undefined = sizes.next().value;
    writer.number(size ?? 0);
    writeMessage(field.type, value as Source, writer, sizes); // Message<S> has checked it
    return;
  }
  switch (typeof value) {
    case "bigint":
      writer.number(field.id * 8 + wireTypes.varint);
      writer.int64(value);
      return;
    case "number":
      writer.number(field.id * 8 + wireTypes.fixed32);
      writer.float32(value);
      return;
    case "string":
      writer.number(field.id * 8 + wireTypes.bytes);
      writer.number(stringSize(value));
      writer.string(value);
      return;
    default: {
      const bytes = value as Uint8Array; // the one kind left
      writer.number(field.id * 8 + wireTypes.bytes);
      writer.number(bytes.length);
      writer.raw(bytes);
    }
  }
}
