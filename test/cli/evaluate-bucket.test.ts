/** @file Datasets in a bucket, over a real S3 server: the figures of the same folder here, and errors that name it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { S3 } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { namesBelow } from "../../infra/cli/evaluate/bucket-tree.ts";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import { s3Store } from "../../shared/storage/s3.ts";
import { startFlakyProxy } from "../support/flaky-proxy.ts";
import { type S3Server, startMiniflareS3 } from "../support/s3-servers.ts";
import { type Box, dataset, evaluate, find, model, size, voc } from "./evaluate-place.ts";
import { pngOf, runMain, spawnProgram, tinyWorkplace, type Workplace } from "./workplace.ts";

let server: S3Server;
let place: Workplace;
let environment: Record<string, string>;
beforeAll(async () => {
  server = await startMiniflareS3();
  environment = {
    BACKLIGHT_S3_ENDPOINT: server.endpoint,
    BACKLIGHT_S3_REGION: server.region,
    BACKLIGHT_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
    BACKLIGHT_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
  };
  place = await tinyWorkplace(environment);
});
afterAll(async () => {
  place.remove();
  await server.stop();
});

/** Copies a folder of the workplace into the bucket, and gives its address there. */
async function upload(folder: string): Promise<string> {
  const store = s3Store(server);
  const prefix = path.basename(folder);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const entry of files) {
    const file = path.join(entry.parentPath, entry.name);
    const key = `${prefix}/${path.relative(folder, file)}`;
    await store.put(key, readFileSync(file), { contentType: "application/octet-stream" });
  }
  return `s3://${server.bucket}/${prefix}`;
}

const how = ["--methods", "norm-grad,gradient", "--layers", "relu1,relu2"];
const boxes: readonly Box[] = [
  [1, 1, 20, 20],
  [31, 11, 60, 40],
  [21, 1, 40, 20],
];
const documents = (documentOf: (box: Box, i: number) => readonly [string, string]) =>
  Object.fromEntries(boxes.map((box, i) => documentOf(box, i)));
const annotated = documents((box, i) => [`Annotations/${i}.xml`, voc([["cat", box]])]);

