/** @file The sweep against the golden gradients of every operator (PyTorch autograd in float64), on the interpreter. */
import { afterAll, describe, expect, it } from "vitest";
import { backward } from "../../shared/autodiff/backward.ts";
import { rules } from "../../shared/autodiff/rules.ts";
import { GraphBuilder } from "../../shared/graph/builder.ts";
import type { Graph, Value } from "../../shared/graph/ir.ts";
import { evaluate } from "../support/evaluate.ts";
import { type GoldenOp, goldenOps, openGolden, readGolden, relativeError } from "../support/golden-ops.ts";
import { hasSharedData } from "../support/shared-data.ts";

/**
 * The README allows 1e-5 in float32 arithmetic. Here only the files (2^-24 of the largest element) and the constants
 * the rules write are rounded, because the models are float32.
 */
const tolerance = 2e-7;

describe.runIf(hasSharedData)("the gradient graph agrees with the golden gradients", () => {
  let worst = { name: "", error: 0 };
  let compared = 0;
  afterAll(() =>
    console.info(`worst of ${compared} golden gradients: ${worst.error.toExponential(2)} (${worst.name})`),
  );

  for (const golden of goldenOps().filter(({ ort_error }) => ort_error === undefined)) {
    it(golden.name, () => {
      const { graph, feeds } = openGolden(golden);
      const g = new GraphBuilder(graph);
      const seeds = new Map<Value, Value>();
      golden.outputs.forEach(({ name, cotangent }, i) => {
        const y = graph.outputs.find((v) => v.name === name);
        if (y?.type === undefined) throw new Error(`output "${name}" has no type`);
        const u = g.input(`cotangent/${i}`, y.type);
        seeds.set(y, u);
        feeds.set(u, readGolden(cotangent));
      });
      const wanted = targets(golden, graph);
      const gradients = backward(g, seeds, [...wanted.keys()]);
      const found = evaluate(g.build(gradients), feeds);
      [...wanted.values()].forEach((file, i) => {
        const gradient = gradients[i];
        const tensor = gradient && (found.get(gradient) ?? feeds.get(gradient));
        const expected = readGolden(file);
        expect(tensor?.dims).toEqual(expected.dims);
        const error = relativeError(tensor?.data ?? [], expected.data);
        if (error > worst.error) worst = { name: golden.name, error };
        compared += 1;
        expect(error).toBeLessThan(tolerance);
      });
    });
  }
});

describe.runIf(hasSharedData)("the table of rules", () => {
  it("has an entry for every operator of the golden battery", () => {
    const used = goldenOps()
      .filter(({ ort_error }) => ort_error === undefined)
      .flatMap((golden) => openGolden(golden).graph.nodes.map((node) => node.op));
    expect([...new Set(used)].filter((operator) => !Object.hasOwn(rules, operator))).toEqual([]);
  });
});

/** The values the case has gradients for, with their files: inputs, and weights by their initializer's name. */
function targets({ inputs, weights }: GoldenOp, graph: Graph): ReadonlyMap<Value, string> {
  const values = new Set([...graph.inputs, ...graph.nodes.flatMap((node) => node.inputs)]);
  const named = new Map([...values].flatMap((v) => (v === null ? [] : [[v.name, v] as const])));
  return new Map(
    [...inputs, ...weights].map(({ name, grad }) => {
      const value = named.get(name);
      if (value === undefined) throw new Error(`the graph has no tensor "${name}"`);
      return [value, grad] as const;
    }),
  );
}
