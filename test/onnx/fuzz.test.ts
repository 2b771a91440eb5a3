/** @file A few thousand mutated files on every run; `npm run fuzz` does a million. */
import { describe, expect, it } from "vitest";
import { check } from "../../infra/fuzz/check.ts";
import { corpus } from "../../infra/fuzz/corpus.ts";
import { drawFrom, mutant } from "../../infra/fuzz/mutate.ts";

const files = 4000;

describe("the importer under mutated files", () => {
  it.each(corpus.map((bytes, i) => [i, bytes] as const))("accepts file %i of the corpus as it is", (_, bytes) => {
    expect(check(bytes)).toBe("graph");
  });

  it("ends every file in a graph or a clear error", () => {
    const outcomes = new Map<string, number>();
    for (let index = 0; index < files; index++) {
      const outcome = check(mutant(drawFrom(index), corpus));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    // Mutations that are all refused, or all harmless, would test nothing.
    expect(outcomes.get("graph")).toBeGreaterThan(files / 20);
    expect(outcomes.get("model-malformed")).toBeGreaterThan(files / 4);
    expect(outcomes.get("model-unsupported")).toBeGreaterThan(0);
    expect(outcomes.get("model-missing-data")).toBeGreaterThan(0);
  });

  it("draws the same mutants from the same seed, and different ones from others", () => {
    expect(mutant(drawFrom(5), corpus)).toEqual(mutant(drawFrom(5), corpus));
    const distinct = new Set(Array.from({ length: 200 }, (_, i) => mutant(drawFrom(i), corpus).join()));
    expect(distinct.size).toBeGreaterThan(190);
  });
});
