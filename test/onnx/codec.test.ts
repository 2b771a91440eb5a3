/** @file The protobuf codec: nothing is lost, nothing is copied, and no byte can hurt. */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { decode } from "../../shared/onnx/decode.ts";
import { encode } from "../../shared/onnx/encode.ts";
import { attributeProto, modelProto, tensorProto } from "../../shared/onnx/schema.ts";
import { tinyClassifier } from "../support/tiny-models.ts";

const bytesOf = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);

describe("the codec", () => {
  it("gives back the bytes it read", () => {
    const bytes = tinyClassifier({ batch: "N", initializersAsInputs: true });
    expect(encode(modelProto, decode(modelProto, bytes))).toEqual(bytes);
  });

  it("writes the wire format as protobuf's documentation has it", () => {
    // Field 2 (data_type) varint 150 = 96 01; field 8 (name), "testing".
    const bytes = bytesOf(0x10, 0x96, 0x01, 0x42, 7, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67);
    const tensor = { data_type: 150n, name: "testing" };
    expect(encode(tensorProto, tensor)).toEqual(bytes);
    expect(decode(tensorProto, bytes)).toEqual(tensor);
  });

  it("reads weights as views on the file", () => {
    const bytes = tinyClassifier();
    for (const { raw_data } of decode(modelProto, bytes).graph?.initializer ?? []) {
      expect(raw_data?.buffer).toBe(bytes.buffer);
    }
  });

  it("keeps 64-bit integers exactly", () => {
    const ints = [0n, 1n, 127n, 128n, -1n, 2n ** 31n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)];
    expect(decode(attributeProto, encode(attributeProto, { ints })).ints).toEqual(ints);
  });

  it("keeps floats and text of every width exactly", () => {
    const floats = [0, -0, 1.5, 3.4028234663852886e38, 1.401298464324817e-45, Number.POSITIVE_INFINITY];
    const name = "a é ∂ 🙂 \u0000 \uFEFF";
    expect(decode(attributeProto, encode(attributeProto, { floats, name }))).toEqual({ floats, name });
  });

  it("keeps fields it does not know, of every wire type, behind the others", () => {
    const known = encode(attributeProto, { name: "n" });
    const unknown = [
      bytesOf(0xa0, 0x06, 0x05), // field 100, varint 5
      bytesOf(0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8), // field 100, 8 bytes
      bytesOf(0xa2, 0x06, 2, 9, 9), // field 100, length 2
      bytesOf(0xa5, 0x06, 1, 2, 3, 4), // field 100, 4 bytes
    ];
    const bytes = Uint8Array.from([...(unknown[0] ?? []), ...known, ...unknown.slice(1).flatMap((u) => [...u])]);
    const message = decode(attributeProto, bytes);
    expect(message.unknown).toEqual(unknown);
    expect(encode(attributeProto, message)).toEqual(Uint8Array.from([...known, ...unknown.flatMap((u) => [...u])]));
  });

  it("reads repeated numbers packed and unpacked alike", () => {
    const unpacked = bytesOf(0x40, 1, 0x40, 0x80, 0x01); // ints is field 8
    const packed = bytesOf(0x42, 3, 1, 0x80, 0x01);
    expect(decode(attributeProto, unpacked).ints).toEqual([1n, 128n]);
    expect(decode(attributeProto, packed).ints).toEqual([1n, 128n]);
  });

  it("takes the last of a scalar that occurs twice, and merges messages", () => {
    const twice = Uint8Array.from([
      ...encode(modelProto, { producer_name: "a", graph: { name: "g" } }),
      ...encode(modelProto, { producer_name: "b", graph: { node: [{ op_type: "Relu" }] } }),
    ]);
    const model = decode(modelProto, twice);
    expect(model.producer_name).toBe("b");
    expect(model.graph).toEqual({ name: "g", node: [{ op_type: "Relu" }] });
  });

  it("tells an absent field from an empty one", () => {
    expect(decode(modelProto, encode(modelProto, { producer_name: "" }))).toEqual({ producer_name: "" });
    expect(decode(modelProto, bytesOf())).toEqual({});
  });
});

/** `graph.node[0].attribute[0]` around the bytes of an attribute. */
const inAttribute = (...attribute: readonly number[]): Uint8Array => {
  const wrap = (tag: number, inner: readonly number[]): readonly number[] => [tag, inner.length, ...inner];
  return Uint8Array.from(wrap(0x3a, wrap(0x0a, wrap(0x2a, attribute))));
};

/** Bytes, and what the error must say of them. */
const hostile: readonly (readonly [what: string, bytes: Uint8Array, message: RegExp])[] = [
  ["a length beyond the end", bytesOf(0x3a, 0x7f, 1), /"graph" at byte 1: the length 127 is beyond the 1 bytes/],
  [
    "a length of 2^35",
    bytesOf(0x3a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01),
    /"graph" at byte 1: the length 34359738368 is/,
  ],
  ["a length of 2^63", bytesOf(0x3a, ...Array(9).fill(0x80), 0x01), /"graph" at byte 1: the number \S+ is beyond any/],
  [
    "a varint without end",
    bytesOf(0x08, 0x80, 0x80),
    /"ir_version" at byte 1: the bytes end in the middle of a number/,
  ],
  [
    "a varint of eleven bytes",
    bytesOf(0x08, ...Array(10).fill(0x80), 1),
    /"ir_version" at byte 1: the varint is longer/,
  ],
  ["a varint of 70 bits", bytesOf(0x08, ...Array(9).fill(0xff), 0x7f), /"ir_version" at byte 1: .*more than 64 bits/],
  ["a string where a number belongs", bytesOf(0x0a, 1, 65), /"ir_version" at byte 1: wire type 2 where 0 belongs/],
  ["a number where a message belongs", bytesOf(0x38, 1), /"graph" at byte 1: wire type 0 where 2 belongs/],
  ["a group", bytesOf(0xa3, 0x06), /at byte 2: wire type 3 does not exist in ONNX/],
  ["field number 0", bytesOf(0x00, 1), /at byte 0: field number 0 does not exist/],
  ["text that is not UTF-8", bytesOf(0x12, 2, 0xc3, 0x28), /"producer_name" at byte 2: the text is not UTF-8/],
  ["a float cut short", inAttribute(0x15, 0, 0), /"graph.node\[0\].attribute\[0\].f" at byte 7: .* 4-byte number/],
  [
    "a length beyond its own message",
    inAttribute(0x0a, 9),
    /attribute\[0\].name" at byte 7: the length 9 is beyond the 0/,
  ],
  ["packed numbers cut short", inAttribute(0x42, 1, 0x80), /attribute\[0\].ints\[0\]" at byte 8: the bytes end/],
];

describe("hostile bytes", () => {
  it.each(hostile)("are refused with field and offset: %s", (_, bytes, message) => {
    const attempt = (): unknown => decode(modelProto, bytes);
    expect(attempt).toThrow(AppError);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(/^cannot read the ONNX model: /);
  });

  it("are refused wherever a file is cut, or read as what is there", () => {
    const bytes = tinyClassifier();
    for (let end = 0; end < bytes.length; end++) {
      try {
        decode(modelProto, bytes.subarray(0, end));
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
    }
  });

  it("cannot make memory grow out of proportion: two bytes an element, millions of them, are refused", () => {
    const nodes = new Uint8Array(2 * 2_000_001).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
    expect(() => decode(modelProto, encode(modelProto, { graph: { unknown: [nodes] } }))).toThrow(
      /has more than 2000000 repeated elements/,
    );
  });
});