describe("a dataset in a bucket", () => {
  const coco = {
    images: boxes.map((_, i) => ({ id: i, file_name: `${i}.png`, width: 60, height: 40 })),
    categories: [{ id: 5, name: "cat" }],
    annotations: boxes.map(([x, y, right, bottom], i) => ({
      image_id: i,
      category_id: 5,
      bbox: [x, y, right - x, bottom - y],
    })),
  };
  const pairs = boxes.map(([x, y], i) => ({
    ...{ file: `${i}.png`, w: 60, h: 40, name: "cat", best_idx: 2, best_rank: 0 },
    boxes_xywh: [[x, y, 15, 15]],
  }));
  const mask = () => pngOf({ ...size, data: Uint8Array.from({ length: 60 * 40 * 3 }, (_, i) => (i < 2400 ? 2 : 0)) });
  it.each([
    ["voc", async () => annotated],
    [
      "yolo",
      async () => ({ ...documents((_, i) => [`labels/${i}.txt`, "0 0.3 0.4 0.5 0.5\n"]), "classes.txt": "dog\n" }),
    ],
    ["coco", async () => ({ "annotations/instances.json": JSON.stringify(coco) })],
    ["pairs", async () => ({ "pairs.json": JSON.stringify(pairs) })],
    ["masks", async () => ({ "masks/0.png": await mask(), "masks/1.png": await mask() })],
  ])("of the format %s gives the figures of the same folder here", async (format, files) => {
    const folder = await dataset(place, `data-${format}`, boxes.length, await files());
    const here = await evaluate(place, "pointing", folder, `here-${format}`, ...how);
    const there = await evaluate(place, "pointing", await upload(folder), `there-${format}`, ...how);
    expect([here.code, there.code], there.err).toEqual([0, 0]);
    expect(find(here.document.rows, { method: "centre", subset: "all" })?.["trials"]).toBeGreaterThan(1);
    expect(there.document.rows).toEqual(here.document.rows);
    expect(there.document.skipped).toEqual(here.document.skipped);
  });

  it("is named by a document, by other places for images and annotations, or has images alone", async () => {
    const root = `s3://${server.bucket}/data-coco`;
    const wanted = (await evaluate(place, "pointing", place.at("data-coco"), "here-coco", ...how)).document.rows;
    const local = place.write("instances.json", JSON.stringify(coco));
    const onlyImages = [local, "--images", `${root}/images/`];
    const onlyAnnotations = [place.at("data-coco", "images"), "--annotations", `${root}/annotations/instances.json`];
    const document = [`${root}/annotations/instances.json`, "--images", `${root}/images`];
    for (const [first = "", ...rest] of [onlyImages, onlyAnnotations, document]) {
      const { code, err, document } = await evaluate(place, "pointing", first, "there-coco", ...rest, ...how);
      expect(code, err).toBe(0);
      expect(document.rows).toEqual(wanted);
    }
    const alone = await evaluate(place, "sensitivity", `${root}/images`, "alone", "--methods", "norm-grad");
    expect(alone.document.rows[0]).toMatchObject({ images: boxes.length });
    const { document: renamed } = await evaluate(
      ...([place, "pointing", `s3://${server.bucket}/data-yolo`, "renamed"] as const),
      ...["--names", `s3://${server.bucket}/data-yolo/classes.txt`, ...how],
    );
    expect(find(renamed.rows, { method: "centre", subset: "all" })?.["trials"]).toBe(boxes.length);
  });

  it("lists what is missing or cannot be read as a folder does, and does the rest", async () => {
    const folder = await dataset(place, "broken", 3, {
      ...annotated,
      "Annotations/9.xml": annotated["Annotations/0.xml"] ?? "",
      "Annotations/2.xml": "<annotation><object>",
      "images/1.png": "no picture",
    });
    const list = { ...coco, images: [...coco.images, { id: 9, file_name: "none.png", width: 60, height: 40 }] };
    writeFileSync(path.join(folder, "list.json"), JSON.stringify(list));
    const root = await upload(folder);
    const failures = async (at: string, out: string, annotations: string) => {
      const argv = ["--annotations", `${at}/${annotations}`, ...how];
      const { code, err, document } = await evaluate(place, "pointing", at, out, ...argv);
      expect(code).toBe(1);
      expect(err).toContain(`${document.failures.length} failed: they are listed in pointing.json`);
      return document.failures;
    };
    for (const annotations of ["Annotations", "list.json"]) {
      const names = async (...where: readonly [string, string]) =>
        (await failures(...where, annotations)).map(({ what, code }) => [path.basename(what), code]);
      const there = await names(root, `broken-there-${annotations}`);
      expect(there.length).toBeGreaterThan(1);
      expect(there).toEqual(await names(folder, `broken-here-${annotations}`));
    }
    const missing = (await failures(root, "broken-missing", "list.json")).find(({ what }) => what === "none.png");
    expect(missing?.message).toBe(`cannot read image "${root}/images/none.png": there is no such object`);
  });

  it("is measured by weights and reproduce too", async () => {
    const root = `s3://${server.bucket}/data-voc`;
    const argv = [root, ...model(place), "--layers", "relu1,relu2", "--out", place.at("others")];
    const weighed = await place.run("weights", ...argv, "--strategy", "class-contrast,pointing-accuracy");
    expect(weighed.code, weighed.err).toBe(0);
    const study = await place.run("reproduce", ...argv, "--methods", "norm-grad,grad-cam", "--steps", "auto");
    expect(study.code, study.err).toBe(0);
    expect(place.json("others/report.json")).toMatchObject({ dataset: { path: root, format: "voc", images: 3 } });
  });
});

