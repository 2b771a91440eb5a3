/**
 * @file 200 photos through the Worker in workerd, its storage an S3 that fails every seventh call, its queue telling of
 * them twice and in no order: 200 right results, none lost, none doubled. The same Worker, set to S3 instead of R2.
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDeps } from "../../functions/deps.ts";
import { nodePlatform } from "../../functions/node/platform.ts";
import { readSettings } from "../../functions/settings.ts";
import { type Stack, startStack } from "../../infra/stack/stack.ts";
import { EDGE_LIMITS } from "../../shared/imaging/limits.ts";
import { readNpy } from "../../shared/imaging/npy.ts";
import { parseCardText } from "../../shared/models/card.ts";
import { loadLabels } from "../../shared/models/labels.ts";
import { uploadEvent } from "../../shared/pipeline/events.ts";
import { publishModel } from "../../shared/pipeline/publish.ts";
import { readQuestion } from "../../shared/pipeline/question.ts";
import { webRuntime } from "../../shared/runtime/web.ts";
import { readObject } from "../../shared/storage/body.ts";
import { listAll } from "../../shared/storage/list-all.ts";
import { s3Store } from "../../shared/storage/s3.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { type FlakyProxy, startFlakyProxy } from "../support/flaky-proxy.ts";
import { random } from "../support/random.ts";
import { type S3Server, startMiniflareS3 } from "../support/s3-servers.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

const model = "mobilenetv1_0.25_128_nhwc_softmax";
const failsEvery = 7;
const photoCount = 200;

if (!hasSharedData) console.warn("SKIPPED: 200 photos through the Worker, as ../shared is not here");

const photos = (): readonly { readonly key: string; readonly file: string }[] =>
  ["coco", "images"].flatMap((set) => {
    const folder = set === "coco" ? sharedData("data", "coco", "images") : sharedData("data", "images", "imagenet");
    return readdirSync(folder)
      .filter((name) => /\.jpe?g$/i.test(name))
      .map((name) => ({ key: `images/${set}/${name}`, file: `${folder}/${name}` }));
  });

describe.runIf(hasSharedData)("200 photos in a failing bucket", () => {
  let server: S3Server;
  let proxy: FlakyProxy;
  let stack: Stack;
  let store: ObjectStore;
  const outcomes = new Map<string, number>();

  beforeAll(async () => {
    server = await startMiniflareS3();
    proxy = await startFlakyProxy(new URL(server.endpoint), failsEvery);
    store = s3Store(server);
    const cardFile = new URL(`cards/${model}.card.json`, import.meta.url);
    const text = readFileSync(cardFile, "utf8");
    const source = parseCardText(text, model).labels;
    const labels = source
      ? await loadLabels(source, async (name) => readFileSync(new URL(name, cardFile), "utf8"))
      : null;
    const bytes = new Uint8Array(readFileSync(sharedData("data", "models", `${model}.onnx`)));
    await publishModel(store, { name: "photos", bytes, external: [], card: { text, labels } }, []);
    stack = await startStack({
      retryDelaySeconds: 1,
      variables: {
        BACKLIGHT_MODEL: "photos",
        BACKLIGHT_BUCKET: server.bucket,
        BACKLIGHT_S3_ENDPOINT: new URL(new URL(server.endpoint).pathname, proxy.origin).href,
        BACKLIGHT_S3_REGION: server.region,
        BACKLIGHT_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
        BACKLIGHT_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
      },
      onLine: (line) => {
        const outcome = line.startsWith("{") ? String(JSON.parse(line).outcome) : "noise";
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      },
    });
  });
  afterAll(async () => {
    await stack?.stop();
    await proxy?.stop();
    await server?.stop();
  });

  it("has 200 right results in the end, each once", { timeout: 900_000 }, async () => {
    const chosen = photos().slice(0, photoCount);
    expect(chosen).toHaveLength(photoCount);
    const next = random(11);
    const messages: { readonly order: number; readonly body: unknown }[] = [];
    for (const { key, file } of chosen) {
      const written = await store.put(key, new Uint8Array(readFileSync(file)), { contentType: "image/jpeg" });
      const etag = written.outcome === "written" ? written.etag : null;
      const times = next() < 0.3 ? 2 : 1;
      for (let i = 0; i < times; i++) {
        messages.push({ order: next(), body: uploadEvent({ bucket: server.bucket, key, etag }) });
      }
    }
    expect(messages.length).toBeGreaterThan(photoCount + 40);
    for (const { body } of messages.sort((a, b) => a.order - b.order)) await stack.send(body);

    const settled = (): number => [...outcomes].reduce((sum, [what, n]) => sum + (what === "later" ? 0 : n), 0);
    await until(() => settled() >= messages.length, 800_000);
    expect(proxy.failures()).toBeGreaterThan(photoCount / failsEvery);

    const keys: string[] = [];
    for await (const { key } of listAll(store, { prefix: "explanations/" })) keys.push(key);
    const documents = keys.filter((key) => key.endsWith(".json"));
    expect(documents.map((key) => key.slice("explanations/".length, key.lastIndexOf("/"))).sort()).toEqual(
      chosen.map(({ key }) => key).sort(),
    );
    expect(keys).toHaveLength(3 * photoCount);
    expect(outcomes.get("explained")).toBe(photoCount);
    console.info(
      `${photoCount} photos, ${messages.length} messages, ${proxy.calls()} storage calls of which ` +
        `${proxy.failures()} ` +
        `failed: ${[...outcomes].map(([what, n]) => `${n} ${what}`).join(", ")}`,
    );

    // Right: the very maps that Node computes from the same bytes.
    const settings = await readSettings({ BACKLIGHT_MODEL: "photos" });
    const node = nodePlatform(store, webRuntime(), settings.policy);
    const { service } = createDeps(
      { ...node, decoding: { ...node.decoding, limits: EDGE_LIMITS } },
      settings,
      () => undefined,
    );
    for (const { key, file } of chosen.filter((_, i) => i % 10 === 0)) {
      const map = keys.find((k) => k.startsWith(`explanations/${key}/`) && k.endsWith(".npy")) ?? "";
      const found = await store.get(map);
      if (found?.outcome !== "found") throw new Error(`${map} is not there`);
      const edge = readNpy(await readObject(found, { bytesMax: 1e7, what: map }));
      await store.delete(map);
      const image = await service.image(new Uint8Array(readFileSync(file)), key);
      const asked = await service.identify(key, image.sha256, readQuestion({}, settings.defaults));
      const again = await service.answer(asked, image, { kind: "map" });
      expect(again.cached).toBe(false);
      expect(readNpy(again.bytes)).toEqual(edge);
    }
    await service.options.engine.close();
  });
});

async function until(fits: () => boolean, milliseconds: number): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!fits()) {
    if (Date.now() > end) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
