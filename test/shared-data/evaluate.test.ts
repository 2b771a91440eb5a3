/** @file The interpreter against the golden outputs of every operator: the judge is judged first. */
import { afterAll, describe, expect, it } from "vitest";
import { evaluate } from "../support/evaluate.ts";
import { goldenOps, openGolden, readGolden, relativeError } from "../support/golden-ops.ts";
import { hasSharedData } from "../support/shared-data.ts";

/** The files hold float32, rounded by up to 2^-24 of each element; the README allows 2e-6. */
const tolerance = 2 ** -23;

describe.runIf(hasSharedData)("the float64 interpreter agrees with the golden outputs", () => {
  let worst = { name: "", error: 0 };
  afterAll(() => console.info(`worst of the interpreter: ${worst.error.toExponential(2)} (${worst.name})`));

  for (const golden of goldenOps().filter(({ ort_error }) => ort_error === undefined)) {
    it(golden.name, () => {
      const { graph, feeds } = openGolden(golden);
      const found = evaluate(graph, feeds);
      for (const { name, file } of golden.outputs) {
        const value = graph.outputs.find((v) => v.name === name);
        const tensor = value && found.get(value);
        const expected = readGolden(file);
        expect(tensor?.dims).toEqual(expected.dims);
        const error = relativeError(tensor?.data ?? [], expected.data);
        if (error > worst.error) worst = { name: golden.name, error };
        expect(error).toBeLessThan(tolerance);
      }
    });
  }
});
