/**
 * @file One life of a sweep under chaos, in a process that is killed from outside: storage fails one call in twenty,
 * half of the failures after the call took effect; shards come out of order, and a tenth of them twice.
 */
import { createDeps } from "../../functions/deps.ts";
import { nodePlatform } from "../../functions/node/platform.ts";
import { readSettings } from "../../functions/settings.ts";
import { webRuntime } from "../../shared/runtime/web.ts";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import { driveSweep } from "../../shared/sweeps/drive.ts";
import { createSweep } from "../../shared/sweeps/lifecycle.ts";
import { settleShard } from "../../shared/sweeps/shard.ts";
import { flakyStore } from "./flaky-store.ts";
import { random } from "./random.ts";
import { definitionOf, manifestLinesMax } from "./sweeps.ts";

const failsEvery = 20;
const duplicateShare = 0.1;
const workers = 4;
/** A shard waits up to so long before it is begun, so that others overtake it. */
const delayMilliseconds = 100;

const [folder = "", id = "", seed = "1"] = process.argv.slice(2);
const next = random(Number(seed));
const store = flakyStore(await openDirectoryStore(folder), { every: failsEvery, when: "alternately" });
const settings = await readSettings({});
const { service } = createDeps(nodePlatform(store, webRuntime(), settings.policy), settings, () => {});

const again = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let left = 20; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      if (left === 0) throw error;
    }
  }
};

// Several shards at once share one engine: those that find it busy are tried again, as by a queue.
const definition = definitionOf({ source: "images/", batch: 10, maxConcurrency: 40 });
await again(() => createSweep({ store, models: service.options.models }, id, definition));
await driveSweep(store, id, {
  workers,
  manifestLinesMax,
  async settle(message, mode) {
    await new Promise((resolve) => setTimeout(resolve, delayMilliseconds * next()));
    const isTwice = next() < duplicateShare;
    const [outcome] = await Promise.all([
      settleShard(message, mode, { store, service }),
      ...(isTwice ? [settleShard(message, mode, { store, service }).catch(() => null)] : []),
    ]);
    return outcome;
  },
});
process.stdout.write(`${JSON.stringify(store.counts)}\n`);
process.exit(0);
