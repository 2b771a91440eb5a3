/** @file Sweeps on paper: at any size the design stays within every limit of the platform. */
import { describe, expect, it } from "vitest";
import { limits } from "../../infra/sweep-model/limits.ts";
import { exceeded, modelOf, usual } from "../../infra/sweep-model/model.ts";
import { batchMax, concurrencyMax } from "../../shared/sweeps/definition.ts";

describe("a sweep on paper", () => {
  for (const images of [1, 1_000, 1_000_000, 100_000_000]) {
    it(`of ${images} images stays within every limit`, () => {
      expect(exceeded(modelOf({ ...usual, images }))).toEqual([]);
    });
  }

  it("stays within every limit at the largest batch and concurrency a definition may ask for", () => {
    const model = modelOf({
      ...usual,
      images: 1e8,
      batch: batchMax,
      maxConcurrency: concurrencyMax,
      millisecondsPerTask: 600,
    });
    expect(exceeded(model)).toEqual([]);
  });

  it("has a limit that is noticed where it is exceeded", () => {
    const slow = modelOf({ ...usual, images: 1e6, millisecondsPerTask: 60_000 });
    expect(exceeded(slow)).toEqual([
      expect.stringMatching(/^consumerCpu: 6000000 of 60000/),
      expect.stringMatching(/^consumerWall: /),
    ]);
  });

  it("goes on in a further Workflow instance before one has too many steps", () => {
    const model = modelOf({ ...usual, images: 100_000_000 });
    expect(model.rounds).toBeGreaterThan(limits.workflowSteps.value);
    expect(model.instances).toBeGreaterThan(1);
    expect(model.used.workflowSteps).toBeLessThanOrEqual(limits.workflowSteps.value);
  });

  it("names the date of its prices", () => {
    const { price } = modelOf({ ...usual, images: 1_000_000 });
    expect(price.date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    // Three writes a result at $4.50 a million, and a few for the ledger.
    expect(price.parts.writes).toBeGreaterThan(13.5);
    expect(price.parts.writes).toBeLessThan(14);
  });
});
