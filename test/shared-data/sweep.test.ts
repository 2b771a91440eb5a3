/**
 * @file The 128 COCO photos swept through Workflow and queue in workerd: the report's pointing game is that of
 * `backlight evaluate pointing` on the same data.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../infra/cli/main.ts";
import { type Stack, startStack } from "../../infra/stack/stack.ts";
import { parseCardText } from "../../shared/models/card.ts";
import { loadLabels } from "../../shared/models/labels.ts";
import { publishModel } from "../../shared/pipeline/publish.ts";
import type { Report } from "../../shared/sweeps/report-document.ts";
import type { SweepStatus } from "../../shared/sweeps/status.ts";
import { apiKey, apiKeys } from "../support/service.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

if (!hasSharedData) console.warn("SKIPPED: a sweep over the COCO photos, as ../shared is not here");

const model = "mobilenetv1_0.25_128_deq";
const methods = ["norm-grad", "grad-cam"];
/** Its class 0 is the background. */
const offset = 1;
const rankBelow = 5;

interface Pair {
  readonly file: string;
  readonly name: string;
  readonly boxes_xywh: readonly (readonly number[])[];
  readonly best_idx: number;
  readonly best_rank: number;
}

const lineOf = ({ file, name, boxes_xywh: boxes, best_idx: index }: Pair, isPlayed: boolean): string =>
  JSON.stringify({ key: `images/coco/${file}`, class: index + offset, name, ...(isPlayed && { boxes }) });

/** Every row that is played; of a photo without one its first row, to be explained and not played. */
function manifestOf(pairs: readonly Pair[], photos: readonly string[]): string {
  const played = pairs.filter((pair) => pair.best_rank < rankBelow);
  const others = photos
    .filter((file) => !played.some((pair) => pair.file === file))
    .map((file) => {
      const row = pairs.find((pair) => pair.file === file);
      return row === undefined ? JSON.stringify({ key: `images/coco/${file}`, class: 0 }) : lineOf(row, false);
    });
  return [...played.map((pair) => lineOf(pair, true)), ...others].join("\n");
}

describe.runIf(hasSharedData)("a sweep over the COCO photos", () => {
  const folder = sharedData("data", "coco", "images");
  const pairsFile = sharedData("data", "coco", "pairs_imagenet_coco.json");
  const cardFile = new URL(`cards/${model}.card.json`, import.meta.url);
  const out = mkdtempSync(path.join(tmpdir(), "backlight-sweep-coco-"));
  let stack: Stack;
  let report: Report;
  let status: SweepStatus;
  let wallSeconds = 0;

  beforeAll(async () => {
    stack = await startStack({
      variables: {
        BACKLIGHT_PUBLIC_READS: "true",
        BACKLIGHT_API_KEYS: apiKeys,
      },
    });
    const text = readFileSync(cardFile, "utf8");
    const source = parseCardText(text, model).labels;
    const labels = source
      ? await loadLabels(source, async (name) => readFileSync(new URL(name, cardFile), "utf8"))
      : null;
    const bytes = new Uint8Array(readFileSync(sharedData("data", "models", `${model}.onnx`)));
    await publishModel(stack.store, { name: "coco", bytes, external: [], card: { text, labels } }, []);
    const photos = readdirSync(folder).filter((name) => name.endsWith(".jpg"));
    expect(photos).toHaveLength(128);
    for (const name of photos) {
      const contents = readFileSync(path.join(folder, name));
      await stack.store.put(`images/coco/${name}`, contents, { contentType: "image/jpeg" });
    }
    const pairs: readonly Pair[] = JSON.parse(readFileSync(pairsFile, "utf8"));
    const manifest = new TextEncoder().encode(manifestOf(pairs, photos));
    await stack.store.put("manifests/coco.jsonl", manifest, { contentType: "application/jsonl" });
    const body = {
      id: "coco",
      source: "manifests/coco.jsonl",
      model: "coco",
      methods,
      layers: "last",
      targets: "label",
    };
    const start = performance.now();
    await stack.fetch("/v1/sweeps", {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}` },
      body: JSON.stringify(body),
    });
    do {
      await new Promise((resolve) => setTimeout(resolve, 500));
      status = await (await stack.fetch("/v1/sweeps/coco")).json();
    } while (!["complete", "aborted"].includes(status.state));
    wallSeconds = (performance.now() - start) / 1000;
    report = await (await stack.fetch("/v1/sweeps/coco/report?format=json")).json();
  }, 600_000);
  afterAll(async () => {
    await stack.stop();
    rmSync(out, { recursive: true });
  });

  it("explains every photo for every method, and accounts for all", () => {
    const { succeeded, skipped, failed } = report.counts;
    expect({ state: report.state, failed, skipped }).toEqual({ state: "complete", failed: 0, skipped: 0 });
    expect(succeeded).toBe(report.planned?.tasks);
    console.info(
      `${succeeded} explanations in ${wallSeconds.toFixed(1)} s`,
      JSON.stringify(report.questions[0]?.milliseconds),
    );
  });

  it("reports the pointing game that evaluate reports", async () => {
    const stdout: string[] = [];
    const code = await main(
      [
        ...[
          "evaluate",
          "pointing",
          pairsFile,
          "--images",
          folder,
          "--model",
          sharedData("data", "models", `${model}.onnx`),
        ],
        ...["--card", new URL(cardFile).pathname, "--methods", methods.join(","), "--layers", "last"],
        ...["--rank-below", String(rankBelow), "--class-offset", String(offset), "--out", out, "--json", "--quiet"],
      ],
      {
        out: { write: (text: string) => stdout.push(text) },
        err: { write: (text: string) => console.error(text) },
        signal: new AbortController().signal,
        environment: {},
      },
    );
    expect(code).toBe(0);
    const rows: readonly Readonly<Record<string, unknown>>[] = JSON.parse(stdout.join("")).rows;
    for (const [i, method] of methods.entries()) {
      const pointing = report.questions[i]?.pointing;
      for (const subset of ["all", "difficult"] as const) {
        const row = rows.find((r) => r["method"] === method && r["subset"] === subset);
        const found = pointing?.[subset];
        console.info(method, subset, `${found?.hits}/${found?.trials}`);
        expect({
          trials: found?.trials,
          hits: found?.hits,
          accuracy: found?.value,
          "accuracy low": found?.interval.low,
          "accuracy high": found?.interval.high,
          "class mean": found?.classMean,
        }).toEqual({
          trials: row?.["trials"],
          hits: row?.["hits"],
          accuracy: row?.["accuracy"],
          "accuracy low": row?.["accuracy low"],
          "accuracy high": row?.["accuracy high"],
          "class mean": row?.["class mean"],
        });
      }
    }
  });
});
