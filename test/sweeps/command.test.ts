/** @file `backlight sweep` as it is typed: a folder of photos, worker threads, a manifest, a dry run, a deployment. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer } from "../../functions/node/server.ts";
import { main } from "../../infra/cli/main.ts";
import type { Report } from "../../shared/sweeps/report-document.ts";
import { apiKey, classNames, picture, startRig } from "../support/service.ts";
import { tinyClassifier } from "../support/tiny-models.ts";

let folder: string;
const file = (...parts: readonly string[]): string => path.join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "backlight-sweep-cli-"));
  await mkdir(file("photos"));
  for (let i = 0; i < 6; i += 1) await writeFile(file("photos", `${i}.png`), await picture(i));
  await writeFile(file("tiny.onnx"), tinyClassifier({ size: 32, seed: 1 }));
  const preprocessing = { fit: "squash", normalise: { divide: 255, mean: [0.5], std: [0.5] } };
  await writeFile(
    file("tiny.card.json"),
    JSON.stringify({ name: "tiny", preprocessing, labels: classNames, licence: "MIT" }),
  );
});
afterAll(() => rm(folder, { recursive: true }));

async function run(argv: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  let [stdout, stderr] = ["", ""];
  const code = await main(["sweep", ...argv], {
    out: { write: (text: string) => (stdout += text) },
    err: { write: (text: string) => (stderr += text) },
    signal: new AbortController().signal,
    environment,
  });
  return { code, stdout, stderr };
}

const base = (): readonly string[] => ["--model", file("tiny.onnx"), "--out", file("out")];

describe("backlight sweep", () => {
  it("sweeps a folder on two threads, and puts no result among the photos", async () => {
    const found = await run([file("photos"), ...base(), "--id", "one", "--batch", "2", "--concurrency", "2"]);
    expect(found.code, found.stderr).toBe(0);
    expect(found.stdout).toMatch(/^one: complete: 6 succeeded, 0 skipped, 0 failed, 0 dropped\n/);
    expect(found.stderr).toContain("[########################] 6 of 6");
    // The store keeps its own notes of files it did not write, so as not to digest them again.
    const names = await readdir(file("photos"));
    expect(names.filter((name) => name !== ".%store")).toEqual(["0", "1", "2", "3", "4", "5"].map((n) => `${n}.png`));
    expect(await readFile(file("out/sweeps/one/report.html"), "utf8")).toContain("images/5.png");
  });

  it("skips what is unchanged, and tells a script everything as JSON", async () => {
    const found = await run([file("photos"), ...base(), "--id", "two", "--concurrency", "1", "--json", "--quiet"]);
    const report: Report = JSON.parse(found.stdout);
    expect([found.code, found.stderr, report.counts.skipped]).toEqual([0, "", 6]);
  });

  it("counts exactly in a dry run, which starts nothing", async () => {
    const found = await run([file("photos"), ...base(), "--methods", "grad-cam,norm-grad", "--dry-run", "--json"]);
    expect(JSON.parse(found.stdout)).toMatchObject({ images: 6, tasks: 12, counted: true, shards: 1 });
    expect((await readdir(file("out/sweeps"))).sort()).toEqual(["one", "two"]);
  });

  it("takes a manifest and ends with 1 where items fail, each told once", async () => {
    await writeFile(file("list.csv"), "key,class\nimages/0.png,cat\nimages/nowhere.png,dog\n");
    const found = await run([file("list.csv"), "--images", file("photos"), ...base(), "--concurrency", "1"]);
    expect(found.code).toBe(1);
    expect(found.stderr.match(/FAILED images\/nowhere\.png: there is no image/g)).toHaveLength(1);
  });

  it("says what is missing", async () => {
    expect((await run([file("photos")])).stderr).toContain("--model says which model");
    expect((await run([file("nowhere"), ...base()])).stderr).toMatch(/there is no folder of images/);
    expect((await run(["images/", "--to", "http://127.0.0.1:1"])).stderr).toMatch(/set BACKLIGHT_API_KEY/);
  });

  it("has a deployment do it", async () => {
    const digest = createHash("sha256").update(apiKey).digest("hex");
    const rig = await startRig({ variables: { BACKLIGHT_API_KEYS: `tester:${digest}` } });
    const { platform, settings } = rig.deps;
    const server = await startServer(platform, settings, { host: "127.0.0.1", port: 0, log: () => {} });
    for (let i = 0; i < 3; i += 1) await rig.put(`images/${i}.png`, await picture(i));
    const found = await run(["images/", "--to", server.url.href, "--id", "there"], { BACKLIGHT_API_KEY: apiKey });
    await server.stop();
    await rig.stop();
    expect(found.code, found.stderr).toBe(0);
    expect(found.stdout).toMatch(/^there: complete: 3 succeeded/);
  });
});
