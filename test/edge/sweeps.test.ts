/**
 * @file Sweeps in real workerd: a Workflow, a queue of shards with dead letters, schedules, and a stack that is killed.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Stack, startStack } from "../../infra/stack/stack.ts";
import type { SweepStatus } from "../../shared/sweeps/status.ts";
import { apiKey, apiKeys, modelName, picture, publishTiny } from "../support/service.ts";

let state: string;
let stack: Stack;
const lines: string[] = [];
const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };

const startHere = async (): Promise<Stack> =>
  startStack({
    state,
    retryDelaySeconds: 1,
    variables: {
      BACKLIGHT_MODEL: modelName,
      BACKLIGHT_PUBLIC_READS: "true",
      BACKLIGHT_API_KEYS: apiKeys,
    },
    onLine: (line) => lines.push(line),
  });

beforeAll(async () => {
  state = await mkdtemp(path.join(tmpdir(), "backlight-sweeps-"));
  stack = await startHere();
  await publishTiny(stack.store);
  for (let i = 0; i < 10; i += 1) {
    await stack.store.put(`images/s/${i}.png`, await picture(i), { contentType: "image/png" });
  }
});
afterAll(async () => {
  await stack.stop();
  await rm(state, { recursive: true });
});

const post = async (where: string, body?: object): Promise<Response> =>
  stack.fetch(where, { method: "POST", headers, ...(body && { body: JSON.stringify(body) }) });

async function until(id: string, states: readonly SweepStatus["state"][]): Promise<SweepStatus> {
  let seen: unknown;
  for (let i = 0; i < 200; i += 1) {
    const response = await stack.fetch(`/v1/sweeps/${id}`);
    if (response.ok) {
      const status: SweepStatus = await response.json();
      if (states.includes(status.state)) return status;
      seen = status;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  throw new Error(`waited in vain; last seen ${JSON.stringify(seen)}\n${lines.slice(-20).join("\n")}`);
}

describe("a sweep in workerd", () => {
  it("goes through Workflow, queue, consumers and report", async () => {
    const response = await post("/v1/sweeps", { id: "edge-one", source: "images/s/", batch: 3 });
    expect([response.status, response.headers.get("location")]).toEqual([202, "/v1/sweeps/edge-one"]);
    const status = await until("edge-one", ["complete"]);
    expect(status.counts).toEqual({ succeeded: 10, skipped: 0, failed: 0, dropped: 0, pending: 0, running: 0 });
    const page = await stack.fetch("/v1/sweeps/edge-one/report");
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(await page.text()).toContain('data-picture="/v1/explanations/{id}/overlay"');
    const report = await stack.fetch("/v1/sweeps/edge-one/report?format=json");
    expect(await report.json()).toMatchObject({ final: true, counts: { succeeded: 10 } });
    // The same one again is the same one.
    expect((await post("/v1/sweeps", { id: "edge-one", source: "images/s/", batch: 3 })).status).toBe(200);
  });

  it("needs a key that may sweep", async () => {
    const response = await stack.fetch("/v1/sweeps", { method: "POST", body: '{"source": "images/"}' });
    expect(response.status).toBe(401);
  });

  it("says beforehand what it would take, and keeps nothing", async () => {
    const response = await post("/v1/sweeps", { source: "images/s/", methods: ["grad-cam"], dryRun: true });
    expect(response.status).toBe(200);
    const estimate = await response.json();
    expect(estimate).toMatchObject({ images: 10, tasks: 10, shards: 1, sampled: { failed: 0, known: 0 } });
    const page = await stack.store.list({ prefix: "sweeps/dry-run" });
    expect(page.objects).toEqual([]);
  });

  it("goes on after the stack is killed, although the queue forgets", async () => {
    for (let i = 0; i < 12; i += 1) {
      await stack.store.put(`images/k/${i}.png`, await picture(100 + i), { contentType: "image/png" });
    }
    await post("/v1/sweeps", { id: "killed", source: "images/k/", batch: 1, maxConcurrency: 4 });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await stack.stop();
    stack = await startHere();
    // Whoever asks for it again has it driven on.
    await post("/v1/sweeps", { id: "killed", source: "images/k/", batch: 1, maxConcurrency: 4 });
    const status = await until("killed", ["complete"]);
    expect(status.counts).toMatchObject({ succeeded: 12, skipped: 0, failed: 0 });
  });

  it("is started by its schedule, once", async () => {
    const definition = JSON.stringify({ source: "images/s/", cron: "0 3 * * *", limit: 2 });
    await stack.store.put("sweeps/definitions/nightly.json", new TextEncoder().encode(definition), {
      contentType: "application/json",
    });
    await stack.schedule("0 3 * * *");
    const page = await stack.store.list({ prefix: "sweeps/nightly-", delimiter: "/" });
    expect(page.prefixes).toHaveLength(1);
    const id = page.prefixes[0]?.slice("sweeps/".length, -1) ?? "";
    expect((await until(id, ["complete"])).counts).toMatchObject({ skipped: 2 });
  });

  it("settles shards once however often they are delivered, out of the dead letters too", async () => {
    const message = (id: string, body: unknown) => ({ id, timestamp: new Date(), attempts: 1, body });
    const shard = { sweep: "edge-one", run: 0, shard: 1 };
    const known = await stack.deliver("backlight-sweeps", [message("a", shard), message("b", shard), message("c", 7)]);
    expect(known.explicitAcks).toEqual(["a", "b", "c"]);
    const dead = await stack.deliver("backlight-sweeps-failed", [message("d", shard)]);
    expect(dead.explicitAcks).toEqual(["d"]);
  });
});
