/** @file Sweeps over a rig's directory, driven in this process: what the tests of sweeps start from. */
import type { QuestionWords } from "../../shared/pipeline/question.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { readSweep } from "../../shared/sweeps/definition.ts";
import { type DriveOptions, driveSweep } from "../../shared/sweeps/drive.ts";
import { reportFolder, reportKey } from "../../shared/sweeps/layout.ts";
import { createSweep } from "../../shared/sweeps/lifecycle.ts";
import { readRecord, type TaskRecord } from "../../shared/sweeps/records.ts";
import type { Report } from "../../shared/sweeps/report-document.ts";
import { settleShard } from "../../shared/sweeps/shard.ts";
import { modelName, picture, type Rig } from "./service.ts";

export const defaults: QuestionWords = { model: modelName };
export const manifestLinesMax = 10_000;

export const definitionOf = (body: Readonly<Record<string, unknown>>) => readSweep(body, defaults).definition;

export const start = async (rig: Rig, id: string, body: Readonly<Record<string, unknown>>) =>
  createSweep({ store: rig.deps.platform.store, models: rig.deps.service.options.models }, id, definitionOf(body));

export const drive = (rig: Rig, id: string, options: Partial<DriveOptions> = {}): Promise<void> => {
  const { store } = rig.deps.platform;
  const { service } = rig.deps;
  return driveSweep(store, id, {
    settle: (message, mode) => settleShard(message, mode, { store, service, signal: options.signal }),
    workers: 1,
    manifestLinesMax,
    ...options,
  });
};

/** Puts so many small pictures below a prefix. */
export async function putPictures(rig: Rig, prefix: string, count: number, seed = 1): Promise<readonly string[]> {
  const keys: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const key = `${prefix}${String(i).padStart(5, "0")}.png`;
    await rig.put(key, await picture(seed + i));
    keys.push(key);
  }
  return keys;
}

export async function readReport(store: ObjectStore, id: string): Promise<Report> {
  const report = await readRecord<Report>(store, reportKey(id));
  if (report === null) throw new Error(`the sweep ${id} has no report`);
  return report;
}

export async function readText(store: ObjectStore, key: string): Promise<string> {
  const found = await store.get(key);
  if (found?.outcome !== "found") throw new Error(`there is no ${key}`);
  return new Response(found.body).text();
}

export async function readResults(
  store: ObjectStore,
  id: string,
  file = "results.jsonl",
): Promise<readonly TaskRecord[]> {
  const text = await readText(store, `${reportFolder(id)}${file}`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line): TaskRecord => JSON.parse(line));
}
