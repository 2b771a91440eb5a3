/** @file Every rule against finite differences, and that no rule goes without a case. */
import { describe, expect, it } from "vitest";
import { differentiable } from "../../shared/autodiff/rules.ts";
import { checkGradient, operatorsOf } from "../support/check-gradient.ts";
import { families } from "./cases.ts";

/** Whole networks have the kinks of many units and run in no time: more seeds. */
const networkSeeds = [0xdeadbeef, 0x5eed, 0xcafe, 0xf00d, 0xbead];

for (const [family, cases] of Object.entries(families)) {
  describe(`the gradient agrees with the slope: ${family}`, () => {
    for (const [name, check] of Object.entries(cases)) {
      it(name, () => {
        checkGradient(check, family === "networks" ? { seeds: networkSeeds } : {});
      });
    }
  });
}

describe("the table of cases", () => {
  const all = Object.values(families).flatMap((cases) => Object.entries(cases));

  it("has a case for every rule", () => {
    const covered = new Set(all.flatMap(([, check]) => [...operatorsOf(check)]));
    expect(differentiable.filter((operator) => !covered.has(operator))).toEqual([]);
  });

  it("names each case for an operator it contains", () => {
    const wrong = all.filter(([name, check]) => {
      const operator = name.split(",")[0] ?? "";
      return operator !== "network" && !operatorsOf(check).has(operator);
    });
    expect(wrong.map(([name]) => name)).toEqual([]);
  });
});
