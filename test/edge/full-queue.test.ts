/** @file Sweeps in real workerd whose queue takes nothing for a while, and whose Workflow instance is ended. */
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Stack, startStack } from "../../infra/stack/stack.ts";
import type { SweepStatus } from "../../shared/sweeps/status.ts";
import { apiKey, apiKeys, modelName, picture, publishTiny } from "../support/service.ts";

/** As the fixture has it. */
const fullKey = "test/queue-is-full";

let stack: Stack;
const lines: string[] = [];

beforeAll(async () => {
  stack = await startStack({
    entry: path.join(import.meta.dirname, "fixture/full-queue.ts"),
    retryDelaySeconds: 1,
    variables: { BACKLIGHT_MODEL: modelName, BACKLIGHT_PUBLIC_READS: "true", BACKLIGHT_API_KEYS: apiKeys },
    onLine: (line) => lines.push(line),
  });
  await publishTiny(stack.store);
  for (let i = 0; i < 6; i += 1) {
    await stack.store.put(`images/q/${i}.png`, await picture(i), { contentType: "image/png" });
  }
});
afterAll(() => stack.stop());

const fill = () => stack.store.put(fullKey, new Uint8Array(0), { contentType: "text/plain" });
const empty = () => stack.store.delete(fullKey);

async function start(id: string): Promise<void> {
  const response = await stack.fetch("/v1/sweeps", {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ id, source: "images/q/", batch: 1, maxConcurrency: 3 }),
  });
  expect(response.ok).toBe(true);
}

async function until(id: string, isSo: (status: SweepStatus) => boolean): Promise<SweepStatus> {
  let seen: unknown;
  for (let i = 0; i < 200; i += 1) {
    const response = await stack.fetch(`/v1/sweeps/${id}`);
    if (response.ok) {
      const status: SweepStatus = await response.json();
      if (isSo(status)) return status;
      seen = status;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  throw new Error(`waited in vain; last seen ${JSON.stringify(seen)}\n${lines.slice(-20).join("\n")}`);
}

describe("a sweep in workerd", () => {
  it("waits for a queue that takes nothing, says why, and completes when it takes messages again", async () => {
    await fill();
    await start("full");
    const waiting = await until("full", ({ state, note }) => state === "waiting" && /2 times/.test(note ?? ""));
    expect(waiting.note).toMatch(/^its queue takes no shards: .+ \(2 times, since 20.*Z\)$/);
    expect(waiting.counts).toMatchObject({ succeeded: 0, pending: 6, running: 0 });
    await empty();
    const status = await until("full", ({ state }) => state === "complete");
    expect(status).toMatchObject({ note: null, counts: { succeeded: 6, skipped: 0, failed: 0, pending: 0 } });
  });

  it("goes on in the last of its Workflow instances where all were ended and somebody starts it again", async () => {
    const instance = async (chain: number, init?: RequestInit): Promise<string> => {
      const response = await stack.fetch(`/test/instances/ended-r0-${chain}`, init);
      const { status }: { readonly status: string } = await response.json();
      return status;
    };
    await fill();
    await start("ended");
    await until("ended", ({ state }) => state === "waiting");
    // As after some hours, when the first one had gone through all its steps.
    const body = JSON.stringify({ sweep: "ended", run: 0, chain: 1 });
    await instance(1, { method: "POST", body });
    expect(await instance(0, { method: "DELETE" })).toBe("terminated");
    expect(await instance(1, { method: "DELETE" })).toBe("terminated");
    await empty();
    await start("ended");
    const status = await until("ended", ({ state }) => state === "complete");
    expect(status.counts).toMatchObject({ succeeded: 0, skipped: 6, failed: 0 });
    expect([await instance(0), await instance(1)]).toEqual(["terminated", expect.stringMatching(/running|complete/)]);
  });
});
