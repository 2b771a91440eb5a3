/** @file A new aggregation function, as the documentation adds one, against its definition at every extract. */
import { describe, expect, it } from "vitest";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { volume } from "../../shared/graph/constant.ts";
import type { Value } from "../../shared/graph/ir.ts";
import { type Aggregation, aggregates, aggregations } from "../../shared/saliency/aggregate.ts";
import { channelSum } from "../../shared/saliency/channels.ts";
import { aggregated } from "../../shared/saliency/heads.ts";
import type { Extract } from "../../shared/saliency/spec.ts";
import { evaluate, tensor } from "../support/evaluate.ts";
import { randomNumbers } from "../support/tiny-models.ts";

/**
 * The worked example: the 4-norm (sum c^4)^(1/4), between the norm, to which all entries contribute, and the maximum,
 * to which one does. Over products it is that of the two sides, because (a b)^4 = a^4 b^4.
 */
const norm4: Aggregation = {
  formula: "‖c‖₄",
  signed: false,
  each: (g, c) => g.sqrt(g.sqrt(channelSum(g, g.mul(g.mul(c, c), g.mul(c, c))))),
  products: ({ g, a, b, sumOfGroups }) => {
    const fourth = (v: Value): Value => g.mul(g.mul(v, v), g.mul(v, v));
    return g.sqrt(g.sqrt(sumOfGroups(g.mul(a.sum(fourth), b.sum(fourth)))));
  },
};

const dims = [1, 3, 4, 5] as const;
const [, K, H, W] = dims;
const x = randomNumbers(1, volume(dims));
const dy = randomNumbers(2, volume(dims));

function mapOf(aggregation: Aggregation, extract: Extract): readonly number[] {
  const g = new GraphBuilder(emptyGraph());
  const [xv, gv] = ["x", "dy"].map((name) => g.input(name, { dtype: "float32", shape: dims }));
  if (!xv || !gv) throw new TypeError("two inputs");
  const map = aggregated({ g, x: xv, dy: gv }, extract, aggregation, "norm4");
  const feeds = new Map([
    [xv, tensor(dims, Array.from(x))],
    [gv, tensor(dims, Array.from(dy))],
  ]);
  return Array.from(evaluate(g, feeds).get(map)?.data ?? []);
}

/** Every contribution at a location, by the definition of the extract. */
function contributions(extract: Extract, row: number, column: number): number[] {
  const read = (t: Float32Array, k: number, r: number, c: number): number =>
    r >= 0 && c >= 0 && r < H && c < W ? (t[(k * H + r) * W + c] ?? Number.NaN) : 0;
  const channels = Array.from({ length: K }, (_, k) => k);
  const gradient = channels.map((k) => read(dy, k, row, column));
  const patch = (k: number, reach: number): number[] =>
    Array.from({ length: (2 * reach + 1) ** 2 }, (_, t) =>
      read(x, k, row + Math.floor(t / (2 * reach + 1)) - reach, column + (t % (2 * reach + 1)) - reach),
    );
  switch (extract) {
    case "bias":
      return gradient;
    case "scaling":
      return channels.map((k) => (gradient[k] ?? 0) * read(x, k, row, column));
    case "depthwise3x3":
      return channels.flatMap((k) => patch(k, 1).map((p) => (gradient[k] ?? 0) * p));
    default: {
      const seen = channels.flatMap((k) => patch(k, extract === "conv3x3" ? 1 : 0));
      return gradient.flatMap((d) => seen.map((p) => d * p));
    }
  }
}

describe("a new aggregation function", () => {
  it.each(["bias", "scaling", "conv1x1", "conv3x3", "depthwise3x3"] as const)("is one row, for %s too", (extract) => {
    const found = mapOf(norm4, extract);
    expect(found).toHaveLength(H * W);
    found.forEach((value, u) => {
      const c = contributions(extract, Math.floor(u / W), u % W);
      expect(value).toBeCloseTo(c.reduce((s, v) => s + v ** 4, 0) ** 0.25, 10);
    });
  });

  it("without a closed form over products exists for bias and scaling, and says so elsewhere", () => {
    const { products: _, ...each } = norm4;
    expect(mapOf(each, "scaling")).toEqual(mapOf(norm4, "scaling"));
    expect(() => mapOf(each, "conv1x1")).toThrowError(
      /norm4 has no closed form .* conv1x1 .* use it with bias or scaling/,
    );
  });
});

describe("the table", () => {
  it("says of each function whether it can be negative", () => {
    for (const name of aggregates) {
      const { signed, formula }: Aggregation = aggregations[name];
      expect(formula).toContain("c");
      const least = Math.min(...mapOf(aggregations[name], "scaling"), ...mapOf(aggregations[name], "conv1x1"));
      expect(least < 0, name).toBe(signed);
    }
  });
});
