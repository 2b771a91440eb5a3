/**
 * @file Sweeps step by step under trouble: full queues, lost messages, damaged ledgers, models that go. The
 * orchestrator is called as a Workflow does it, and its shards are settled when the test says so.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { type Advanced, type AdvanceOptions, advance } from "../../shared/sweeps/advance.ts";
import { type Counts, chapterKey, noCounts, planKey, shardKey } from "../../shared/sweeps/layout.ts";
import { cancelSweep, redriveSweep, resumeRun } from "../../shared/sweeps/lifecycle.ts";
import { type Plan, readRecord, type ShardRecord, writeRecord } from "../../shared/sweeps/records.ts";
import { recordShard, type ShardMessage, settleShard } from "../../shared/sweeps/shard.ts";
import { type SweepStatus, sweepStatus } from "../../shared/sweeps/status.ts";
import { random } from "../support/random.ts";
import { picture, publishTiny, type Rig, startRig } from "../support/service.ts";
import { drive, manifestLinesMax, putPictures, readReport, start } from "../support/sweeps.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  await putPictures(rig, "images/a/", 6);
  for (let i = 0; i < 240; i += 1) await rig.put(`images/many/${String(i).padStart(3, "0")}.png`, Uint8Array.of(i));
});
afterAll(() => rig.stop());

const stallMilliseconds = 60_000;
/** By the orchestrator's clock, which only the tests move on: from now, as the ledger has real times too. */
let clock = 0;
let queue: ShardMessage[] = [];
beforeEach(() => {
  clock = Date.now();
  queue = [];
});

const step = (id: string, options: Partial<AdvanceOptions> = {}): Promise<Advanced> =>
  advance(rig.store, id, {
    enqueue: async (shards) => void queue.push(...shards),
    manifestLinesMax,
    stallMilliseconds,
    now: () => clock,
    ...options,
  });
const statusOf = (id: string): Promise<SweepStatus> => sweepStatus(rig.store, id, { now: () => clock });
const settle = (message: ShardMessage) => settleShard(message, "last", { store: rig.store, service: rig.deps.service });
/** As if its one image had been explained. */
const record = ({ sweep, run, shard }: ShardMessage): Promise<Counts> =>
  recordShard(
    rig.store,
    { sweep, run, shard },
    [{ key: `images/many/${String(shard).padStart(3, "0")}.png`, question: 0, outcome: "succeeded" }],
    1,
    undefined,
  );
const putText = (key: string, text: string) =>
  rig.store.put(key, new TextEncoder().encode(text), { contentType: "application/json" });
const isoMinute = /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/;

