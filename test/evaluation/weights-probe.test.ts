/** @file The linear probe: its closed form against training once an image, and what it leaves out. */
import { describe, expect, it } from "vitest";
import { probeAccuracy } from "../../shared/evaluation/weights-probe.ts";
import { random } from "../support/random.ts";

/** Features around one centre a class, the more apart the larger `gap`. */
function clusters(gap: number, perClass: number, classes: number, width: number, seed = 1) {
  const next = random(seed);
  const centres = Array.from({ length: classes }, () => Array.from({ length: width }, () => gap * (next() - 0.5)));
  const labels = Array.from({ length: perClass * classes }, (_, i) => i % classes);
  const features = labels.map((c) => Float64Array.from(centres[c] ?? [], (centre) => centre + next() - 0.5));
  return { features, labels };
}

/** Ridge regression on one-hot labels with an intercept in the ridge, solved by elimination. */
function trainedWithout(rows: readonly Float64Array[], labels: readonly number[], left: number, ridge: number): number {
  const kept = rows.map((_, i) => i).filter((i) => i !== left);
  const kernel = (i: number, j: number): number => {
    const [a, b] = [rows[i] ?? new Float64Array(), rows[j] ?? new Float64Array()];
    return a.reduce((sum, value, k) => sum + value * (b[k] ?? 0), 0) / a.length + 1;
  };
  const classes = [...new Set(labels)];
  const system = kept.map((i) => [
    ...kept.map((j) => kernel(i, j) + (i === j ? ridge : 0)),
    ...classes.map((c) => (labels[i] === c ? 1 : 0)),
  ]);
  for (let p = 0; p < kept.length; p += 1) {
    const pivotRow = system[p] ?? [];
    for (const [i, row] of system.entries()) {
      if (i === p) continue;
      const factor = (row[p] ?? 0) / (pivotRow[p] ?? 1);
      for (let j = p; j < row.length; j += 1) row[j] = (row[j] ?? 0) - factor * (pivotRow[j] ?? 0);
    }
  }
  const scores = classes.map((_, c) =>
    kept.reduce((sum, j, p) => {
      const row = system[p] ?? [];
      return sum + (kernel(left, j) * (row[kept.length + c] ?? 0)) / (row[p] ?? 1);
    }, 0),
  );
  return classes[scores.indexOf(Math.max(...scores))] ?? -1;
}

function standardised(features: readonly Float64Array[]): readonly Float64Array[] {
  const rows = features.map((row) => row.slice());
  for (let k = 0; k < (rows[0]?.length ?? 0); k += 1) {
    const column = rows.map((row) => row[k] ?? 0);
    const mean = column.reduce((a, b) => a + b, 0) / column.length;
    const deviation = Math.sqrt(column.reduce((a, b) => a + (b - mean) ** 2, 0) / column.length);
    for (const row of rows) row[k] = ((row[k] ?? 0) - mean) / deviation;
  }
  return rows;
}

describe("the linear probe", () => {
  it("says what training anew without each image says", () => {
    for (const seed of [1, 2, 3]) {
      const { features, labels } = clusters(1.2, 6, 3, 5, seed);
      const rows = standardised(features);
      const right = labels.filter((label, i) => trainedWithout(rows, labels, i, 0.1) === label).length;
      expect(right, "neither all nor none are told, or nothing is compared").toBeGreaterThan(3);
      expect(right).toBeLessThan(18);
      expect(probeAccuracy(features, labels).accuracy).toBeCloseTo(right / labels.length, 12);
    }
  });

  it("tells classes that lie apart, also with more features than images", () => {
    const { features, labels } = clusters(20, 4, 3, 200);
    expect(probeAccuracy(features, labels)).toEqual({ accuracy: 1, images: 12, alone: 0, classes: 3, chance: 1 / 3 });
  });

  it("does not tell labels that have nothing to do with the features", () => {
    const { features, labels } = clusters(0, 40, 2, 4);
    expect(probeAccuracy(features, labels).accuracy).toBeLessThan(0.65);
  });

  it("does not change with the scale of a feature, nor by one that never varies", () => {
    const { features, labels } = clusters(1.2, 8, 3, 5);
    const scaled = features.map((row) => row.map((value, k) => (k === 2 ? 1000 * value - 7 : value)));
    expect(probeAccuracy(scaled, labels)).toEqual(probeAccuracy(features, labels));
    const constant = features.map((row) => Float64Array.of(...row, 3));
    expect(Number.isFinite(probeAccuracy(constant, labels).accuracy)).toBe(true);
  });

  it("leaves out images whose class is shown once, and counts them", () => {
    const { features, labels } = clusters(20, 3, 2, 4);
    const more = [...features, Float64Array.of(1, 2, 3, 4)];
    expect(probeAccuracy(more, [...labels, "owl"])).toMatchObject({ images: 6, alone: 1, classes: 2 });
  });

  it("refuses images of one class, and images that are all of different ones", () => {
    const rows = [Float64Array.of(1), Float64Array.of(2), Float64Array.of(3)];
    expect(() => probeAccuracy(rows, ["cat", "cat", "dog"])).toThrow(/two classes with two images each, and of 3/);
    expect(() => probeAccuracy(rows, ["cat", "dog", "owl"])).toThrow(
      expect.objectContaining({ code: "dataset-invalid" }),
    );
  });
});
