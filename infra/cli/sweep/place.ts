/**
 * @file Where a sweep's images and ledger are, as plain data that a worker thread can be given; and what it needs to
 * work.
 */
import { createDeps, type Deps } from "../../../functions/deps.ts";
import { nodePlatform, openStore } from "../../../functions/node/platform.ts";
import { readSettings } from "../../../functions/settings.ts";
import { openRuntime, type RuntimeName } from "../../../shared/runtime/choose.ts";
import type { ObjectStore } from "../../../shared/storage/store.ts";
import { mountImages } from "./mounted.ts";

export interface Place {
  /** A directory or s3://bucket. */
  readonly store: string;
  /** A folder of photos that stands for the images of the store; null where the store has them. */
  readonly images: string | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly runtime: RuntimeName;
}

export async function openPlace({ store, images, environment }: Place): Promise<ObjectStore> {
  const opened = await openStore(store, await readSettings(environment));
  return images === null ? opened : mountImages(images, opened);
}

/** Everything that explains, in this thread. */
export async function openDeps(place: Place): Promise<Deps> {
  const settings = await readSettings(place.environment);
  const runtime = await openRuntime(place.runtime, 1);
  return createDeps(nodePlatform(await openPlace(place), runtime, settings.policy), settings, () => {});
}