describe("a full queue", () => {
  it("is asked again with growing pauses, the status says why, and nothing is lost or sent twice", async () => {
    await start(rig, "full", { source: "images/a/", batch: 1, maxConcurrency: 4 });
    let refusals = 3;
    const enqueue = async (shards: readonly ShardMessage[]): Promise<void> => {
      refusals -= 1;
      if (refusals >= 0) throw new Error("Queue sendBatch failed: Too Many Requests");
      queue.push(...shards);
    };
    const pauses: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      const { phase, waitMilliseconds } = await step("full", { enqueue });
      expect(phase).toBe("waiting");
      pauses.push(waitMilliseconds);
      clock += waitMilliseconds;
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000]);
    const status = await statusOf("full");
    expect(status).toMatchObject({ state: "waiting", counts: { pending: 6, running: 0 } });
    expect(status.note?.replace(isoMinute, "T")).toBe(
      "its queue takes no shards: Queue sendBatch failed: Too Many Requests (3 times, since T)",
    );
    expect((await step("full", { enqueue })).phase).toBe("running");
    expect(queue.map(({ shard }) => shard)).toEqual([0, 1, 2, 3]);
    expect(await statusOf("full")).toMatchObject({ state: "running", note: null, counts: { running: 4 } });
    for (let rounds = 0; (await step("full", { enqueue })).phase !== "over"; rounds += 1) {
      expect(rounds).toBeLessThan(10);
      for (const message of queue.splice(0)) await settle(message);
    }
    expect((await readReport(rig.store, "full")).counts).toEqual({ ...noCounts, succeeded: 6 });
  });

  it("never pauses longer than half a minute", async () => {
    await start(rig, "long", { source: "images/a/", batch: 1 });
    const enqueue = () => Promise.reject(new Error("full"));
    const pauses: number[] = [];
    for (let i = 0; i < 12; i += 1) pauses.push((await step("long", { enqueue })).waitMilliseconds);
    expect(Math.max(...pauses)).toBe(30_000);
    expect(pauses.at(-1)).toBe(30_000);
  });

  it("that takes some of the shards is sent the others alone", async () => {
    await start(rig, "partly", { source: "images/many/", batch: 1, maxConcurrency: 240 });
    let room = 1;
    const sent: number[] = [];
    const enqueue = async (shards: readonly ShardMessage[]): Promise<void> => {
      expect(shards.length).toBeLessThanOrEqual(100);
      if (room === 0) throw new Error("full");
      room -= 1;
      sent.push(...shards.map(({ shard }) => shard));
    };
    expect((await step("partly", { enqueue })).phase).toBe("waiting");
    expect(await statusOf("partly")).toMatchObject({ state: "waiting", counts: { running: 100, pending: 140 } });
    room = 1;
    await step("partly", { enqueue });
    room = 1;
    expect((await step("partly", { enqueue })).phase).toBe("running");
    expect(sent).toEqual(Array.from({ length: 240 }, (_, shard) => shard));
  });

  it("stops nobody from cancelling", async () => {
    await start(rig, "cancelled", { source: "images/a/", batch: 1 });
    await step("cancelled", { enqueue: () => Promise.reject(new Error("full")) });
    await cancelSweep(rig.store, "cancelled");
    while ((await step("cancelled")).phase !== "over");
    expect(queue).toEqual([]);
    expect(await statusOf("cancelled")).toMatchObject({
      state: "cancelled",
      note: "it was cancelled by request",
      counts: { dropped: 6, pending: 0 },
    });
  });
});

describe("maxConcurrency", () => {
  it("bounds the shards under way, whatever is lost, comes twice or is handed out again", async () => {
    const maxConcurrency = 5;
    await start(rig, "bounded", { source: "images/many/", limit: 60, batch: 1, maxConcurrency });
    const begun = new Set<number>();
    const settled = new Set<number>();
    const chance = random(5);
    let again = 0;
    for (let rounds = 0; (await step("bounded")).phase !== "over"; rounds += 1) {
      expect(rounds).toBeLessThan(300);
      for (const { shard } of queue) {
        if (begun.has(shard)) again += 1;
        begun.add(shard);
      }
      expect(begun.size - settled.size).toBeLessThanOrEqual(maxConcurrency);
      // A third of the messages is lost; the last one of the others is settled first, and twice.
      const kept = queue.filter(() => chance() > 1 / 3).toReversed();
      for (const message of [...kept, ...kept.slice(0, 1)]) await record(message);
      for (const { shard } of kept) settled.add(shard);
      queue = [];
      clock += stallMilliseconds / 2;
      if (rounds === 4) await resumeRun(rig.store, { sweep: "bounded", run: 0 }, clock);
    }
    expect(again).toBeGreaterThan(10);
    expect((await readReport(rig.store, "bounded")).counts).toEqual({ ...noCounts, succeeded: 60 });
  });

  it("holds where two orchestrators drive one sweep", async () => {
    const maxConcurrency = 4;
    await start(rig, "both", { source: "images/many/", limit: 30, batch: 1, maxConcurrency });
    const begun = new Set<number>();
    const settled = new Set<number>();
    for (let rounds = 0; ; rounds += 1) {
      expect(rounds).toBeLessThan(100);
      const phases = await Promise.all([step("both"), step("both")]);
      if (phases.every(({ phase }) => phase === "over")) break;
      for (const { shard } of queue) begun.add(shard);
      expect(begun.size - settled.size).toBeLessThanOrEqual(maxConcurrency);
      for (const message of queue.splice(0).filter((_, i) => i % 2 === rounds % 2)) {
        await record(message);
        settled.add(message.shard);
      }
      clock += stallMilliseconds + 1;
    }
    expect((await readReport(rig.store, "both")).counts).toEqual({ ...noCounts, succeeded: 30 });
  });
});

