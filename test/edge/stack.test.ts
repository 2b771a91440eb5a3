/** @file The local stack: a model and pictures in, explanations out, by upload and by URL; nothing left behind. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Local, startLocal } from "../../infra/stack/local.ts";
import { isDocumentKey } from "../../shared/pipeline/layout.ts";
import { listAll } from "../../shared/storage/list-all.ts";
import { tinyClassifier } from "../support/tiny-models.ts";

const folder = mkdtempSync(path.join(tmpdir(), "backlight-stack-"));
const model = path.join(folder, "tiny.onnx");
const card = {
  name: "tiny",
  preprocessing: { family: "imagenet-squash" },
  labels: ["a", "b", "c", "d", "e"],
};
const picture = (): Uint8Array => readFileSync(new URL("../../infra/pictures/two-classes.jpg", import.meta.url));

let local: Local;
const lines: string[] = [];
beforeAll(async () => {
  writeFileSync(model, tinyClassifier({ size: 16, softmax: false }));
  writeFileSync(path.join(folder, "tiny.card.json"), JSON.stringify(card));
  local = await startLocal({ model, port: 0, onLine: (line) => lines.push(line) });
});
afterAll(async () => {
  await local?.stop();
  rmSync(folder, { recursive: true });
});

/** The documents of an image's explanations, waited for. */
async function documentsOf(image: string): Promise<readonly string[]> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const found: string[] = [];
    for await (const { key } of listAll(local.stack.store, { prefix: `explanations/${image}/` })) found.push(key);
    if (found.some(isDocumentKey)) return found.filter(isDocumentKey);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no explanation of ${image} came; the Worker said ${lines.join("\n")}`);
}

describe("the local stack", () => {
  it("explains what is put into its bucket over HTTP, once", async () => {
    const url = new URL("images/photo.jpg", local.bucketServer.url);
    const put = await fetch(url, { method: "PUT", body: new Uint8Array(picture()) });
    expect([put.status, await put.text()]).toEqual([201, "uploaded images/photo.jpg\n"]);
    const [key, ...others] = await documentsOf("images/photo.jpg");
    expect(others).toEqual([]);
    const document = await (await fetch(new URL(key ?? "", local.bucketServer.url))).json();
    expect(document).toMatchObject({ input: { source: "images/photo.jpg" }, model: { name: "tiny" } });
  });

  it("explains its samples when they are uploaded", async () => {
    const keys = await local.uploadSamples();
    expect(keys).toContain("images/scene.png");
    for (const key of keys) expect(await documentsOf(key)).toHaveLength(1);
  });

  it("explains a picture by its URL, from its own bucket and from nowhere else", async () => {
    await local.stack.upload("images/by-url.jpg", picture(), "image/jpeg");
    const ask = (url: URL): Promise<Response> =>
      local.stack.fetch(`/v1/explain?${new URLSearchParams({ url: url.href })}`);
    const answer = await ask(new URL("images/by-url.jpg", local.bucketServer.url));
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "image/png"]);
    await answer.arrayBuffer();
    const refused = await ask(new URL("/v1/models", local.stack.url));
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ type: expect.stringContaining("url-refused") });
  });

  it("keeps the connections by which queues report open for longer than workerd reuses them", async () => {
    const kept: number[] = [];
    const note = (message: unknown): void => {
      const { request, server } = message as { request: { url: string }; server: { keepAliveTimeout: number } };
      if (request.url === "/core/log") kept.push(server.keepAliveTimeout);
    };
    subscribe("http.server.request.start", note);
    await local.stack.upload("images/kept.jpg", picture(), "image/jpeg");
    await documentsOf("images/kept.jpg");
    while (kept.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    unsubscribe("http.server.request.start", note);
    expect(Math.min(...kept)).toBeGreaterThan(5_000);
  });

  it("lets nothing but images be written through its door", async () => {
    const put = (key: string, body: Uint8Array<ArrayBuffer>): Promise<Response> =>
      fetch(new URL(key, local.bucketServer.url), { method: "PUT", body });
    expect((await put("models/tiny/model.onnx", new Uint8Array(3))).status).toBe(403);
    expect((await put("images/huge.jpg", new Uint8Array(17_000_000))).status).toBe(413);
    expect((await fetch(new URL("images/none.jpg", local.bucketServer.url))).status).toBe(404);
  });

  it("gives a batch to the queue handler and tells what it acknowledged", async () => {
    const message = { id: "1", timestamp: new Date(), attempts: 1, body: { action: "DeleteObject" } };
    const outcome = await local.stack.deliver("backlight-uploads", [message]);
    expect(outcome).toMatchObject({ outcome: "ok", explicitAcks: ["1"], retryMessages: [] });
  });

  it("refuses a model without a card", async () => {
    const bare = path.join(folder, "bare.onnx");
    writeFileSync(bare, tinyClassifier());
    await expect(startLocal({ model: bare, port: 0 })).rejects.toMatchObject({ code: "card-invalid" });
  });
});
