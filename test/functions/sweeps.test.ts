/** @file Who drives sweeps: the Workflow through an outage, the process that serves, and schedules. */
import { afterEach, describe, expect, it } from "vitest";
import { createApp } from "../../functions/http/app.ts";
import { nodeSweeps } from "../../functions/node/sweeps.ts";
import { startScheduled } from "../../functions/sweeps/schedule.ts";
import { runSweep, type Step, type SweepBindings } from "../../functions/sweeps/workflow.ts";
import { type Call, storageFailed } from "../../shared/storage/call.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { cancelSweep, redriveSweep } from "../../shared/sweeps/lifecycle.ts";
import type { Report } from "../../shared/sweeps/report-document.ts";
import { readShardMessage, settleShard } from "../../shared/sweeps/shard.ts";
import { type SweepStatus, sweepStatus } from "../../shared/sweeps/status.ts";
import { type Rig, type RigOptions, startRig } from "../support/service.ts";
import { putPictures, readReport, start } from "../support/sweeps.ts";

let rig: Rig | undefined;
const open = async (options?: RigOptions): Promise<Rig> => {
  rig = await startRig(options);
  return rig;
};
afterEach(async () => {
  await rig?.stop();
  rig = undefined;
});

async function until(store: ObjectStore, id: string, state: SweepStatus["state"]): Promise<SweepStatus> {
  let status = await sweepStatus(store, id);
  for (let i = 0; i < 300 && status.state !== state; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    status = await sweepStatus(store, id);
  }
  expect(status).toMatchObject({ state });
  return status;
}

describe("a Workflow", () => {
  it("outlives an outage of storage, without failing a step", async () => {
    let failing = false;
    const fails = (operation: Call["operation"], key: string) => {
      const fault = { why: "it is away", status: 503, transient: true };
      return storageFailed({ store: "away", operation, key, signal: undefined, explain: () => fault }, fault);
    };
    const made = await open({
      wrap: (store) => ({
        ...store,
        get: (key, options) => (failing ? Promise.reject(fails("get", key)) : store.get(key, options)),
        put: (key, bytes, options) => (failing ? Promise.reject(fails("put", key)) : store.put(key, bytes, options)),
      }),
    });
    await putPictures(made, "images/o/", 2);
    await start(made, "outage", { source: "images/o/", batch: 1 });
    let rounds = 0;
    const step: Step = {
      // Not tried again here: what a step throws would end this test.
      async do(_name, _config, work) {
        rounds += 1;
        failing = rounds <= 2;
        return work();
      },
      sleep: async () => {},
    };
    const { store, lines, deps } = made;
    const SHARDS = {
      async sendBatch(messages: Iterable<{ readonly body: unknown }>) {
        for (const { body } of messages)
          await settleShard(readShardMessage(body), "explain", { store, service: deps.service });
      },
    };
    // Of the bindings no more is used within one instance.
    await runSweep({ sweep: "outage", run: 0, chain: 0 }, step, deps, { SHARDS } as unknown as SweepBindings);
    expect((await readReport(store, "outage")).counts).toMatchObject({ succeeded: 2, failed: 0 });
    expect(lines.filter((line) => /it is away/.test(String(line["failed"])))).toHaveLength(2);
  });
});

describe("the process that serves", () => {
  it("drives a redrive that is asked for while the last shard of the run before is still computed", async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isBegun = false;
    const made = await open({
      wrap: (store) => ({
        ...store,
        async get(key, options) {
          if (key.startsWith("images/n/") && !isBegun) {
            isBegun = true;
            await released;
          }
          return store.get(key, options);
        },
      }),
    });
    const { store, deps } = made;
    await putPictures(made, "images/n/", 2);
    await start(made, "again", { source: "images/n/" });
    const sweeps = nodeSweeps();
    sweeps.start({ sweep: "again", run: 0 }, deps);
    await expect.poll(() => isBegun, { timeout: 10_000 }).toBe(true);
    await cancelSweep(store, "again");
    await until(store, "again", "cancelled");
    sweeps.start(await redriveSweep(store, "again"), deps);
    release();
    const status = await until(store, "again", "complete");
    expect(status).toMatchObject({ run: 1, counts: { dropped: 0, failed: 0 } });
    await sweeps.stop();
  });
});

describe("the report of a sweep under way", () => {
  it("is made once for those who ask within seconds", async () => {
    const { store, deps, ...rest } = await open();
    await putPictures({ store, deps, ...rest }, "images/p/", 2);
    await start({ store, deps, ...rest }, "part", { source: "images/p/" });
    const ask = async (): Promise<Report> =>
      (await createApp(deps).request("/v1/sweeps/part/report?format=json")).json();
    const first = await ask();
    expect(first).toMatchObject({ final: false, state: "running", planned: null });
    expect((await ask()).writtenAt).toBe(first.writtenAt);
  });
});

describe("a schedule", () => {
  it("starts the other definitions where one cannot be started, whatever is wrong with it", async () => {
    const started: string[] = [];
    const made = await open({
      platform: {
        async startSweep({ sweep }) {
          if (sweep.startsWith("a-")) throw new Error("the platform creates no more instances");
          started.push(sweep);
        },
      },
    });
    const { store, deps, lines } = made;
    const define = (name: string, text: string) =>
      store.put(`sweeps/definitions/${name}.json`, new TextEncoder().encode(text), { contentType: "application/json" });
    await define("a", '{"source": "images/", "cron": "0 3 * * *"}');
    await define("b", "{ nonsense");
    await define("c", '{"source": "images/", "cron": "0 3 * * *"}');
    await define("d", '{"source": "images/", "cron": "0 4 * * *"}');
    const ids = await startScheduled("0 3 * * *", new Date("2026-11-23T03:00:00Z"), deps);
    expect([ids, started]).toEqual([["c-20261123t0300"], ["c-20261123t0300"]]);
    expect(lines.filter((line) => line["failed"] !== undefined).map((line) => line["definition"])).toEqual([
      "sweeps/definitions/a.json",
      "sweeps/definitions/b.json",
    ]);
  });
});