describe("what the ledger goes through", () => {
  it("is aborted when its model is removed, and says so", async () => {
    await publishTiny(rig.store, "going", 1);
    await start(rig, "removed", { source: "images/a/", model: "going", batch: 2 });
    for (const key of await rig.keys("models/going/")) await rig.store.delete(key);
    rig.deps.service.options.models.forget("going");
    await drive(rig, "removed");
    const status = await statusOf("removed");
    expect(status).toMatchObject({ state: "aborted", counts: { dropped: 6, pending: 0 } });
    expect(status.note).toMatch(/^it cannot go on: there is no model "going"/);
  });

  it("tells what of it is damaged, and goes on when that is repaired", async () => {
    await start(rig, "damaged", { source: "images/a/", batch: 2 });
    await step("damaged");
    for (const message of queue) await settle(message);
    const run = { sweep: "damaged", run: 0 };
    const whole = await readRecord<ShardRecord>(rig.store, shardKey(run, 1));
    await putText(shardKey(run, 1), "{ half a rec");
    await expect(step("damaged")).rejects.toThrow(/is damaged/);
    await expect(step("damaged")).rejects.toThrow(/is damaged/);
    const status = await statusOf("damaged");
    expect(status.state).toBe("waiting");
    expect(status.note?.replace(isoMinute, "T")).toBe(
      'its last step failed: "sweeps/damaged/shards/00000001.json" is damaged: it is not JSON (2 times, since T)',
    );
    await writeRecord(rig.store, shardKey(run, 1), whole, {});
    expect((await step("damaged")).phase).toBe("over");
    expect(await statusOf("damaged")).toMatchObject({ state: "complete", note: null });
  });

  it("is aborted where a chapter of its plan is damaged, instead of being handed out for ever", async () => {
    await start(rig, "chapter", { source: "images/a/" });
    await step("chapter");
    await putText(chapterKey({ sweep: "chapter", run: 0 }, 0), "{");
    const [message] = queue;
    if (message === undefined) throw new Error("a shard was handed out");
    expect(await settle(message)).toMatchObject({ kind: "stopped" });
    const { state, note } = await statusOf("chapter");
    expect([state, note]).toEqual([
      "stopping",
      expect.stringMatching(/^it cannot go on: .* is damaged: it is not JSON/),
    ]);
  });

  it("says that nobody drives it on, and no longer when somebody does", async () => {
    await start(rig, "quiet", { source: "images/a/", batch: 1 });
    await step("quiet");
    expect((await statusOf("quiet")).note).toBe(null);
    clock += 11 * 60_000;
    expect((await statusOf("quiet")).note?.replace(isoMinute, "T")).toBe(
      "nobody has driven it on since T: start it again with its id, and it goes on",
    );
    await step("quiet");
    expect((await statusOf("quiet")).note).toBe(null);
  });

  it("has what was settled in it when it is killed between a shard's record and its mark", async () => {
    await start(rig, "unmarked", { source: "images/many/", limit: 3, batch: 1 });
    await step("unmarked");
    for (const message of queue) await record(message);
    const run = { sweep: "unmarked", run: 0 };
    await rig.store.delete(`sweeps/unmarked/done/00000001.1.0.0.0`);
    queue = [];
    expect((await step("unmarked")).phase).toBe("running");
    clock += stallMilliseconds + 1;
    await step("unmarked");
    expect(queue).toEqual([{ ...run, shard: 1 }]);
    for (const message of queue) expect(await settle(message)).toMatchObject({ kind: "known" });
    while ((await step("unmarked")).phase !== "over");
    expect((await readReport(rig.store, "unmarked")).counts).toEqual({ ...noCounts, succeeded: 3 });
  });

  it("is written once where a shard is settled while it is closed", async () => {
    await start(rig, "closing", { source: "images/many/", limit: 8, batch: 1, maxConcurrency: 2 });
    await step("closing");
    await cancelSweep(rig.store, "closing");
    const [first, second] = queue;
    if (first === undefined || second === undefined) throw new Error("two shards were handed out");
    await Promise.all([record(first), step("closing"), record(second)]);
    while ((await step("closing")).phase !== "over");
    const { counts } = await readReport(rig.store, "closing");
    expect(counts.succeeded + counts.dropped).toBe(8);
    expect((await statusOf("closing")).counts).toMatchObject(counts);
  });

  it("cannot be redriven where its plan was sealed only after it was stopped", async () => {
    await start(rig, "late", { source: "images/a/" });
    await cancelSweep(rig.store, "late");
    while ((await step("late")).phase !== "over");
    const plan: Plan = {
      schema: 1,
      items: 6,
      tasks: 6,
      bytes: 0,
      problems: 0,
      duplicates: 0,
      chapters: 1,
      shards: 1,
      batch: 20,
      sealedAt: new Date().toISOString(),
    };
    await writeRecord(rig.store, planKey({ sweep: "late", run: 0 }), plan);
    await expect(redriveSweep(rig.store, "late")).rejects.toThrow(/ended before its images were known/);
  });

  it("is left by who drives a run when a later one was begun", async () => {
    await start(rig, "handed", { source: "images/a/", batch: 2 });
    await step("handed");
    await cancelSweep(rig.store, "handed");
    while ((await step("handed", { run: 0 })).phase !== "over");
    await redriveSweep(rig.store, "handed");
    queue = [];
    expect((await step("handed", { run: 0 })).phase).toBe("over");
    expect(queue).toEqual([]);
    expect((await step("handed", { run: 1 })).phase).toBe("running");
    expect(queue).toHaveLength(6);
  });
});

