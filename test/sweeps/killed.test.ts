/** @file A sweep whose process is killed at every single write of its ledger, and goes on in another one. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { advance } from "../../shared/sweeps/advance.ts";
import type { TaskRecord } from "../../shared/sweeps/records.ts";
import { partTasksMax } from "../../shared/sweeps/report.ts";
import { recordShard, type ShardMessage } from "../../shared/sweeps/shard.ts";
import { type Rig, startRig } from "../support/service.ts";
import { manifestLinesMax, readReport, readResults, start } from "../support/sweeps.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/**
 * A store whose process is killed at the first two writes of a key: before the first took effect, after the second did.
 * Of the shards, every tenth kills.
 */
function deadly(store: ObjectStore) {
  const writes = new Map<string, number>();
  let life = new AbortController();
  let deaths = 0;
  const die = (): never => {
    deaths += 1;
    life.abort(); // nothing of this life is tried again
    throw new Error("the process was killed");
  };
  const dying: ObjectStore = {
    ...store,
    async put(key, bytes, options) {
      const count = (writes.get(key) ?? 0) + 1;
      writes.set(key, count);
      const isDeadly = !/\/(shards|done)\/\d{7}[1-9]/.test(key);
      if (isDeadly && count === 1) die();
      const result = await store.put(key, bytes, options);
      return isDeadly && count === 2 ? die() : result;
    },
  };
  return {
    store: dying,
    deaths: () => deaths,
    begin: () => {
      life = new AbortController();
      return life.signal;
    },
  };
}

describe("a sweep that is killed at every one of its writes", () => {
  it("has every task in its report once", async () => {
    const [shards, batch, questions] = [40, 10, 64];
    // More than one part of a report takes, read by sixes.
    expect(shards * batch * questions).toBeGreaterThan(partTasksMax);
    const keyOf = (i: number): string => `images/killed/${String(i).padStart(4, "0")}.png`;
    const lines = Array.from({ length: shards * batch }, (_, i) => `{"key":"${keyOf(i)}"}`);
    const manifest = new TextEncoder().encode(lines.join("\n"));
    await rig.store.put("manifests/killed.jsonl", manifest, { contentType: "application/jsonl" });
    const targets = Array.from({ length: questions }, (_, i) => i);
    await start(rig, "killed", { source: "manifests/killed.jsonl", batch, targets });
    const tasksOf = (shard: number): readonly TaskRecord[] =>
      Array.from({ length: batch * questions }, (_, i) => ({
        key: keyOf(shard * batch + Math.floor(i / questions)),
        question: i % questions,
        outcome: shard % 8 === 7 ? "failed" : "succeeded",
      }));
    const { store, deaths, begin } = deadly(rig.store);
    const stallMilliseconds = 60_000;
    let clock = Date.now();
    let queue: ShardMessage[] = [];
    const enqueue = async (shards: readonly ShardMessage[]): Promise<void> => void queue.push(...shards);
    for (let rounds = 0; ; rounds += 1) {
      expect(rounds).toBeLessThan(200);
      const signal = begin();
      const advanced = await advance(store, "killed", {
        enqueue,
        manifestLinesMax,
        stallMilliseconds,
        now: () => clock,
        signal,
      }).catch(() => null);
      if (advanced?.phase === "over") break;
      const left: ShardMessage[] = [];
      for (const message of queue) {
        // Who was killed settles nothing more in this life.
        const settled = signal.aborted
          ? Promise.reject(signal.reason)
          : recordShard(store, message, tasksOf(message.shard), 1, signal);
        await settled.catch(() => left.push(message));
      }
      queue = left;
      clock += stallMilliseconds / 4;
    }
    // Of four shards record and mark, a chapter, the seal, the progress, and of the report seven files.
    expect(deaths()).toBe(2 * (8 + 3 + 7));
    const report = await readReport(rig.store, "killed");
    const all = shards * batch * questions;
    expect(report).toMatchObject({ state: "complete", counts: { succeeded: (all * 7) / 8, failed: all / 8 } });
    expect(report.files).toMatchObject({ results: ["results.jsonl", "results.1.jsonl"] });
    const found: string[] = [];
    for (const file of report.files.results) {
      found.push(...(await readResults(rig.store, "killed", file)).map(({ key, question }) => `${key} ${question}`));
    }
    expect(found).toEqual(
      Array.from({ length: shards }, (_, i) => tasksOf(i).map(({ key, question }) => `${key} ${question}`)).flat(),
    );
  });
});
