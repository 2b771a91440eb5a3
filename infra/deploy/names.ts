/** @file The names of bucket and queues, read from wrangler.toml: they stand nowhere else. */
import { readConfig } from "../stack/config.ts";
import type { DeployNames } from "./plan.ts";

/** Throws where wrangler.toml lacks the bucket, or a queue with its dead letters. */
export async function readNames(): Promise<DeployNames> {
  const { r2_buckets: buckets, queues } = await readConfig();
  const bucket = buckets[0]?.bucket_name;
  const consumer = queues.consumers?.find(({ dead_letter_queue: letters }) => letters !== undefined);
  if (bucket === undefined || consumer?.dead_letter_queue === undefined) {
    throw new Error("wrangler.toml has no bucket, or no queue consumer with a dead-letter queue");
  }
  const { queue, dead_letter_queue: deadLetterQueue } = consumer;
  const others = (queues.consumers ?? []).map((each) => each.queue).filter((n) => n !== queue && n !== deadLetterQueue);
  return { bucket, queue, deadLetterQueue, otherQueues: others };
}
