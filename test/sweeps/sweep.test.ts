/**
 * @file Sweeps from start to report over a directory: what is planned, explained, skipped, refused, stopped, redriven.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cancelSweep, currentRun, redriveSweep } from "../../shared/sweeps/lifecycle.ts";
import { settleShard } from "../../shared/sweeps/shard.ts";
import { sweepStatus } from "../../shared/sweeps/status.ts";
import { stopRun } from "../../shared/sweeps/stop.ts";
import { picture, publishTiny, type Rig, startRig } from "../support/service.ts";
import { drive, putPictures, readReport, readResults, readText, start } from "../support/sweeps.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  await putPictures(rig, "images/a/", 7);
});
afterAll(() => rig.stop());

const counts = { succeeded: 0, skipped: 0, failed: 0, dropped: 0 };
const put = (key: string, text: string) =>
  rig.store.put(key, new TextEncoder().encode(text), { contentType: "text/plain" });

describe("a sweep over a prefix", () => {
  it("explains every image once, and proves it", async () => {
    await start(rig, "first", { source: "images/a/", batch: 3 });
    await drive(rig, "first");
    const report = await readReport(rig.store, "first");
    expect(report).toMatchObject({ state: "complete", final: true, counts: { ...counts, succeeded: 7 } });
    expect(report.planned).toMatchObject({ items: 7, tasks: 7 });
    const results = await readResults(rig.store, "first");
    expect(results.map((r) => r.key)).toEqual([...new Set(results.map((r) => r.key))]);
    for (const { id } of results) expect(await rig.keys(`explanations/${id}.json`)).toHaveLength(1);
  });

  it("skips what is unchanged, and explains what is new", async () => {
    await rig.put("images/a/00003.png", await picture(99));
    await start(rig, "second", { source: "images/a/" });
    await drive(rig, "second");
    expect((await readReport(rig.store, "second")).counts).toEqual({ ...counts, succeeded: 1, skipped: 6 });
  });

  it("asks every method for every target, and measures how the maps differ", async () => {
    await start(rig, "grid", { source: "images/a/", methods: ["grad-cam", "norm-grad"], targets: ["top1", "top5"] });
    await drive(rig, "grid");
    const report = await readReport(rig.store, "grid");
    expect(report.counts).toEqual({ ...counts, succeeded: 28 });
    expect(report.questions.map((q) => [q.question.method, q.question.target, q.sensitivity === null])).toEqual([
      ["grad-cam", "top1", true],
      ["grad-cam", "top5", false],
      ["norm-grad", "top1", true],
      ["norm-grad", "top5", false],
    ]);
  });

  it("takes the first so many, or the same share every time", async () => {
    await start(rig, "limited", { source: "images/a/", limit: 4, batch: 2 });
    await drive(rig, "limited");
    expect((await readResults(rig.store, "limited")).map((r) => r.key)).toEqual(
      ["0", "1", "2", "3"].map((n) => `images/a/0000${n}.png`),
    );
    await start(rig, "half", { source: "images/a/", sample: 0.5 });
    await start(rig, "half-again", { source: "images/a/", sample: 0.5 });
    await drive(rig, "half");
    await drive(rig, "half-again");
    const keys = (await readResults(rig.store, "half")).map((r) => r.key);
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.length).toBeLessThan(7);
    expect((await readResults(rig.store, "half-again")).map((r) => r.key)).toEqual(keys);
  });

  it("ends at once where there is no image, and says so", async () => {
    await start(rig, "empty", { source: "images/none/" });
    await drive(rig, "empty");
    const status = await sweepStatus(rig.store, "empty");
    expect(status).toMatchObject({ state: "complete", note: 'there is no image below "images/none/"' });
  });

  it("is one sweep where two of its id are started at once, and refuses a third that asks something else", async () => {
    const body = { source: "images/a/", limit: 2 };
    const both = await Promise.all([start(rig, "twice", body), start(rig, "twice", body)]);
    expect(both.map((each) => each.sweep.createdAt)[0]).toBe(both.map((each) => each.sweep.createdAt)[1]);
    await Promise.all([drive(rig, "twice"), drive(rig, "twice")]);
    const report = await readReport(rig.store, "twice");
    expect(report.counts.succeeded + report.counts.skipped).toBe(2);
    await expect(start(rig, "twice", { source: "images/a/", limit: 3 })).rejects.toThrow(/asks something else/);
  });
});

describe("a manifest", () => {
  it("is read line by line: bad lines fail with their number, repeated ones are left out", async () => {
    const lines = [
      '{"key": "images/a/00000.png", "class": 1}',
      "{nonsense",
      '{"key": "images/a/00001.png", "class": "dog", "boxes": [[4, 4, 20, 20]]}',
      '{"key": "images/a/00000.png", "class": 1}',
      '{"key": "elsewhere/x.png"}',
      "",
      '{"key": "images/a/missing.png"}',
      '{"key": "images/a/00002.png", "class": "unicorn"}',
    ];
    await put("manifests/one.jsonl", lines.join("\n"));
    await start(rig, "manifest", { source: "manifests/one.jsonl", targets: ["label"], batch: 2 });
    await drive(rig, "manifest");
    const report = await readReport(rig.store, "manifest");
    expect(report.planned).toMatchObject({ items: 6, problems: 2, duplicates: 1 });
    expect(report.counts).toEqual({ ...counts, succeeded: 2, failed: 4 });
    const failures = await readResults(rig.store, "manifest", "failures.jsonl");
    expect(failures.map(({ line, code, why }) => [line, code, why])).toEqual([
      [2, "dataset-invalid", expect.stringMatching(/^line 2: it is not JSON/)],
      [5, "dataset-invalid", 'line 5: "elsewhere/x.png" is not below images/'],
      [7, "not-found", 'there is no image "images/a/missing.png"'],
      [8, "spec-invalid", expect.stringMatching(/unicorn/)],
    ]);
    expect((await readResults(rig.store, "manifest"))[2]?.summary?.pointing).toEqual({
      hit: expect.any(Boolean),
      small: true,
    });
    expect((await sweepStatus(rig.store, "manifest")).note).toBe(
      [
        '2 lines in "manifests/one.jsonl" cannot be read and are among the failures',
        '1 lines in "manifests/one.jsonl" repeat another and were left out',
      ].join("; "),
    );
  });

  it("may be CSV, with quotes", async () => {
    await put(
      "manifests/two.csv",
      'key,class,boxes\r\nimages/a/00000.png,1,"4 4 10 10; 20 20 5 5"\r\nimages/a/00001.png,,\r\n',
    );
    await start(rig, "csv", { source: "manifests/two.csv" });
    await drive(rig, "csv");
    const results = await readResults(rig.store, "csv");
    expect(results.map((r) => [r.key, r.summary?.label ?? null, r.summary?.pointing === undefined])).toEqual([
      ["images/a/00000.png", "1", false],
      ["images/a/00001.png", null, true],
    ]);
  });
});

describe("what goes wrong", () => {
  it("fails an image that was replaced after it was listed, and a redrive explains what is there", async () => {
    await putPictures(rig, "images/b/", 3, 50);
    await start(rig, "changing", { source: "images/b/" });
    let replaced = false;
    await drive(rig, "changing", {
      async settle(message, mode) {
        if (!replaced) await rig.put("images/b/00001.png", await picture(777));
        replaced = true;
        return settleShard(message, mode, { store: rig.store, service: rig.deps.service });
      },
    });
    expect((await readReport(rig.store, "changing")).counts).toEqual({ ...counts, succeeded: 2, failed: 1 });
    expect((await readResults(rig.store, "changing", "failures.jsonl"))[0]).toMatchObject({ code: "stale" });
    await redriveSweep(rig.store, "changing");
    await drive(rig, "changing");
    const report = await readReport(rig.store, "changing");
    expect(report).toMatchObject({ run: 1, state: "complete", counts: { ...counts, succeeded: 3 } });
  });

  it("is aborted when more fail than are tolerated, never before the minimum sample", async () => {
    for (let i = 0; i < 12; i += 1) await put(`images/c/${String(i).padStart(2, "0")}.png`, `no picture ${i}`);
    const tolerated = { percent: 20, minimumSample: 4 };
    await start(rig, "aborted", { source: "images/c/", batch: 2, maxConcurrency: 1, toleratedFailures: tolerated });
    await drive(rig, "aborted");
    const status = await sweepStatus(rig.store, "aborted");
    expect(status).toMatchObject({ state: "aborted", note: "4 of 4 failed, and 20 % are tolerated" });
    expect(status.counts).toMatchObject({ succeeded: 0, failed: 4, dropped: 8, pending: 0 });
    // Repaired, and redriven: everything that had failed or was never tried.
    for (let i = 0; i < 12; i += 1) await rig.put(`images/c/${String(i).padStart(2, "0")}.png`, await picture(200 + i));
    await redriveSweep(rig.store, "aborted");
    expect(await sweepStatus(rig.store, "aborted")).toMatchObject({ state: "planning", run: 1 });
    await drive(rig, "aborted");
    expect((await readReport(rig.store, "aborted")).counts).toEqual({ ...counts, succeeded: 12 });
  });

  it("drops what was not begun when it is cancelled, and goes on with it when redriven", async () => {
    await putPictures(rig, "images/d/", 6, 300);
    await start(rig, "cancelled", { source: "images/d/", batch: 1, maxConcurrency: 1 });
    let settled = 0;
    await drive(rig, "cancelled", {
      async settle(message, mode) {
        settled += 1;
        if (settled === 3) await cancelSweep(rig.store, "cancelled");
        return settleShard(message, mode, { store: rig.store, service: rig.deps.service });
      },
    });
    expect(await sweepStatus(rig.store, "cancelled")).toMatchObject({
      state: "cancelled",
      note: "it was cancelled by request",
      counts: { succeeded: 2, dropped: 4, pending: 0 },
    });
    await redriveSweep(rig.store, "cancelled");
    await drive(rig, "cancelled");
    expect((await readReport(rig.store, "cancelled")).counts).toEqual({ ...counts, succeeded: 6 });
    // Over: cancelling changes nothing more.
    await cancelSweep(rig.store, "cancelled");
    expect((await sweepStatus(rig.store, "cancelled")).state).toBe("complete");
  });

  it("refuses to redrive what is under way", async () => {
    await start(rig, "under-way", { source: "images/d/" });
    await expect(redriveSweep(rig.store, "under-way")).rejects.toThrow(/is not over/);
  });

  it("is aborted when its model is replaced", async () => {
    await publishTiny(rig.store, "passing", 1);
    await start(rig, "replaced", { source: "images/d/", model: "passing" });
    await publishTiny(rig.store, "passing", 2);
    rig.deps.service.options.models.forget("passing");
    await drive(rig, "replaced");
    const status = await sweepStatus(rig.store, "replaced");
    expect(status).toMatchObject({ state: "aborted", counts: { dropped: 6 } });
    expect(status.note).toMatch(/the model "passing" was replaced/);
  });

  it("is aborted when its manifest changes before it is planned", async () => {
    await put("manifests/moving.jsonl", '{"key": "images/a/00000.png"}\n');
    await start(rig, "moving", { source: "manifests/moving.jsonl" });
    await put("manifests/moving.jsonl", '{"key": "images/a/00001.png"}\n');
    await drive(rig, "moving");
    expect(await sweepStatus(rig.store, "moving")).toMatchObject({ state: "aborted", planned: null });
    await expect(redriveSweep(rig.store, "moving")).rejects.toThrow(/start another one/);
  });

  it("gives up a shard without computing anything, keeping what has a result", async () => {
    await putPictures(rig, "images/e/", 2, 400);
    await start(rig, "poison", { source: "images/e/", batch: 2 });
    const deps = { store: rig.store, service: rig.deps.service };
    await drive(rig, "poison", { settle: (message) => settleShard(message, "give-up", deps) });
    expect((await readReport(rig.store, "poison")).counts).toEqual({ ...counts, failed: 2 });
    expect((await readResults(rig.store, "poison"))[0]?.why).toMatch(/given up after many tries/);
  });

  it("keeps the first reason it was stopped for", async () => {
    await start(rig, "stopped", { source: "images/e/" });
    const run = await currentRun(rig.store, "stopped");
    await stopRun(rig.store, run, { state: "cancelled", why: "first" });
    await stopRun(rig.store, run, { state: "aborted", why: "second" });
    await drive(rig, "stopped");
    expect(await sweepStatus(rig.store, "stopped")).toMatchObject({ state: "cancelled", note: "first" });
  });
});

describe("the report", () => {
  it("is one page that escapes what it shows", async () => {
    await put("manifests/evil.jsonl", '{"key": "images/</script><b>.png"}\n');
    await start(rig, "evil", { source: "manifests/evil.jsonl" });
    await drive(rig, "evil");
    const page = await readText(rig.store, "sweeps/evil/report.html");
    expect(page).toContain("\\u003c/script>");
    expect(page).not.toContain("</script><b>");
  });
});
