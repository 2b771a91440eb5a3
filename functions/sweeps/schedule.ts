/** @file Sweeps on schedule: the definitions in the bucket that name the trigger that fired. */
import { messageOf } from "../../shared/errors.ts";
import { listAll } from "../../shared/storage/list-all.ts";
import { readSweep } from "../../shared/sweeps/definition.ts";
import { definitionPrefix } from "../../shared/sweeps/layout.ts";
import { createSweep } from "../../shared/sweeps/lifecycle.ts";
import { readRecord } from "../../shared/sweeps/records.ts";
import { retried } from "../../shared/sweeps/retry.ts";
import type { Deps } from "../deps.ts";

/** Definitions read a trigger: each is a call. */
const definitionsMax = 500;

/**
 * Starts every definition whose `cron` is the trigger's, under an id made of its name and the scheduled minute: a
 * trigger that fires twice starts one sweep. One that cannot be started is logged, and stops no other.
 */
export async function startScheduled(cron: string, scheduledAt: Date, deps: Deps): Promise<readonly string[]> {
  const { platform, settings, service, log } = deps;
  const started: string[] = [];
  let looked = 0;
  for await (const { key } of listAll(platform.store, { prefix: definitionPrefix })) {
    const name = /^([a-z0-9][a-z0-9-]{0,40})\.json$/.exec(key.slice(definitionPrefix.length))?.[1];
    if (name === undefined) continue;
    looked += 1;
    if (looked > definitionsMax) break;
    try {
      const request = readSweep(await retried(() => readRecord(platform.store, key)), settings.defaults);
      if (request.cron !== cron) continue;
      const id = `${name}-${scheduledAt.toISOString().slice(0, 16).replace(/[-:]/g, "").toLowerCase()}`;
      await createSweep({ store: platform.store, models: service.options.models }, id, request.definition);
      await platform.startSweep?.({ sweep: id, run: 0 });
      started.push(id);
      log({ event: "sweep scheduled", definition: key, sweep: id });
    } catch (error) {
      log({
        event: "sweep scheduled",
        definition: key,
        failed: messageOf(error),
      });
    }
  }
  return started;
}
