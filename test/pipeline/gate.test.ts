/** @file The gate: order, the limit of workers and of waiting, and who gives up. */
import { describe, expect, it } from "vitest";
import { Gate } from "../../shared/pipeline/gate.ts";

const open = () => new Gate({ name: "the test", workersMax: 1, waitingMax: 2, retryAfterSeconds: 3 });
const held = () => {
  let release: () => void = () => undefined;
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { promise, release };
};

describe("a gate", () => {
  it("lets callers through one at a time, in order, also after one that failed", async () => {
    const gate = open();
    const order: string[] = [];
    const first = held();
    const work = (name: string, wait: Promise<void>) =>
      gate.pass(async () => {
        order.push(`${name} in`);
        await wait;
        order.push(`${name} out`);
        if (name === "b") throw new Error("b failed");
      });
    const all = Promise.allSettled([
      work("a", first.promise),
      work("b", Promise.resolve()),
      work("c", Promise.resolve()),
    ]);
    expect(gate.load).toEqual({ working: 1, waiting: 2 });
    first.release();
    expect((await all).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(order).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
    expect(gate.load).toEqual({ working: 0, waiting: 0 });
  });

  it("refuses whom too many are before, and says when to come back", async () => {
    const gate = open();
    const { promise, release } = held();
    const passing = [0, 1, 2].map(() => gate.pass(() => promise));
    await expect(gate.pass(() => promise)).rejects.toMatchObject({
      code: "rate-limited",
      context: { retryAfterSeconds: 3 },
    });
    release();
    await Promise.all(passing);
  });

  it("forgets who gives up, and nobody else", async () => {
    const gate = open();
    const { promise, release } = held();
    const leaving = new AbortController();
    const first = gate.pass(() => promise);
    const second = gate.pass(async () => "second", leaving.signal);
    const third = gate.pass(async () => "third");
    leaving.abort();
    await expect(second).rejects.toMatchObject({ code: "cancelled" });
    await expect(gate.pass(async () => "late", AbortSignal.abort())).rejects.toMatchObject({ code: "cancelled" });
    release();
    await first;
    expect(await third).toBe("third");
    expect(gate.load).toEqual({ working: 0, waiting: 0 });
  });
});
