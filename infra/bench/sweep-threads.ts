/** @file Sweeps on this machine's cores: two threads against one, the dry run against the sweep, and memory. */
import { encodeImage } from "../../shared/imaging/encode.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import { readSweep } from "../../shared/sweeps/definition.ts";
import { driveSweep } from "../../shared/sweeps/drive.ts";
import { estimateSweep } from "../../shared/sweeps/estimate.ts";
import { createSweep } from "../../shared/sweeps/lifecycle.ts";
import { openDeps } from "../cli/sweep/place.ts";
import { startThreads } from "../cli/sweep/threads.ts";
import { freshPhoto } from "./photo.ts";
import { manifestLinesMax, median, placeIn, publishDemo, type Row } from "./sweep-common.ts";

/** Some ten seconds' work for one thread, of which the engine's start is one. */
const images = 320;
const rounds = 3;
const batch = 8;

interface Swept {
  readonly seconds: number;
  readonly estimated: number;
  /** Megabytes of the process when so many shares of ten were settled. */
  readonly megabytes: readonly number[];
}

async function sweepOnce(
  folder: string,
  name: string,
  count: number,
  workers: number,
  of?: Uint8Array,
): Promise<Swept> {
  const place = placeIn(folder, name);
  const store = await openDirectoryStore(place.store);
  const model = await publishDemo(store);
  for (let i = 0; i < count; i += 1) {
    await store.put(`images/${String(i).padStart(6, "0")}.jpg`, freshPhoto(of), { contentType: "image/jpeg" });
  }
  const { service } = await openDeps(place);
  const { definition } = readSweep({ source: "images/", model, batch, maxConcurrency: 2 * workers }, {});
  const limits = { imagesMax: 1e6, manifestLinesMax, workers };
  const { seconds: estimated } = await estimateSweep({ store, service }, definition, limits);
  const threads = await startThreads(workers, place);
  try {
    await createSweep({ store, models: service.options.models }, "bench", definition);
    const megabytes: number[] = [];
    let settled = 0;
    const start = performance.now();
    await driveSweep(store, "bench", {
      workers,
      manifestLinesMax,
      async settle(message, mode) {
        const outcome = await threads.settle(message, mode);
        settled += batch;
        if ((10 * settled) / count >= megabytes.length + 1) megabytes.push(process.memoryUsage().rss / 1e6);
        return outcome;
      },
    });
    return { seconds: (performance.now() - start) / 1000, estimated: estimated ?? Number.NaN, megabytes };
  } finally {
    await threads.stop();
  }
}

export async function measureThreads(folder: string): Promise<readonly Row[]> {
  const [ones, twos, errors]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round += 1) {
    const one = await sweepOnce(folder, `one-${round}`, images, 1);
    const two = await sweepOnce(folder, `two-${round}`, images, 2);
    ones.push(one.seconds);
    twos.push(two.seconds);
    errors.push(one.estimated / one.seconds);
  }
  const ratios = ones.map((one, round) => one / (twos[round] ?? Number.NaN));
  return [
    [`seconds for ${images} images, one thread`, median(ones).toFixed(1), ""],
    ["of it the dry run said", `${(100 * median(errors)).toFixed(0)} %`, "70 to 130 %"],
    ["two threads against one", `${median(ratios).toFixed(2)}x`, ">= 1.8x"],
  ];
}

/** Small images, so that there can be many, and two threads: engines, heaps, decoding and drawing are all in it. */
export async function measureMemory(folder: string, count: number): Promise<readonly Row[]> {
  const data = Uint8Array.from({ length: 96 * 72 * 3 }, (_, at) => (7 * at) % 251);
  const small = await encodeImage({ width: 96, height: 72, data }, "jpeg", nodeCodecs());
  const { megabytes } = await sweepOnce(folder, "memory", count, 2, small);
  const told = megabytes.map((each) => each.toFixed(0)).join(" ");
  return [[`MB of the process at each tenth of ${count} images`, told, "flat"]];
}
