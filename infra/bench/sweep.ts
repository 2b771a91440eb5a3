/**
 * @file `npm run bench:sweep`: planning and polling at ten thousand images, two threads against one, and how near the
 * dry run's time is to the real one's. A table on stdout; files in a temporary folder.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { encodeImage } from "../../shared/imaging/encode.ts";
import { publishModel } from "../../shared/pipeline/publish.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { readSweep } from "../../shared/sweeps/definition.ts";
import { driveSweep } from "../../shared/sweeps/drive.ts";
import { estimateSweep } from "../../shared/sweeps/estimate.ts";
import { doneKey, noCounts } from "../../shared/sweeps/layout.ts";
import { createSweep } from "../../shared/sweeps/lifecycle.ts";
import { planMore } from "../../shared/sweeps/plan.ts";
import { countSettled, readProgress, writeProgress } from "../../shared/sweeps/progress.ts";
import { sweepStatus } from "../../shared/sweeps/status.ts";
import { readModelFile } from "../cli/model.ts";
import { readCardInfo } from "../cli/recipe.ts";
import { openDeps, type Place } from "../cli/sweep/place.ts";
import { startThreads } from "../cli/sweep/threads.ts";
import { table } from "../cli/terminal.ts";

const modelFile = path.resolve(import.meta.dirname, "../demo/model/everyday-24.onnx");
const manyImages = 10_000;
const sweptImages = 96;
const batch = 8;
const manifestLinesMax = 1_000_000;

const folder = await mkdtemp(path.join(tmpdir(), "backlight-bench-"));
const place = (name: string): Place => ({
  store: path.join(folder, name),
  images: null,
  environment: {},
  runtime: "wasm",
});

const rows: (readonly [what: string, measured: string, wanted: string])[] = [];
try {
  await measurePlanning();
  await measureThreads();
} finally {
  await rm(folder, { recursive: true });
}
process.stdout.write(`${table([["", "measured", "wanted"], ...rows], new Set([1, 2]))}\n`);

async function publish(store: ObjectStore): Promise<string> {
  const model = await readModelFile(modelFile, { environment: {} });
  if (model.card === undefined) throw new Error("the demo model has a card");
  const { labels } = await readCardInfo(model);
  await publishModel(store, { ...model, name: "demo", card: { text: model.card.text, labels } }, []);
  return "demo";
}

/** The images are not read for either, so they are none. */
async function measurePlanning(): Promise<void> {
  const { store: root } = place("many");
  const store = await openDirectoryStore(root);
  const model = await publish(store);
  await mkdir(path.join(root, "images"));
  for (let i = 0; i < manyImages; i += 1) await writeFile(path.join(root, "images", `${i}.jpg`), String(i));
  const { service } = await openDeps(place("many"));
  const { definition } = readSweep({ source: "images/", model }, {});
  const run = { sweep: "many", run: 0 };
  const options = { chaptersMax: 1_000, manifestLinesMax };
  // The first time every file is digested, which a bucket does when it is filled.
  for (const [id, what] of [
    ["many", "the first time"],
    ["again", "again"],
  ] as const) {
    const { sweep } = await createSweep({ store, models: service.options.models }, id, definition);
    const start = performance.now();
    const planned = await planMore(store, sweep, { sweep: id, run: 0 }, options);
    if (planned?.items !== manyImages) throw new Error("not everything was planned");
    const rate = (1000 * manyImages) / (performance.now() - start);
    rows.push([`keys planned a second, of a directory, ${what}`, rate.toFixed(0), ">= 5000"]);
  }

  for (let shard = 0; shard < manyImages / definition.batch; shard += 1) {
    const counts = { ...noCounts, succeeded: definition.batch };
    await store.put(doneKey(run, shard, counts), new Uint8Array(0), { contentType: "text/plain" });
  }
  rows.push([`ms a poll at ${manyImages} items, all marks listed`, (await pollTime(store)).toFixed(1), ""]);
  // As every round of the orchestrator leaves it.
  const { settled, settledCounts: counts } = await countSettled(store, run, await readProgress(store, run));
  await writeProgress(store, run, { ...(await readProgress(store, run)), settled, counts });
  rows.push([`ms a poll at ${manyImages} items`, (await pollTime(store)).toFixed(1), "<= 50"]);
}

/** The median of a few. */
async function pollTime(store: ObjectStore): Promise<number> {
  const polls: number[] = [];
  for (let i = 0; i < 10; i += 1) {
    const begin = performance.now();
    await sweepStatus(store, "many");
    polls.push(performance.now() - begin);
  }
  return polls.toSorted((a, b) => a - b)[5] ?? 0;
}

async function measureThreads(): Promise<void> {
  const seconds: number[] = [];
  for (const workers of [1, 2]) {
    const here = place(`threads-${workers}`);
    const store = await openDirectoryStore(here.store);
    const model = await publish(store);
    const codecs = nodeCodecs();
    for (let i = 0; i < sweptImages; i += 1) {
      const data = Uint8Array.from({ length: 240 * 320 * 3 }, (_, at) => (at * (i + 7)) % 251);
      const bytes = await encodeImage({ width: 320, height: 240, data }, "jpeg", codecs);
      await store.put(`images/${i}.jpg`, bytes, { contentType: "image/jpeg" });
    }
    const { service } = await openDeps(here);
    const body = { source: "images/", model, batch, maxConcurrency: 2 * workers };
    const { definition } = readSweep(body, {});
    const estimate = await estimateSweep({ store, service }, definition, { imagesMax: 1e6, manifestLinesMax, workers });
    const threads = await startThreads(workers, here);
    await createSweep({ store, models: service.options.models }, "bench", definition);
    const start = performance.now();
    await driveSweep(store, "bench", { settle: threads.settle, workers, manifestLinesMax });
    const took = (performance.now() - start) / 1000;
    await threads.stop();
    seconds.push(took);
    rows.push([`seconds for ${sweptImages} images, ${workers} threads`, took.toFixed(1), ""]);
    if (workers === 1) rows.push(["of it the dry run said", (estimate.seconds ?? 0).toFixed(1), "within 30 %"]);
  }
  const [one = 0, two = 1] = seconds;
  rows.push(["two threads against one", `${(one / two).toFixed(2)}x`, ">= 1.8x"]);
}
