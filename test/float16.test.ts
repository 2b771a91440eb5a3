/** @file Half precision against its definition, for all 65536 bit patterns and the halves between them. */
import { describe, expect, it } from "vitest";
import { floatToHalf, halfToFloat } from "../shared/float16.ts";

describe("floatToHalf", () => {
  it("undoes halfToFloat for every half that is a number", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = halfToFloat(bits);
      if (!Number.isNaN(value) && floatToHalf(value) !== bits)
        expect.fail(`${bits} came back as ${floatToHalf(value)}`);
    }
  });

  it("rounds to the nearest, ties to even", () => {
    for (let bits = 1; bits < 0x7bff; bits++) {
      const low = halfToFloat(bits);
      const high = halfToFloat(bits + 1);
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      if (floatToHalf(middle) !== even) expect.fail(`tie at ${middle}`);
      if (floatToHalf(middle - (high - low) / 1e6) !== bits) expect.fail(`below the tie at ${middle}`);
      if (floatToHalf(middle + (high - low) / 1e6) !== bits + 1) expect.fail(`above the tie at ${middle}`);
    }
  });

  it("rounds once, from double: 1 + 2^-11 + 2^-40 lies above the tie that float32 would make of it", () => {
    expect(floatToHalf(1 + 2 ** -11 + 2 ** -40)).toBe(0x3c01);
    expect(floatToHalf(Math.fround(1 + 2 ** -11 + 2 ** -40))).toBe(0x3c00);
  });

  it("knows its ends", () => {
    expect(floatToHalf(65519.9)).toBe(0x7bff);
    expect(floatToHalf(65520)).toBe(0x7c00);
    expect(floatToHalf(Number.NEGATIVE_INFINITY)).toBe(0xfc00);
    expect(floatToHalf(-0)).toBe(0x8000);
    expect(floatToHalf(2 ** -24)).toBe(1);
    expect(floatToHalf(2 ** -25)).toBe(0);
    expect(halfToFloat(floatToHalf(Number.NaN))).toBeNaN();
  });
});
