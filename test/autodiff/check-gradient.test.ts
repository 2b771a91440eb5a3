/** @file The checker is checked: each way a rule can be wrong must make it throw, and say where. */
import { describe, expect, it } from "vitest";
import { rules } from "../../shared/autodiff/rules.ts";
import { flat, type Rule, type RuleTable } from "../../shared/autodiff/vjp.ts";
import { int } from "../../shared/graph/attributes.ts";
import { checkGradient, type GradientCase } from "../support/check-gradient.ts";

/** The true table with one rule replaced. */
function withRule(operator: string, pull: Rule): RuleTable {
  const entry = rules[operator];
  if (entry?.kind !== "rule") throw new Error(`${operator} has no rule to replace`);
  return { ...rules, [operator]: { ...entry, pull } };
}
const gelu: GradientCase = { inputs: [[3]], build: ({ g }, x) => g.node("Gelu", [x]) };
const product: GradientCase = { inputs: [[2, 3], [3]], build: ({ g }, a, b) => g.mul(a, b) };
const softmax: GradientCase = { inputs: [[3, 3]], build: ({ g }, x) => g.node("Softmax", [x], { axis: int(0) }) };
const twoPaths: GradientCase = { inputs: [[3]], build: ({ g }, x) => g.mul(g.exp(x), x) };
const weighted: GradientCase = { inputs: [[2, 3]], build: ({ g, weight }, x) => g.matmul(x, weight([3, 2])) };

describe("the checker passes", () => {
  it("the true rules of every graph used below", () => {
    for (const check of [gelu, product, softmax, twoPaths, weighted]) checkGradient(check);
  });
});

describe("the checker throws when a rule", () => {
  it("is off by a factor of 1.000001", () => {
    const table = withRule("Exp", ({ g, y, dy }) => [() => g.scale(g.mul(dy, y()), 1.000001)]);
    expect(() => checkGradient(twoPaths, { table })).toThrow(/gradient .* slope .* seed 0xdeadbeef/);
  });

  it("misses a term", () => {
    const table = withRule("Softmax", ({ g, y, dy }) => [() => g.mul(y(), dy)]);
    expect(() => checkGradient(softmax, { table })).toThrow(/slope/);
  });

  it("swaps its operands", () => {
    const table = withRule("Mul", ({ g, x, dy }) => [() => g.mul(dy, x(0)), () => g.mul(dy, x(1))]);
    expect(() => checkGradient(product, { table })).toThrow(/input 0/);
  });

  it("sums over the wrong axis of a square tensor", () => {
    const table = withRule("Softmax", ({ g, y, dy }) => [() => g.mul(y(), g.sub(dy, g.sum(g.mul(dy, y()), [1])))]);
    expect(() => checkGradient(softmax, { table })).toThrow(/slope/);
  });

  it("is wrong for a weight alone", () => {
    const table = withRule("MatMul", (site) => {
      const entry = rules["MatMul"];
      const right = entry?.kind === "rule" ? entry.pull(site) : [];
      return [right[0] ?? null, () => site.g.neg(right[1]?.() ?? site.dy)];
    });
    expect(() => checkGradient(weighted, { table })).toThrow(/weight 0/);
  });

  it("says there is no gradient", () => {
    expect(() => checkGradient(gelu, { table: { ...rules, Gelu: flat("a lie") } })).toThrow(/gradient 0, slope/);
    expect(() => checkGradient(product, { table: withRule("Mul", () => [null, null]) })).toThrow(/gradient 0, slope/);
  });

  it("makes something of another shape", () => {
    const table = withRule("MatMul", ({ g, x, dy }) => [() => g.transpose(g.matmul(dy, x(1)), [1, 0]), null]);
    expect(() => checkGradient(weighted, { table })).toThrow();
  });

  it("makes NaN", () => {
    const table = withRule("Gelu", ({ g, dy }) => [() => g.node("Log", [g.neg(g.abs(dy))])]);
    expect(() => checkGradient(gelu, { table })).toThrow(/NaN/);
  });
});

describe("the checker's own coverage", () => {
  it("tries every extent of a symbolic dimension", () => {
    // Right for one row, wrong for more: the mean over the batch in place of the sum.
    const table = withRule("Gemm", (site) => {
      const entry = rules["Gemm"];
      const right = entry?.kind === "rule" ? entry.pull(site) : [];
      return [right[0] ?? null, right[1] ?? null, () => site.g.mean(site.dy, [0])];
    });
    const check: GradientCase = {
      inputs: [["N", 3]],
      build: ({ g, weight }, x) => g.node("Gemm", [x, weight([3, 2]), weight([1, 2])]),
    };
    expect(() => checkGradient({ ...check, extents: { N: [1] } }, { table })).not.toThrow();
    expect(() => checkGradient(check, { table })).toThrow(/weight 1/);
  });

  it("gives every output a cotangent", () => {
    const table = withRule("Split", ({ g, node, dyAt }) => [
      () => g.concat([dyAt(0), g.zerosLike(node.outputs[1] ?? dyAt(0))], 0),
    ]);
    const check: GradientCase = {
      inputs: [[4]],
      build: ({ g }, x) => g.multi("Split", [x], { axis: int(0), num_outputs: int(2) }, 2),
    };
    expect(() => checkGradient(check, { table })).toThrow(/slope/);
  });
});
