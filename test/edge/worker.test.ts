/** @file The deployed Worker in real workerd with a local bucket and queues: uploads, questions, schedules. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Stack, startStack } from "../../infra/stack/stack.ts";
import { uploadEvent } from "../../shared/pipeline/events.ts";
import { readQuestion } from "../../shared/pipeline/question.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { apiKey, apiKeys, modelName, picture, publishTiny, startRig } from "../support/service.ts";

const uploadsQueue = "backlight-uploads";
const deadQueue = "backlight-uploads-failed";

let stack: Stack;
let store: ObjectStore;
const lines: Record<string, unknown>[] = [];
beforeAll(async () => {
  stack = await startStack({
    variables: {
      BACKLIGHT_MODEL: modelName,
      BACKLIGHT_PUBLIC_READS: "true",
      BACKLIGHT_API_KEYS: apiKeys,
    },
    onLine: (line) => {
      if (line.startsWith("{")) lines.push(JSON.parse(line));
    },
  });
  store = stack.store;
  await publishTiny(store);
});
afterAll(() => stack.stop());

const keysOf = async (prefix: string): Promise<readonly string[]> =>
  (await store.list({ prefix })).objects.map(({ key }) => key);

/** Waits until something is so; fails with what was seen last. */
async function until<T>(look: () => Promise<T>, fits: (seen: T) => boolean): Promise<T> {
  for (let i = 0; ; i++) {
    const seen = await look();
    if (fits(seen)) return seen;
    if (i > 300) throw new Error(`waited in vain; last seen ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

describe("the Worker", () => {
  it("explains an upload by itself: bucket, queue, consumer, bucket", async () => {
    await stack.upload("images/first.png", await picture(1), "image/png");
    const keys = await until(
      () => keysOf("explanations/images/first.png/"),
      (found) => found.some((k) => k.endsWith(".json")),
    );
    expect(keys.map((k) => k.replace(/.*[0-9a-f]{64}/, ""))).toEqual([".json", ".npy", ".overlay.png"]);
  });

  it("answers with the very map that Node computes", async () => {
    const bytes = await picture(2, "jpeg");
    await stack.upload("images/second.jpg", bytes, "image/jpeg");
    const edge = await stack.fetch("/v1/explain?key=images/second.jpg&format=npy");
    expect(edge.status).toBe(200);
    const rig = await startRig();
    const image = await rig.deps.service.image(bytes, "images/second.jpg");
    const identified = await rig.deps.service.identify(
      "images/second.jpg",
      image.sha256,
      readQuestion({}, { model: modelName }),
    );
    const node = await rig.deps.service.answer(identified, image, { kind: "map" });
    expect(new Uint8Array(await edge.arrayBuffer())).toEqual(new Uint8Array(node.bytes));
    await rig.stop();
  });

  it("settles each message of a batch by itself, duplicates and nonsense included", async () => {
    const written = await store.put("images/third.png", await picture(3), { contentType: "image/png" });
    const etag = written.outcome === "written" ? written.etag : "";
    const body = uploadEvent({ bucket: "backlight", key: "images/third.png", etag });
    const bodies = [body, { nonsense: true }, body, uploadEvent({ bucket: "other", key: "images/x.png", etag: null })];
    const outcome = await stack.deliver(
      uploadsQueue,
      bodies.map((each, i) => ({ id: `b${i}`, timestamp: new Date(), attempts: 1, body: each })),
    );
    expect(outcome.outcome).toBe("ok");
    expect(outcome.explicitAcks).toEqual(["b0", "b1", "b2", "b3"]);
    expect((await keysOf("explanations/images/third.png/")).filter((k) => k.endsWith(".json"))).toHaveLength(1);
    expect(await keysOf("failures/")).toEqual(["failures/b1.json"]);
  });

  it("gives up what comes out of the dead letters, with the reason beside the image", async () => {
    const written = await store.put("images/dead.png", new Uint8Array([1, 2, 3]), { contentType: "image/png" });
    const etag = written.outcome === "written" ? written.etag : "";
    const body = uploadEvent({ bucket: "backlight", key: "images/dead.png", etag });
    const outcome = await stack.deliver(deadQueue, [{ id: "d1", timestamp: new Date(), attempts: 1, body }]);
    expect(outcome.explicitAcks).toEqual(["d1"]);
    expect(await keysOf("explanations/images/dead.png/")).toEqual([expect.stringMatching(/\.failure\.json$/)]);
  });

  it("finds a missed upload on schedule, once it is old enough", async () => {
    await store.put("images/missed.png", await picture(4), { contentType: "image/png" });
    await stack.schedule("*/15 * * * *");
    const line = await until(
      async () => lines.findLast((l) => l["event"] === "reconciliation"),
      (l) => l !== undefined,
    );
    // A quarter of an hour has to pass before an upload counts as missed, so this one is looked at and left.
    expect(line).toMatchObject({ complete: true, enqueued: 0 });
    expect(Number(line?.["looked"])).toBeGreaterThanOrEqual(5);
  });

  it("takes images in the body from who has a key, and refuses the rest with a problem document", async () => {
    const body = new Uint8Array(await picture(5, "webp"));
    const post = (headers: Record<string, string>) => stack.fetch("/v1/explain", { method: "POST", body, headers });
    const taken = await post({ authorization: `Bearer ${apiKey}`, accept: "image/jpeg" });
    expect([taken.status, taken.headers.get("content-type")]).toEqual([200, "image/jpeg"]);
    const refused = await post({});
    expect([refused.status, refused.headers.get("content-type")]).toEqual([401, "application/problem+json"]);
    const url = await stack.fetch("/v1/explain?url=https://example.com/x.png");
    expect([url.status, ((await url.json()) as { reason?: string }).reason]).toEqual([403, "off"]);
  });

  it("says what memory it took, far below an isolate's", async () => {
    const response = await stack.fetch("/v1/explain?key=images/first.png&target=top2&format=json");
    const { memory } = (await response.json()) as { memory: { heapBytes: number; peakBytes: number } };
    expect(memory.heapBytes).toBeGreaterThan(1e6);
    expect(memory.peakBytes).toBeLessThan(60e6);
  });

  it("limits who asks too often", async () => {
    const statuses = await Promise.all(
      Array.from({ length: 150 }, async () => (await stack.fetch("/v1/models")).status),
    );
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
  });
});
