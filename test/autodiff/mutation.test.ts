/**
 * @file Every rule, broken on purpose: for each gradient a rule makes, wrong versions of it, each of which some case
 * must catch. What survives is a rule nobody would notice breaking.
 */
import { afterAll, describe, expect, it } from "vitest";
import { rules } from "../../shared/autodiff/rules.ts";
import type { Pullback, Rule, RuleTable, Site } from "../../shared/autodiff/vjp.ts";
import { sameShape, shapeOf } from "../../shared/graph/builder.ts";
import type { Value } from "../../shared/graph/ir.ts";
import { assemble, checkGradient, type GradientCase, operatorsOf, seeds } from "../support/check-gradient.ts";
import { families } from "./cases.ts";

/** One way to be wrong: from the right gradient to another, or undefined where that would not be wrong at all. */
type Mutation = (site: Site, right: Pullback, input: Value) => Value | undefined;

const mutations: Readonly<Record<string, Mutation>> = {
  "scaled by 1.01": ({ g }, right) => g.scale(right(), 1.01),
  negated: ({ g }, right) => g.neg(right()),
  "replaced by zeros": ({ g }, right) => g.zerosLike(right()),
  "replaced by dy": ({ dy }, right, input) => {
    const found = right();
    return found === dy || !sameShape(shapeOf(dy), shapeOf(input)) ? undefined : dy;
  },
};

/** Replaces one pullback of one rule. */
function withPullback(operator: string, index: number, make: (site: Site, right: Pullback) => Value): RuleTable {
  const entry = rules[operator];
  if (entry?.kind !== "rule") throw new Error(`${operator} has no rule`);
  const pull: Rule = (site) =>
    entry.pull(site).map((right, i) => (i === index && right !== null ? () => make(site, right) : right));
  return { ...rules, [operator]: { ...entry, pull } };
}

const alone = "dy fits only where nothing is reduced, and there it is right";
/** Mutants that are no faults, and why. */
const equivalent: Readonly<Record<string, string>> = {
  "ReduceMax: gradient of input 0 replaced by dy": alone,
  "ReduceMin: gradient of input 0 replaced by dy": alone,
  "ReduceLogSumExp: gradient of input 0 replaced by dy": alone,
  "ReduceProd: gradient of input 0 replaced by dy": alone,
};

/** Small graphs first: they find most mutants, sooner. */
const cases: readonly GradientCase[] = Object.values(families)
  .flatMap((family) => Object.values(family))
  .sort((a, b) => assemble(a, "float64", 0).g.nodes.length - assemble(b, "float64", 0).g.nodes.length);
const casesOf = new Map<string, GradientCase[]>();
for (const check of cases) {
  for (const operator of operatorsOf(check)) casesOf.set(operator, [...(casesOf.get(operator) ?? []), check]);
}

const quick = { seeds: seeds.slice(0, 1), dtypes: ["float64"] } as const;

/**
 * `killed` by some case; `survived` them all; `harmless` if, wherever it was applied, it left the rule as it was.
 */
function verdict(operator: string, index: number, mutation: Mutation): "killed" | "survived" | "harmless" {
  let survived = false;
  for (const check of casesOf.get(operator) ?? []) {
    let changed = false;
    const table = withPullback(operator, index, (site, right) => {
      const wrong = mutation(site, right, site.x(index));
      changed ||= wrong !== undefined;
      return wrong ?? right();
    });
    try {
      checkGradient(check, { ...quick, table });
    } catch {
      if (changed) return "killed";
    }
    survived ||= changed;
  }
  return survived ? "survived" : "harmless";
}

/** Which inputs of an operator its rule makes a gradient for, in some case. */
function differentiatedInputs(operator: string): readonly number[] {
  const arity = Math.max(...(casesOf.get(operator) ?? []).map((check) => inputCount(check, operator)));
  return Array.from({ length: arity }, (_, i) => i).filter((index) => {
    let asked = false;
    const table = withPullback(operator, index, (_, right) => {
      asked = true;
      return right();
    });
    for (const check of casesOf.get(operator) ?? []) if (!asked) checkGradient(check, { ...quick, table });
    return asked;
  });
}

const inputCount = (check: GradientCase, operator: string): number =>
  Math.max(...assemble(check, "float64", 0).g.nodes.map((n) => (n.op === operator ? n.inputs.length : 0)));

describe("a broken rule is caught", () => {
  const count = { mutants: 0, killed: 0, harmless: 0 };
  afterAll(() => {
    console.info(`${count.mutants} mutants of the rules, ${count.killed} killed; ${count.harmless} were no mutants`);
  });

  for (const operator of Object.keys(rules).filter((name) => rules[name]?.kind === "rule")) {
    it(operator, () => {
      const survivors: string[] = [];
      const inputs = differentiatedInputs(operator);
      expect(inputs).not.toEqual([]);
      for (const index of inputs) {
        for (const [name, mutation] of Object.entries(mutations)) {
          const mutant = `${operator}: gradient of input ${index} ${name}`;
          const result = mutant in equivalent ? "harmless" : verdict(operator, index, mutation);
          if (result === "harmless") count.harmless += 1;
          else count.mutants += 1;
          if (result === "killed") count.killed += 1;
          if (result === "survived") survivors.push(mutant);
        }
      }
      expect(survivors).toEqual([]);
    });
  }
});
