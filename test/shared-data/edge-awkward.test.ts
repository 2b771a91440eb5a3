/**
 * @file Every hostile file posted to the Worker in workerd: an answer or a problem document that says why, as on Node
 * under the same limits; never a crash, a hang or a 5xx; memory within an isolate's, and the next request works.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApp } from "../../functions/http/app.ts";
import { type Stack, startStack } from "../../infra/stack/stack.ts";
import { EDGE_LIMITS } from "../../shared/imaging/limits.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { apiKey, apiKeys, modelName, picture, publishTiny, type Rig, startRig } from "../support/service.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

/** 128 MB less what the Worker's code and other objects take. */
const memoryBytesMax = 100e6;

if (!hasSharedData) console.warn("SKIPPED: hostile files through the Worker, as ../shared is not here");

// The manifest's fields are described in the README of the material.
const files = (
  hasSharedData ? JSON.parse(readFileSync(sharedData("data", "awkward", "manifest.json"), "utf8")) : []
) as readonly { readonly file: string }[];

const variables = {
  BACKLIGHT_MODEL: modelName,
  BACKLIGHT_API_KEYS: apiKeys,
};

describe.runIf(hasSharedData)("hostile files", () => {
  let stack: Stack;
  let rig: Rig;
  beforeAll(async () => {
    stack = await startStack({ variables });
    await publishTiny(stack.store);
    rig = await startRig({ variables, platform: { decoding: { codecs: nodeCodecs(), limits: EDGE_LIMITS } } });
  });
  afterAll(async () => {
    await stack?.stop();
    await rig?.stop();
  });

  it("get the answer or the refusal they get on Node", { timeout: 900_000 }, async () => {
    const app = createApp(rig.deps);
    const seen = new Map<string, number>();
    let peak = 0;
    const ask = async (
      post: (path: string, init: RequestInit) => Response | Promise<Response>,
      bytes: Uint8Array,
      i: number,
    ) => {
      const response = await post("/v1/explain?format=json", {
        method: "POST",
        body: new Uint8Array(bytes),
        // The rate limit counts by address.
        headers: { authorization: `Bearer ${apiKey}`, "cf-connecting-ip": `192.0.2.${i % 250}` },
      });
      const body = await response.json();
      return { status: response.status, body };
    };
    const edge = (path: string, init: RequestInit) =>
      stack.fetch(path, init as Parameters<Stack["fetch"]>[1]) as unknown as Promise<Response>;
    const node = (path: string, init: RequestInit) => app.request(path, init);
    for (const [i, { file }] of files.entries()) {
      const bytes = readFileSync(sharedData("data", "awkward", file));
      const [there, here] = [await ask(edge, bytes, i), await ask(node, bytes, i)];
      expect([file, there.status]).toEqual([file, here.status]);
      expect(there.status, `${file}: ${JSON.stringify(there.body)}`).toBeLessThan(500);
      if (there.status === 200) {
        const { input, prediction, map, notes, memory } = there.body;
        expect([file, { input, prediction, map, notes }]).toEqual([
          file,
          { input: here.body.input, prediction: here.body.prediction, map: here.body.map, notes: here.body.notes },
        ]);
        peak = Math.max(peak, memory.peakBytes);
      } else {
        expect([file, there.body.type, there.body.detail]).toEqual([file, here.body.type, here.body.detail]);
      }
      const what = there.status === 200 ? "answered" : String(there.body.type).replace(/.*:/, "");
      seen.set(what, (seen.get(what) ?? 0) + 1);
    }
    expect(peak).toBeLessThan(memoryBytesMax);
    expect(seen.get("answered")).toBeGreaterThan(200);
    expect((await ask(edge, await picture(1), 0)).status).toBe(200);
    console.info(
      `${files.length} files: ${[...seen].map(([what, n]) => `${n} ${what}`).join(", ")}; ` +
        `peak ${Math.round(peak / 1e6)} MB`,
    );
  });
});
