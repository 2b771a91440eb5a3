/** @file Sweeps, measured without an explanation: planning and polling at ten thousand images. */
import { mkdir, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { readSweep } from "../../shared/sweeps/definition.ts";
import { doneKey, noCounts } from "../../shared/sweeps/layout.ts";
import { createSweep } from "../../shared/sweeps/lifecycle.ts";
import { planMore } from "../../shared/sweeps/plan.ts";
import { countSettled, readProgress, writeProgress } from "../../shared/sweeps/progress.ts";
import { sweepStatus } from "../../shared/sweeps/status.ts";
import { openDeps } from "../cli/sweep/place.ts";
import { manifestLinesMax, median, placeIn, publishDemo, type Row } from "./sweep-common.ts";

const images = 10_000;
/** Files written this moment may still change, and are digested again. */
const oldSeconds = 3_600;
const polls = 10;

/** The images are not read, so they are none. */
export async function measureLedger(folder: string): Promise<readonly Row[]> {
  const place = placeIn(folder, "ledger");
  const store = await openDirectoryStore(place.store);
  const model = await publishDemo(store);
  await mkdir(path.join(place.store, "images"));
  const old = Date.now() / 1000 - oldSeconds;
  for (let i = 0; i < images; i += 1) {
    const file = path.join(place.store, "images", `${i}.jpg`);
    await writeFile(file, String(i));
    await utimes(file, old, old);
  }
  const { service } = await openDeps(place);
  const { definition } = readSweep({ source: "images/", model }, {});
  const rows: Row[] = [];
  for (const [id, what, wanted] of [
    ["first", "whose files are digested, as a bucket does when it is filled", ""],
    ["again", "known", ">= 5000"],
  ] as const) {
    const { sweep } = await createSweep({ store, models: service.options.models }, id, definition);
    const start = performance.now();
    const planned = await planMore(store, sweep, { sweep: id, run: 0 }, { chaptersMax: 1_000, manifestLinesMax });
    if (planned?.items !== images) throw new Error("not everything was planned");
    const rate = (1000 * images) / (performance.now() - start);
    rows.push([`keys planned a second, of a directory ${what}`, rate.toFixed(0), wanted]);
  }
  const run = { sweep: "first", run: 0 };
  for (let shard = 0; shard < images / definition.batch; shard += 1) {
    const counts = { ...noCounts, succeeded: definition.batch };
    await store.put(doneKey(run, shard, counts), new Uint8Array(0), { contentType: "text/plain" });
  }
  rows.push([`ms a poll at ${images} items, all marks listed`, (await pollTime(store, run.sweep)).toFixed(1), ""]);
  // As every round of the orchestrator leaves it.
  const { settled, settledCounts: counts } = await countSettled(store, run, await readProgress(store, run));
  await writeProgress(store, run, { ...(await readProgress(store, run)), settled, counts });
  rows.push([`ms a poll at ${images} items`, (await pollTime(store, run.sweep)).toFixed(1), "<= 50"]);
  return rows;
}

async function pollTime(store: ObjectStore, id: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < polls; i += 1) {
    const start = performance.now();
    await sweepStatus(store, id);
    times.push(performance.now() - start);
  }
  return median(times);
}
