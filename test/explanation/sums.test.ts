/** @file Sums of classes in words: what they are read as, fed as, and reported as. */
import { describe, expect, it } from "vitest";
import type { Prediction } from "../../shared/explanation/prediction.ts";
import { readSums, resolvedSum, sumFeeds, termsOf } from "../../shared/explanation/sums.ts";

const labels = ["cat, felis", "sheep-dog", "dog - wild", "bird"];
const read = (...texts: readonly string[]) => readSums(texts, labels, 4);
const terms = (text: string) => read(text)[0]?.terms.map((t) => [t.target.value, t.coefficient]);

describe("a target in words", () => {
  it.each([
    ["cat", [[0, 1]]],
    [
      "cat - bird",
      [
        [0, 1],
        [3, -1],
      ],
    ],
    [
      "3 + sheep-dog - felis",
      [
        [3, 1],
        [1, 1],
        [0, -1],
      ],
    ],
    [
      "top1 - top2",
      [
        [-1, 1],
        [-2, -1],
      ],
    ],
    [
      "-1 - -4",
      [
        [-1, 1],
        [-4, -1],
      ],
    ],
    ["dog - wild", [[2, 1]]],
  ])("reads %s", (text, expected) => {
    expect(terms(text)).toEqual(expected);
  });

  it("is the top class where none is named", () => {
    expect(read()[0]).toMatchObject({ text: "top1", terms: [{ target: { value: -1 }, coefficient: 1 }] });
  });

  it.each([
    ["cat - wolf", /"wolf": no class has such a name/],
    ["cat -  - bird", /"- bird": no class has such a name/],
  ])("refuses %s", (text, message) => {
    expect(() => read(text)).toThrowError(message);
  });

  it("needs as many places as the longest sum has terms", () => {
    expect(termsOf(["cat", "cat - bird + 1"], labels)).toBe(3);
    expect(termsOf(["dog - wild", "cat"], labels)).toBe(1);
    expect(termsOf([], labels)).toBe(1);
  });
});

describe("what the explainer is fed", () => {
  const [difference] = read("cat - bird");
  const [single] = read("bird");
  if (!difference || !single) throw new TypeError("two targets");

  it("is the class alone where it takes one", () => {
    expect(sumFeeds(single, undefined)).toEqual({ target: { dtype: "int64", dims: [1], data: BigInt64Array.of(3n) } });
  });

  it("is every term with its sign, places left over counting nothing", () => {
    expect(sumFeeds(difference, 3)).toEqual({
      target: { dtype: "int64", dims: [1, 3], data: BigInt64Array.of(0n, 3n, 0n) },
      coefficient: { dtype: "float32", dims: [1, 3], data: Float32Array.of(1, -1, 0) },
    });
    expect(sumFeeds(single, 2)["coefficient"]?.data).toEqual(Float32Array.of(1, 0));
  });
});

describe("what is reported", () => {
  const ranking = [3, 0, 1, 2].map((index, i) => ({
    class: index,
    name: labels[index] ?? "",
    score: 4 - i,
    probability: (4 - i) / 10,
  }));
  const prediction: Prediction = { kind: "softmax", ranking };
  const report = (text: string) => {
    const [target] = read(text);
    if (!target) throw new TypeError("a target");
    return resolvedSum(target, prediction, labels);
  };

  it("of one class is its place, score and probability", () => {
    expect(report("cat")).toEqual({ asked: "cat", class: 0, name: "cat, felis", score: 3, probability: 0.3, rank: 2 });
  });

  it("of a sum is the sum, its terms by name, and no place", () => {
    const found = report("top1 - cat");
    expect(found).toMatchObject({ asked: "top1 - cat", class: 3, name: "bird - cat", score: 1, rank: 0 });
    expect(found.probability).toBeCloseTo(0.1, 12);
    expect(found.terms).toEqual([
      { class: 3, name: "bird", coefficient: 1 },
      { class: 0, name: "cat, felis", coefficient: -1 },
    ]);
  });
});
