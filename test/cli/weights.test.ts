/** @file `backlight weights`: what it measures on small datasets, and that `explain` takes what it prints. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Box, dataset, model, voc } from "./evaluate-place.ts";
import { tinyWorkplace, type Workplace } from "./workplace.ts";

let place: Workplace;
let folder: string;
const box: Box = [1, 1, 30, 30];
beforeAll(async () => {
  place = await tinyWorkplace();
  const shown = ["cat", "dog", "cat", "dog", "ant"];
  folder = await dataset(
    place,
    "data",
    shown.length,
    Object.fromEntries(shown.map((name, i) => [`Annotations/${i}.xml`, voc([[name, box]])])),
  );
});
afterAll(() => place.remove());

interface Found {
  readonly strategies: readonly {
    readonly strategy: string;
    readonly measured: readonly number[];
    readonly weights: readonly number[];
    readonly note: string;
  }[];
}

const layers = ["--layers", "relu1,relu2"];
const weigh = async (strategy: string, ...more: readonly string[]) => {
  const argv = ["weights", folder, ...model(place), ...layers, "--strategy", strategy, "--out", place.at("out")];
  const ran = await place.run(...argv, ...more);
  return { ...ran, found: () => (place.json("out/weights.json") as Found).strategies }; // the command's own document
};

describe("weights", () => {
  it("measures every strategy of a labelled folder, and shares sum to 1", async () => {
    const { code, err, found } = await weigh("feature-spread,accuracy,pointing-accuracy,class-contrast");
    expect(code, err).toBe(0);
    expect(found().map((s) => s.strategy)).toEqual([
      "feature-spread",
      "accuracy",
      "pointing-accuracy",
      "class-contrast",
    ]);
    for (const { strategy, measured, weights } of found()) {
      expect(measured, strategy).toHaveLength(2);
      expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
      const total = measured.reduce((a, b) => a + b, 0);
      for (const [i, weight] of weights.entries())
        expect(weight).toBeCloseTo(total > 0 ? measured[i]! / total : 0.5, 12);
    }
  });

  it("says what the probe was trained on: annotations, or the model's own predictions", async () => {
    const annotated = await weigh("accuracy");
    expect(annotated.out).toContain("4 images left out in turn, 2 classes labelled by annotation");
    expect(annotated.out).toContain("1 images left out, their class being shown once");
    // The model says the same of all these noises: of its predictions there is but one class, of the annotations three.
    const alone = ["weights", `${folder}/images`, ...model(place), ...layers, "--strategy", "accuracy"];
    const { code, err } = await place.run(...alone, "--out", place.at("alone"));
    expect(code).toBe(2);
    expect(err).toContain("of 5 images 5 share their class with another, 1 classes in all");
  });

  it("prints what explain takes", async () => {
    const { out } = await weigh("feature-spread");
    const [, passed = ""] = /^(--layers relu1,relu2 --weights [\d.,]+)$/m.exec(out) ?? [];
    expect(passed).not.toBe("");
    const argv = ["explain", place.at("photo.png"), ...model(place), "--write", "json", "--out", place.at("explained")];
    const { code, err } = await place.run(...argv, ...passed.split(" "));
    expect(code, err).toBe(0);
  });

  it("gives a layer whose maps are flat or class-blind no weight by class contrast", async () => {
    // At the input of the global average the gradient is the same everywhere, and NormGrad the same for every class.
    for (const method of ["gradient", "norm-grad"]) {
      const { code, found } = await weigh("class-contrast", "--method", method);
      expect(code).toBe(0);
      expect(found()[0]?.weights, method).toEqual([1, 0]);
    }
  });

  it("refuses a strategy there is not, and pointing accuracy without annotations", async () => {
    const unknown = await weigh("class-contrasts");
    expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining("did you mean class-contrast?")]);
    const argv = ["weights", `${folder}/images`, ...model(place), "--strategy", "pointing-accuracy"];
    const bare = await place.run(...argv, "--out", place.at("bare"));
    expect(bare.code).not.toBe(0);
    expect(bare.err).toContain("annotations");
  });
});
