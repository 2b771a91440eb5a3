/** @file Arithmetic on dimensions, in its canonical text. */
import { describe, expect, it } from "vitest";
import {
  add,
  cancel,
  ceilDiv,
  floorDiv,
  isAtLeast,
  max,
  min,
  mul,
  product,
  quotient,
  sub,
} from "../../shared/graph/dims.ts";
import type { Dim } from "../../shared/graph/ir.ts";

describe("dimension arithmetic", () => {
  const cases: readonly (readonly [string, Dim, Dim])[] = [
    ["numbers", add(2, mul(3, 4)), 14],
    ["a symbol unchanged", add("N", 0), "N"],
    ["terms in one order", add(1, add("W", "H")), "H+W+1"],
    ["like terms together", add("N", "N"), "2*N"],
    ["terms that cancel", sub(add("H", 3), "H"), 3],
    ["products multiplied out", mul(add("H", 1), add("W", 2)), "2*H+H*W+W+2"],
    ["factors in one order", mul("W", mul("H", "C")), "C*H*W"],
    ["what is subtracted last", sub("A", "B"), "A-B"],
    ["a negative alone", sub(5, "N"), "-N+5"],
    ["a stride", add(floorDiv(sub("H", 1), 2), 1), "floor((H+1)/2)"],
    ["the same stride written otherwise", ceilDiv("H", 2), "floor((H+1)/2)"],
    ["two strides as one", ceilDiv(ceilDiv("H", 2), 2), "floor((H+3)/4)"],
    ["whole parts taken out of a floor", floorDiv(add(mul(4, "H"), 3), 2), "2*H+1"],
    ["a common factor of a floor", floorDiv(add(mul(2, "H"), 1), 6), "floor(H/3)"],
    ["an even division by a symbol", floorDiv(mul(mul("N", "C"), 6), mul("N", 2)), "3*C"],
    ["an odd division by a symbol", floorDiv("H", "W"), "floor(H/W)"],
    ["a floor of a product", floorDiv(mul("H", "W"), 4), "floor(H*W/4)"],
    ["a minimum that can be told", min(add("H", 1), "H"), "H"],
    ["a minimum with 1, which no symbol is below", min(1, "H"), 1],
    ["a maximum with 0", max(0, sub("H", 1)), "H-1"],
    ["a maximum of a floor that is at least 1", max(1, floorDiv(add("H", 1), 2)), "floor((H+1)/2)"],
    ["a minimum that cannot be told", min("H", 5), "min(5,H)"],
    ["arithmetic on a minimum", sub(min("H", 5), min(5, "H")), 0],
    ["a name with a blank as one symbol", add("my dim", 0), "my dim"],
    ["the shape of nothing", product([]), 1],
  ];
  it.each(cases)("writes %s", (_name, found, expected) => expect(found).toBe(expected));

  it("reads back what it writes", () => {
    for (const [, found] of cases) expect(add(found, 0)).toBe(found);
  });

  it("does not say more than it knows", () => {
    expect(isAtLeast("H", "W")).toBe(false);
    expect(isAtLeast(sub("H", 2), 0)).toBe(false);
    expect(isAtLeast(floorDiv("H", 2), 1)).toBe(false);
    expect(isAtLeast(floorDiv("H", 2), 0)).toBe(true);
  });

  it("takes each shared extent out once", () => {
    expect(cancel(["N", 3, "N"], [3, "N", 5])).toEqual([["N"], [5]]);
  });

  it("finds what -1 stands for, and that it stands for nothing", () => {
    expect(quotient(["N", 3, "H", "W"], ["N", 3])).toBe("H*W");
    expect(quotient([add("H", 1), "N", 4], [add("H", 1), 2])).toBe("2*N");
    expect(quotient([2, 3], [4])).toBeUndefined();
    expect(quotient([3], [0])).toBeUndefined();
  });

  it("takes hostile text as a name, and hostile growth as an error", () => {
    const deep = "(".repeat(1000);
    expect(add(deep, 0)).toBe(deep);
    let dim: Dim = "H";
    const square = (): void => {
      for (let i = 0; i < 40; i += 1) dim = mul(add(dim, `s${i}`), add(dim, 1));
    };
    expect(square).toThrowError(expect.objectContaining({ code: "model-unsupported" }));
  });

  it("agrees with numbers", () => {
    const strides = (h: Dim): Dim => floorDiv(sub(ceilDiv(add(floorDiv(sub(h, 3), 2), 1), 2), 1), 3);
    const text = String(strides("H")).replaceAll("floor", "Math.floor");
    const at = new Function("H", `return ${text}`);
    for (let h = 3; h < 100; h += 1) expect(at(h)).toBe(strides(h));
  });
});