describe("a bucket", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("is read only where it is needed, and again where a call fails", async () => {
    const many = await dataset(place, "many", 24, annotated);
    const root = await upload(many);
    const measure = async (nth: number, out: string, ...more: readonly string[]) => {
      const proxy = await startFlakyProxy(new URL(server.endpoint), nth);
      const endpoint = proxy.origin + new URL(server.endpoint).pathname;
      const argv = ["evaluate", "pointing", root, ...model(place), ...how, "--json", "--out", place.at(out), ...more];
      const ran = await runMain(argv, { ...environment, BACKLIGHT_S3_ENDPOINT: endpoint });
      await proxy.stop();
      return { ...ran, calls: proxy.calls() };
    };
    const whole = await measure(Number.POSITIVE_INFINITY, "whole");
    const first = await measure(Number.POSITIVE_INFINITY, "first", "--limit", "1");
    expect([whole.code, first.code], whole.err).toEqual([0, 0]);
    // 23 images less; their annotations are three alone, in both.
    expect(whole.calls - first.calls).toBe(23 + 2);
    const flaky = await measure(5, "flaky");
    expect(flaky.code, flaky.err).toBe(0);
    expect(JSON.parse(flaky.out).rows).toEqual(JSON.parse(whole.out).rows);
  });

  it("goes on after a killed process where it was", async () => {
    const root = `s3://${server.bucket}/many`;
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const argv = ["evaluate", "pointing", root, "--model", place.at("tiny.onnx"), ...how, "--json"];
    const killed = await spawnProgram([...argv, "--out", place.at("killed")], place.folder, (kill, err) => {
      if ((err.match(/loading the explainer/g) ?? []).length >= 2) kill("SIGKILL");
    });
    expect(killed.code).not.toBe(0);
    const lines = (out: string) => readFileSync(place.at(out, "journal.jsonl"), "utf8").trimEnd().split("\n").sort();
    const done = lines("killed");
    const resumed = await evaluate(place, "pointing", root, "killed", ...how);
    const whole = await evaluate(place, "pointing", root, "whole", ...how);
    expect(resumed.code, resumed.err).toBe(0);
    expect(resumed.document.rows).toEqual(whole.document.rows);
    expect(lines("killed")).toEqual(lines("whole"));
    expect(lines("killed")).toEqual(expect.arrayContaining(done));
  });

  it("where nothing is, that is not there, or that may not be read says so and names it", async () => {
    const failed = async (at: string, changed: Record<string, string | undefined> = {}, ...more: readonly string[]) => {
      const kept = Object.entries({ ...environment, ...changed }).filter(([, value]) => value !== undefined);
      const argv = ["evaluate", "pointing", at, ...model(place), "--out", place.at("none"), ...more];
      // What is left has values.
      const { code, err } = await runMain(argv, Object.fromEntries(kept) as Record<string, string>);
      expect(code).toBe(2);
      return err.trim();
    };
    const root = `s3://${server.bucket}`;
    expect(await failed(`${root}/nowhere`)).toBe(
      `error: cannot read dataset "${root}/nowhere": there is no such object, and none below it`,
    );
    expect(await failed(`${root}/nowhere/`)).toContain("there is no object below it");
    expect(await failed(`${root}/data-voc`, {}, "--images", `${root}/no`)).toContain(`cannot read images "${root}/no"`);
    expect(await failed(`${root}/data-voc/images`)).toContain(`found no annotations in "${root}/data-voc/images"`);
    expect(await failed("s3://no-such-bucket/x")).toContain(
      'cannot list "x/" in s3:no-such-bucket: NoSuchBucket (404)',
    );
    expect(await failed("s3://")).toContain("a bucket is s3://NAME");
    expect(await failed(`${root}/data-voc`, { BACKLIGHT_S3_SECRET_ACCESS_KEY: "another" })).toContain(
      'cannot list "data-voc/" in s3:images: SignatureDoesNotMatch (403)',
    );
    expect(await failed(`${root}/data-voc`, {}, "--out", `${root}/out`)).toContain("--out is a folder of this machine");
    // Nothing of this machine's own may answer for them.
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"]) vi.stubEnv(name, undefined);
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
    for (const name of ["CONFIG", "SHARED_CREDENTIALS"]) vi.stubEnv(`AWS_${name}_FILE`, place.at("no-such-file"));
    const nobody = { BACKLIGHT_S3_ACCESS_KEY_ID: undefined, BACKLIGHT_S3_SECRET_ACCESS_KEY: undefined };
    expect(await failed(`${root}/data-voc`, nobody)).toContain(
      'cannot list "data-voc/" in s3:images: there are no credentials; set BACKLIGHT_S3_ACCESS_KEY_ID',
    );
  });

  it("of several pages is listed whole, and of too many names refused before they fill the memory", async () => {
    const { signal } = new AbortController();
    // The listing goes by the store's interface alone; a directory is filled faster than a server.
    const pages = await dataset(place, "pages", 0, { "pages/labels/0.txt": "" });
    for (let i = 0; i < 2100; i += 1) writeFileSync(path.join(pages, "pages", `${i}.png`), "");
    const store = await openDirectoryStore(pages);
    const names = await namesBelow(store, "pages/", 2101, signal);
    expect(names).toEqual([...Array.from({ length: 2100 }, (_, i) => `${i}.png`), "labels"].sort());
    await expect(namesBelow(store, "pages/", 2100, signal)).rejects.toMatchObject({ code: "dataset-invalid" });
    await expect(namesBelow(s3Store(server), "data-voc/images/", 2, signal)).rejects.toThrow(
      'cannot list "data-voc/images/" in s3:images: it holds more than 2 names; divide it into folders',
    );
  });

  it("that a console made folders in, as objects of their names, is the same dataset", async () => {
    const { bucket, endpoint, region, credentials } = server;
    const client = new S3({ endpoint, region, credentials, forcePathStyle: true });
    for (const Key of ["data-voc/", "data-voc/images/", "made/"])
      await client.putObject({ Bucket: bucket, Key, Body: new Uint8Array() });
    const marked = await evaluate(place, "pointing", `s3://${bucket}/data-voc/`, "marked", ...how);
    expect(marked.code, marked.err).toBe(0);
    expect(find(marked.document.rows, { method: "centre", subset: "all" })?.["trials"]).toBe(boxes.length);
    const empty = await evaluate(place, "sensitivity", `s3://${bucket}/made/`, "made", ...how);
    expect([empty.code, empty.err]).toEqual([2, expect.stringContaining("there is no object below it")]);
  });
});
