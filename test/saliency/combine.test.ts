/** @file What a map that is constant, or constant up to rounding, adds to a combination: nothing; and what is not. */
import { describe, expect, it } from "vitest";
import { combinedMap } from "../../shared/evaluation/weights.ts";
import { emptyGraph, GraphBuilder } from "../../shared/graph/builder.ts";
import { isFlat } from "../../shared/imaging/heatmap.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { combineMaps } from "../../shared/saliency/combine.ts";
import type { Combination } from "../../shared/saliency/spec.ts";
import { evaluate, tensor } from "../support/evaluate.ts";
import { runOnnx, tensorOf } from "../support/run-onnx.ts";

const side = 4;
const size = 2 * side;
/** One unit in the last place of float32, relative: what the order of a sum changes. */
const ulp = 2 ** -23;

type Field = (y: number, x: number) => number;
const field = (at: Field): Float32Array =>
  Float32Array.from({ length: side * side }, (_, i) => at(Math.floor(i / side), i % side));
const slope = field((y, x) => y + 2 * x);
/** The equal values of a layer before a global average pool, each summed in its own order. */
const noise = (level: number): Float32Array => field((y, x) => level * (1 + ((3 * y + 5 * x) % 4) * ulp));
const combinations: readonly Combination[] = ["sum", "product"];

/** The combination of `first` and `second`, a batch of one each, by every implementation there is. */
async function combined(how: Combination, first: Float32Array, second: Float32Array) {
  const g = new GraphBuilder(emptyGraph(18));
  const dims = [1, 1, side, side];
  const [a, b] = ["a", "b"].map((name) => g.input(name, { dtype: "float32", shape: dims }));
  if (!a || !b) throw new TypeError("two inputs");
  const sizes = { shape: [size, size], sizes: g.int64([size, size]) } as const;
  const out = g.named(combineMaps(g, [a, b], [0.5, 0.5], how, sizes), "out");
  const graph = g.build([out]);
  const values = evaluate(
    graph,
    new Map([
      [a, tensor(dims, first)],
      [b, tensor(dims, second)],
    ]),
  );
  const ran = await runOnnx(exportModel(graph), { a: tensorOf(dims, first), b: tensorOf(dims, second) });
  const given = [first, second].map((data) => ({ width: side, height: side, data }));
  const atHand = combinedMap(given, [0.5, 0.5], how, { width: size, height: size });
  return {
    interpreter: Array.from(values.get(out)?.data ?? [], Number),
    runtime: Array.from(new Float32Array(ran.get("out")?.data as Float32Array)), // the output is declared float32
    "maps at hand": Array.from(atHand.data),
  };
}

describe.each(combinations)("the %s of a layer and a constant one", (how) => {
  it.each([
    ["0", field(() => 0)],
    ["a number", field(() => 0.3)],
    ["a number up to rounding", noise(0.3)],
    ["a large number up to rounding", noise(7e20)],
    ["a small number up to rounding", noise(3e-20)],
    ["a negative number up to rounding", noise(-0.3)],
  ])("is as if that layer's map were 0, when it is constantly %s", async (_, constant) => {
    expect(isFlat(constant)).toBe(true);
    const [got, zero] = [
      await combined(how, slope, constant),
      await combined(
        how,
        slope,
        field(() => 0),
      ),
    ];
    expect(got).toEqual(zero);
    for (const values of Object.values(got)) expect(Math.max(...values)).toBe(how === "sum" ? 0.5 : 0);
  });
});

describe("a layer whose map varies by little", () => {
  it.each([
    ["by a hundred times the rounding", noise(0.3).map((v, i) => v * (1 + i * 100 * ulp))],
    ["around zero", field((y, x) => (y + x - 3) * 1e-30)],
  ])("%s still counts in full", async (_, map) => {
    expect(isFlat(map)).toBe(false);
    for (const values of Object.values(
      await combined(
        "sum",
        field(() => 0),
        map,
      ),
    )) {
      expect(Math.max(...values)).toBeCloseTo(0.5, 6);
      expect(Math.min(...values)).toBe(0);
    }
  });
});
