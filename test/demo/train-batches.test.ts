/**
 * @file What the trainer learns from: which scenes, how they are cut and changed, that nothing but the step decides it.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { type Atlas, loadAtlas } from "../../infra/demo/atlas.ts";
import { randomFrom } from "../../infra/demo/random.ts";
import { augment } from "../../infra/demo/train/augment.ts";
import { openBatches } from "../../infra/demo/train/batch-thread.ts";
import {
  batchOf,
  firstTrainingSeed,
  sampleOf,
  testSeeds,
  trainingBatches,
  validationSeeds,
} from "../../infra/demo/train/batches.ts";
import { architecture } from "../../infra/demo/train/classifier.ts";
import type { TrainingPlan } from "../../infra/demo/train/plan.ts";

const plan: TrainingPlan = {
  net: { ...architecture, size: 64 },
  phases: [
    { steps: 3, batch: 4, size: 32, changes: 1 },
    { steps: 3, batch: 2, size: 64, changes: 0.5 },
  ],
  seed: 7,
  rate: 0.001,
};

let sprites: Atlas;
beforeAll(async () => {
  sprites = await loadAtlas();
});

describe("training batches", () => {
  it("depend on their step alone, not on what was asked for before", () => {
    const forwards = trainingBatches(plan, sprites);
    const inOrder = [0, 1, 2, 3, 4].map(forwards);
    expect(trainingBatches(plan, sprites)(4)).toEqual(inOrder[4]);
    expect(inOrder[4]?.images).not.toEqual(inOrder[3]?.images);
  });

  it("are the same from a thread, which can be closed while it works", async () => {
    const { next, close } = openBatches(plan);
    const direct = trainingBatches(plan, sprites);
    expect(await next(0)).toEqual(direct(0));
    expect(await next(3)).toEqual(direct(3));
    await close();
    await expect(next(5)).rejects.toThrow("ended");
  });

  it("have the sizes of the plan's phases", () => {
    const batches = trainingBatches(plan, sprites);
    expect(batches(2)).toMatchObject({ images: { length: 4 * 3 * 32 * 32 }, labels: { length: 4 * 24 } });
    expect(batches(3)).toMatchObject({ images: { length: 2 * 3 * 64 * 64 }, labels: { length: 2 * 24 } });
  });

  it("come from scenes that no test looks at", () => {
    for (const { first, count } of [testSeeds, validationSeeds]) expect(first + count).toBeLessThan(firstTrainingSeed);
    expect(validationSeeds.first).toBeGreaterThanOrEqual(testSeeds.first + testSeeds.count);
  });
});

describe("a batch", () => {
  it("holds planes of normalised channels, and 1 for each class of the scene", () => {
    const sample = sampleOf(3, { size: 64, styles: "seen", sprites });
    const { images, labels } = batchOf([sample], 24);
    const at = 10 * 64 + 20;
    for (const c of [0, 1, 2]) {
      expect(images[c * 64 * 64 + at]).toBeCloseTo(((sample.data[at * 3 + c] ?? 0) / 255 - 0.5) / 0.25, 6);
    }
    const shown = Array.from(labels.keys()).filter((i) => labels[i] === 1);
    expect(shown).toEqual(sample.objects.map((o) => o.classIndex).sort((a, b) => a - b));
  });

  it("says of an object that is cut how much of it there is: half or more is all", () => {
    const box = { x: 0, y: 0, width: 8, height: 8 };
    const labelAt = (x: number, y: number): number | undefined =>
      batchOf([{ size: 16, data: new Uint8Array(768), objects: [{ classIndex: 1, box: { ...box, x, y } }] }], 2)
        .labels[1];
    expect(labelAt(4, 4)).toBe(1);
    expect(labelAt(-4, 4)).toBe(1);
    expect(labelAt(-6, 4)).toBeCloseTo(0.5);
    expect(labelAt(-4, 12)).toBeCloseTo(0.5);
    expect(labelAt(20, 4)).toBe(0);
  });
});

describe("augmentation", () => {
  it("changes every picture, each in its own way, the same from the same numbers", () => {
    const { data } = sampleOf(3, { size: 64, styles: "seen", sprites });
    const changed = (seed: number): Uint8Array => {
      const copy = data.slice();
      augment(copy, 64, 1, randomFrom(seed));
      return copy;
    };
    const all = Array.from({ length: 12 }, (_, seed) => changed(seed).join());
    expect(new Set([data.join(), ...all]).size).toBe(13);
    expect(changed(5).join()).toBe(all[5]);
  });
});