describe("tolerated failures", () => {
  it("abort a sweep also where all its shards were under way at once", async () => {
    await start(rig, "small", { source: "images/many/", limit: 4, batch: 2, toleratedFailures: { count: 1 } });
    await drive(rig, "small");
    expect(await statusOf("small")).toMatchObject({
      state: "aborted",
      note: "4 of 4 failed, and 1 failures are tolerated",
      counts: { failed: 4, dropped: 0 },
    });
  });
});

describe("a manifest", () => {
  const sweptManifest = async (id: string, key: string, text: string): Promise<SweepStatus> => {
    await putText(key, text);
    await start(rig, id, { source: key });
    await drive(rig, id);
    return statusOf(id);
  };

  it("without lines is a sweep of nothing, which says so", async () => {
    expect(await sweptManifest("no-lines", "manifests/none.jsonl", "\n\n")).toMatchObject({
      state: "complete",
      note: 'there is no image in "manifests/none.jsonl"',
    });
  });

  it("whose columns are not named ends the sweep with what is missing", async () => {
    const status = await sweptManifest("no-columns", "manifests/no.csv", "images/a/00000.png,1\n");
    expect([status.state, status.note]).toEqual(["aborted", expect.stringMatching(/"key" is not among/)]);
  });

  it("of too many lines ends the sweep and asks to be split", async () => {
    const lines = Array.from({ length: manifestLinesMax + 1 }, (_, i) => `{"key": "images/${i}.png"}`);
    const status = await sweptManifest("too-long", "manifests/long.jsonl", lines.join("\n"));
    expect([status.state, status.note]).toEqual(["aborted", expect.stringMatching(/more than 10000 images; split it/)]);
  });

  it("that is not there starts no sweep", async () => {
    await expect(start(rig, "nowhere", { source: "manifests/nowhere.csv" })).rejects.toThrow(/there is no manifest/);
    await expect(statusOf("nowhere")).rejects.toThrow(AppError);
  });
});

it("a cancelled sweep is redriven at once, although a shard of it is still being computed", async () => {
  await rig.put("images/one/0.png", await picture(9));
  await start(rig, "at-once", { source: "images/one/" });
  await step("at-once");
  await cancelSweep(rig.store, "at-once");
  while ((await step("at-once")).phase !== "over");
  await redriveSweep(rig.store, "at-once");
  const [late] = queue;
  if (late === undefined) throw new Error("a shard was handed out");
  expect(await settle(late)).toMatchObject({ kind: "known", counts: { dropped: 1 } });
  await drive(rig, "at-once");
  expect(await readReport(rig.store, "at-once")).toMatchObject({ run: 1, counts: { ...noCounts, succeeded: 1 } });
});
