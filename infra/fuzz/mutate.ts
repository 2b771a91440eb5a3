/** @file Mutations of ONNX files: of bytes, which break the encoding, and of messages, which break the sense. */
import { decode } from "../../shared/onnx/decode.ts";
import { encode } from "../../shared/onnx/encode.ts";
import { modelProto } from "../../shared/onnx/schema.ts";

/** Whole numbers from 0 to below `limit`. */
export type Draw = (limit: number) => number;

/** A sequence that depends on the seed alone (a linear congruential generator, high bits only). */
export function drawFrom(seed: number): Draw {
  let state = BigInt(seed) * 0x9e3779b97f4a7c15n + 1n;
  return (limit) => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    return limit < 1 ? 0 : Number((state >> 33n) % BigInt(limit));
  };
}

/** One file of the corpus with one to four mutations. */
export function mutant(draw: Draw, corpus: readonly Uint8Array[]): Uint8Array {
  let bytes = pick(draw, corpus) ?? new Uint8Array();
  const count = 1 + draw(4);
  // Messages first: once the encoding is broken there are none to mutate.
  const structural = draw(3) === 0 ? 0 : 1 + draw(count);
  if (structural > 0) bytes = mutateMessages(draw, bytes, structural);
  for (let i = structural; i < count; i++) bytes = (pick(draw, byteMutations) ?? flipBit)(draw, bytes, corpus);
  return bytes;
}

const pick = <T>(draw: Draw, from: readonly T[]): T | undefined => from[draw(from.length)];

// --- bytes -----------------------------------------------------------------------------------------------------------

type ByteMutation = (draw: Draw, bytes: Uint8Array, corpus: readonly Uint8Array[]) => Uint8Array;

function flipBit(draw: Draw, bytes: Uint8Array): Uint8Array {
  const at = draw(bytes.length);
  return bytes.map((byte, i) => (i === at ? byte ^ (1 << draw(8)) : byte));
}

const interesting = [0x00, 0x01, 0x7f, 0x80, 0xff];

const byteMutations: readonly ByteMutation[] = [
  flipBit,
  (draw, bytes) => replaced(bytes, draw(bytes.length), 1, [pick(draw, interesting) ?? 0]),
  (draw, bytes) => bytes.slice(0, draw(bytes.length)),
  (draw, bytes) => bytes.slice(draw(8)),
  (draw, bytes) => replaced(bytes, draw(bytes.length), 1 + draw(16), []),
  // A length or number of up to ten bytes: inflated lengths, overlong varints.
  (draw, bytes) =>
    replaced(bytes, draw(bytes.length), 1, [...Array.from({ length: 1 + draw(10) }, () => 0x80 | draw(128)), draw(3)]),
  (draw, bytes) => {
    const from = draw(bytes.length);
    return replaced(bytes, draw(bytes.length), 0, bytes.subarray(from, from + draw(64)));
  },
  (draw, bytes, corpus) => {
    const other = pick(draw, corpus) ?? bytes;
    const from = draw(other.length);
    return replaced(bytes, draw(bytes.length), draw(32), other.subarray(from, from + draw(128)));
  },
];

function replaced(bytes: Uint8Array, at: number, remove: number, insert: ArrayLike<number>): Uint8Array {
  const result = new Uint8Array(at + insert.length + Math.max(0, bytes.length - at - remove));
  result.set(bytes.subarray(0, at));
  result.set(insert, at);
  result.set(bytes.subarray(at + remove), at + insert.length);
  return result;
}

// --- messages --------------------------------------------------------------------------------------------------------

/** A place in the message tree that holds a value or a list. */
interface Slot {
  readonly holder: Record<string | number, unknown>;
  readonly key: string | number;
}

function mutateMessages(draw: Draw, bytes: Uint8Array, count: number): Uint8Array {
  const model = decode(modelProto, bytes);
  const slots = slotsOf(model);
  for (let i = 0; i < count; i++) {
    const slot = pick(draw, slots);
    if (slot !== undefined) mutateSlot(draw, slot, slots);
  }
  return encode(modelProto, model);
}

/** Every field and element of the tree. Objects and arrays both are records of what they hold. */
function slotsOf(root: object): Slot[] {
  const holder = root as Record<string | number, unknown>; // decoded messages and lists: own keys only
  return Object.keys(holder).flatMap((key) => {
    const value = holder[key];
    const own: Slot = { holder, key };
    if (value instanceof Uint8Array || typeof value !== "object" || value === null) return [own];
    return [own, ...slotsOf(value)];
  });
}

const extremes = [
  0n,
  1n,
  -1n,
  2n,
  7n,
  16n,
  255n,
  65_536n,
  2n ** 31n,
  2n ** 53n,
  2n ** 62n,
  -(2n ** 63n),
  2n ** 63n - 1n,
];
const numbersTried = [0, -1, 0.5, 1e30, Number.NaN, Number.POSITIVE_INFINITY];
const texts = ["", "x", "y", "..", "../../secret", "a\u0000b", "é🙂", "N", "?", "x".repeat(300), "Add", "Reshape"];

function mutateSlot(draw: Draw, { holder, key }: Slot, slots: readonly Slot[]): void {
  const value = holder[key];
  if (Array.isArray(value)) {
    mutateList(draw, value);
    return;
  }
  // Fields may go missing; elements of a list may not become holes.
  if (draw(4) === 0 && !Array.isArray(holder)) {
    delete holder[key];
    return;
  }
  // A value of the same kind from elsewhere keeps the encoding valid.
  const donors = slots
    .map((s) => s.holder[s.key])
    .filter((v) => typeof v === typeof value && kindOf(v) === kindOf(value));
  const own: readonly unknown[] = ownValues(draw, value);
  const next =
    own.length > 0 && draw(2) === 0 ? pick(draw, own) : typeof value === "object" ? value : pick(draw, donors);
  if (next !== undefined) holder[key] = next;
}

const kindOf = (value: unknown): string => (value instanceof Uint8Array ? "bytes" : typeof value);

function ownValues(draw: Draw, value: unknown): readonly unknown[] {
  if (typeof value === "bigint") return extremes;
  if (typeof value === "number") return numbersTried;
  if (typeof value === "string") return texts;
  if (value instanceof Uint8Array) {
    return [value.subarray(0, draw(value.length)), replaced(value, value.length, 0, value), flipBit(draw, value)];
  }
  return [];
}

function mutateList(draw: Draw, list: unknown[]): void {
  const at = draw(list.length);
  const element = list[at];
  switch (draw(4)) {
    case 0:
      list.splice(at, 1);
      return;
    case 1:
      if (element !== undefined) list.push(element);
      return;
    case 2:
      list.reverse();
      return;
    default:
      list.push(...list.slice(0, 3));
  }
}
