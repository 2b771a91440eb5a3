/** @file The HTTP app over a real directory store and a real engine: answers, refusals, caching, access. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, createApp } from "../../functions/http/app.ts";
import { openApi } from "../../functions/http/openapi.ts";
import { parseSigningKeys, signUrl } from "../../shared/access/signed-url.ts";
import { readNpy } from "../../shared/imaging/npy.ts";
import { apiKey, apiKeys, classNames, modelName, picture, type Rig, startRig } from "../support/service.ts";

const signing = `k1:${createHash("sha256").update("a signing key for tests").digest("hex")}`;
const variables = {
  BACKLIGHT_PUBLIC_READS: "false",
  BACKLIGHT_API_KEYS: apiKeys,
  BACKLIGHT_SIGNING_KEYS: signing,
};

let rig: Rig;
let app: App;
beforeAll(async () => {
  rig = await startRig({ variables });
  app = createApp(rig.deps);
  await rig.put("images/a b.png", await picture(1));
});
afterAll(() => rig.stop());

const withKey = { authorization: `Bearer ${apiKey}` };
const ask = (path: string, init: RequestInit = {}) =>
  app.request(path, { ...init, headers: { ...withKey, ...(init.headers as Record<string, string>) } });
const explainPath = "/v1/explain?key=images/a%20b.png";

describe("an explanation on demand", () => {
  it("is a picture of the type the client accepts", async () => {
    const types = { "image/png": "\x89PNG", "image/webp": "RIFF", "image/jpeg": "\xff\xd8\xff" };
    for (const [type, magic] of Object.entries(types)) {
      const response = await ask(explainPath, { headers: { accept: type } });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe(type);
      const bytes = new Uint8Array(await response.arrayBuffer());
      expect(String.fromCharCode(...bytes.subarray(0, magic.length))).toBe(magic);
    }
    expect((await ask(explainPath, { headers: { accept: "text/html,*/*;q=0.8" } })).headers.get("content-type")).toBe(
      "image/png",
    );
  });

  it("is a document that says what was seen, and where its files are", async () => {
    const response = await ask(explainPath, { headers: { accept: "application/json" } });
    const document = await response.json();
    expect(document.prediction.top).toHaveLength(5);
    expect(classNames).toContain(document.target.name);
    expect(document.model.name).toBe(modelName);
    expect(document.versions.runtime).toMatch(/^onnxruntime-web/);
    expect(document.id).toBe(`images/a b.png/${document.files.map.replace(".npy", "")}`);
    const map = await ask(`/v1/explanations/${encodeURI(document.id)}/map`);
    const npy = readNpy(new Uint8Array(await map.arrayBuffer()));
    expect(npy.dims).toEqual(document.map.shape);
    expect(Math.max(...Array.from(npy.data))).toBeCloseTo(document.map.max, 6);
    const again = await ask(response.headers.get("content-location") ?? "");
    expect(await again.json()).toEqual(document);
    expect(again.headers.get("cache-control")).toContain("immutable");
  });

  it("is computed once and then read, with a strong ETag that spares the client the bytes", async () => {
    const first = await ask(`${explainPath}&target=dog`);
    const second = await ask(`${explainPath}&target=dog`);
    expect([first, second].map((r) => r.headers.get("x-backlight-cache"))).toEqual(["miss", "hit"]);
    expect(new Uint8Array(await second.arrayBuffer())).toEqual(new Uint8Array(await first.arrayBuffer()));
    const etag = second.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[0-9a-f]{64}-overlay\.png"$/);
    const third = await ask(`${explainPath}&target=dog`, { headers: { "if-none-match": `"x", ${etag}` } });
    expect([third.status, (await third.arrayBuffer()).byteLength]).toEqual([304, 0]);
    expect((await ask(`${explainPath}&target=cat`, { headers: { "if-none-match": etag } })).status).toBe(200);
  });

  it("is the same for the same bytes in the body, by key in JSON, and in the bucket", async () => {
    const bytes = await picture(1);
    const posted = await ask("/v1/explain?format=npy", {
      method: "POST",
      body: bytes as Uint8Array<ArrayBuffer>,
      headers: { "content-type": "image/png" },
    });
    const named = await ask("/v1/explain", {
      method: "POST",
      body: JSON.stringify({ key: "images/a b.png", format: "npy" }),
      headers: { "content-type": "application/json" },
    });
    expect([posted.status, named.status]).toEqual([200, 200]);
    expect(new Uint8Array(await posted.arrayBuffer())).toEqual(new Uint8Array(await named.arrayBuffer()));
  });

  it("computes identical concurrent requests once", async () => {
    await rig.put("images/concurrent.png", await picture(77));
    const responses = await Promise.all(Array.from({ length: 6 }, () => ask("/v1/explain?key=images/concurrent.png")));
    expect(responses.map((r) => r.status)).toEqual(Array(6).fill(200));
    expect(responses.filter((r) => r.headers.get("x-backlight-cache") === "miss")).toHaveLength(1);
  });

  it("refuses, with a time to come back, what would wait too long", async () => {
    const bodies = await Promise.all(Array.from({ length: 8 }, (_, i) => picture(100 + i)));
    const responses = await Promise.all(
      bodies.map((body) => ask("/v1/explain", { method: "POST", body: body as Uint8Array<ArrayBuffer> })),
    );
    const refused = responses.filter((r) => r.status === 429);
    expect(responses.filter((r) => r.status === 200).length).toBeGreaterThanOrEqual(3);
    expect(refused.length + responses.filter((r) => r.status === 200).length).toBe(8);
    for (const r of refused) expect(Number(r.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

describe("a refusal", () => {
  const cases: readonly [string, string, RequestInit, number, string][] = [
    ["an unknown model", `${explainPath}&model=nope`, {}, 404, "not-found"],
    ["an impossible model name", `${explainPath}&model=..%2Fx`, {}, 404, "not-found"],
    ["an unknown layer", `${explainPath}&layers=nope`, {}, 400, "spec-invalid"],
    ["an unknown class", `${explainPath}&target=unicorn`, {}, 400, "spec-invalid"],
    ["a class beyond the last", `${explainPath}&target=5`, {}, 400, "spec-invalid"],
    ["an unknown method", `${explainPath}&method=magic`, {}, 400, "spec-invalid"],
    ["an unknown parameter", `${explainPath}&methd=norm-grad`, {}, 400, "request-invalid"],
    ["a parameter given twice", `${explainPath}&target=1&target=2`, {}, 400, "request-invalid"],
    ["an unknown view", `${explainPath}&view=x`, {}, 400, "request-invalid"],
    ["an Accept nothing meets", explainPath, { headers: { accept: "text/html" } }, 400, "request-invalid"],
    ["a missing image", "/v1/explain?key=images/none.png", {}, 404, "not-found"],
    ["a key that is no image", "/v1/explain?key=models/tiny/model.onnx", {}, 404, "not-found"],
    ["a key out of the bucket", "/v1/explain?key=images/../secret", {}, 400, "request-invalid"],
    ["no image at all", "/v1/explain", {}, 400, "request-invalid"],
    ["two images", `${explainPath}&url=https://example.com/a.png`, {}, 400, "request-invalid"],
    ["a URL while none is allowed", "/v1/explain?url=https://example.com/a.png", {}, 403, "url-refused"],
    ["a body that is no image", "/v1/explain", { method: "POST", body: "hello" }, 415, "image-unreadable"],
    [
      "a body of another type",
      "/v1/explain",
      { method: "POST", body: "x", headers: { "content-type": "text/html" } },
      400,
      "request-invalid",
    ],
    [
      "JSON that is none",
      "/v1/explain",
      { method: "POST", body: "{", headers: { "content-type": "application/json" } },
      400,
      "request-invalid",
    ],
    ["an id that is none", "/v1/explanations/x", {}, 404, "not-found"],
    ["an explanation that was never made", `/v1/explanations/images/x.png/${"0".repeat(64)}`, {}, 404, "not-found"],
    ["an unknown route", "/v2", {}, 404, "not-found"],
  ];
  it.each(cases)("names %s", async (_, path, init, status, code) => {
    const response = await ask(path, {
      ...init,
      headers: {
        ...(init.method === "POST" && { "content-type": "application/octet-stream" }),
        ...(init.headers as object),
      },
    });
    const problem = await response.json();
    expect([response.status, problem.type]).toEqual([status, `urn:backlight:problem:${code}`]);
    expect(problem.detail.length).toBeGreaterThan(20);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });
});

describe("access", () => {
  it("needs a key or a signature to read, and a key to write", async () => {
    expect((await app.request(explainPath)).status).toBe(401);
    expect((await app.request(explainPath)).headers.get("www-authenticate")).toBe("Bearer");
    expect((await app.request("/v1/explain", { method: "POST", body: "x" })).status).toBe(401);
    expect(
      (await app.request(explainPath, { headers: { authorization: "Bearer wrong-key-of-a-believable-length-0123" } }))
        .status,
    ).toBe(401);
    expect((await app.request("/metrics")).status).toBe(401);
    expect((await ask("/metrics")).status).toBe(200);
  });

  it("lets in a signed URL until it expires, and only for what was signed", async () => {
    const keys = await parseSigningKeys(signing);
    const now = Math.floor(Date.now() / 1000);
    const url = new URL(explainPath, "http://localhost");
    const signed = await signUrl(keys, { method: "GET", url, now, expires: now + 60 });
    expect((await app.request(signed.href)).status).toBe(200);
    const other = new URL(signed);
    other.searchParams.set("key", "images/other.png");
    expect((await app.request(other.href)).status).toBe(403);
    const past = await signUrl(keys, { method: "GET", url, now: now - 120, expires: now - 60 });
    const expired = await app.request(past.href);
    expect([expired.status, (await expired.json()).reason]).toEqual([403, "expired"]);
  });
});

describe("the service around it", () => {
  it("lists models and layers", async () => {
    expect(await (await ask("/v1/models")).json()).toEqual({ models: [modelName], default: modelName });
    const model = await (await ask(`/v1/models/${modelName}`)).json();
    expect(model.classes).toEqual(classNames);
    const { layers } = await (await ask(`/v1/models/${modelName}/layers`)).json();
    expect(layers.map((l: { name: string }) => l.name)).toEqual(expect.arrayContaining(["relu1", "pool1", "relu2"]));
  });

  it("tells life from readiness", async () => {
    expect((await app.request("/healthz")).status).toBe(200);
    expect((await app.request("/readyz")).status).toBe(200);
    const other = await startRig({ variables: { BACKLIGHT_MODEL: "absent" } });
    const response = await createApp(other.deps).request("/readyz");
    expect([response.status, (await response.json()).why]).toEqual([503, expect.stringContaining("absent")]);
    await other.stop();
  });

  it("logs one line a request, without its query", async () => {
    rig.lines.length = 0;
    await ask(`${explainPath}&target=bird`);
    expect(rig.lines).toHaveLength(1);
    expect(rig.lines[0]).toMatchObject({ event: "request", status: 200, path: "/v1/explain" });
    expect(rig.lines[0]).toMatchObject({ outcome: "computed", timings: { run: expect.any(Number) } });
    expect(JSON.stringify(rig.lines)).not.toContain("bird");
    expect(await (await ask("/metrics")).text()).toMatch(/backlight_engine_heap_bytes [1-9]/);
  });

  it("describes every route it has, and no other", () => {
    const routes = app.routes
      .filter(({ method, path }) => method !== "ALL" && path !== "/" && path !== "/openapi.json")
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    const described = Object.entries(openApi.paths).flatMap(([path, item]) =>
      Object.keys(item).map(
        (method) => `${method.toUpperCase()} ${path.replace(/explanations\/\{id\}.*/, "explanations/*")}`,
      ),
    );
    expect([...new Set(described)].sort()).toEqual([...new Set(routes)].sort());
  });
});
