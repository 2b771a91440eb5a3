/** @file The consumer of a sweep's shards: each message is settled by itself, whatever becomes of the others. */
import { AppError, messageOf } from "../../shared/errors.ts";
import { strayFailureKey } from "../../shared/pipeline/layout.ts";
import { readShardMessage, type ShardMessage, type ShardMode, settleShard } from "../../shared/sweeps/shard.ts";
import type { Deps } from "../deps.ts";
import { pause, type QueueMessage } from "./uploads.ts";

/** As max_retries of wrangler.toml has it: at the last attempt what may pass is recorded as failed. */
const attemptsMax = 6;

export const consumeShards = (messages: readonly QueueMessage[], deps: Deps): Promise<void> =>
  consume(messages, deps, ({ attempts }) => (attempts >= attemptsMax ? "last" : "explain"));

/** A shard that comes here killed whoever computed it: it is recorded without being computed. */
export const consumeDeadShards = (messages: readonly QueueMessage[], deps: Deps): Promise<void> =>
  consume(messages, deps, () => "give-up");

async function consume(
  messages: readonly QueueMessage[],
  deps: Deps,
  modeOf: (message: QueueMessage) => ShardMode,
): Promise<void> {
  for (const message of messages) await settle(message, modeOf(message), deps);
}

/** Never throws: one message must not send its whole batch round again. */
async function settle(message: QueueMessage, mode: ShardMode, deps: Deps): Promise<void> {
  const { platform, service } = deps;
  const start = performance.now();
  const done = (outcome: string, more: Readonly<Record<string, unknown>>): void => {
    const milliseconds = performance.now() - start;
    deps.metrics.count("shard", outcome, milliseconds);
    deps.log({
      event: "shard",
      message: message.id,
      attempt: message.attempts,
      mode,
      outcome,
      milliseconds: Math.round(milliseconds),
      ...more,
    });
  };
  let shard: ShardMessage | null = null;
  try {
    shard = readShardMessage(message.body);
    const { kind, ...more } = await settleShard(shard, mode, { store: platform.store, service });
    message.ack();
    done(kind, { ...shard, ...more });
  } catch (error) {
    const why = messageOf(error);
    const isHopeless = error instanceof AppError && (error.code === "request-invalid" || error.code === "not-found");
    if (isHopeless && (await refused(message, error, deps))) {
      message.ack();
      done("refused", { ...shard, why });
    } else {
      message.retry({ delaySeconds: pause(message.attempts) });
      done("later", { ...shard, why });
    }
  }
}

/** Records a message that is no shard of any sweep; false where that fails. */
async function refused({ id, body }: QueueMessage, { code, message: why }: AppError, deps: Deps): Promise<boolean> {
  const record = new TextEncoder().encode(`${JSON.stringify({ schema: 1, message: id, code, why, body }, null, 2)}\n`);
  try {
    await deps.platform.store.put(strayFailureKey(id), record, { contentType: "application/json" });
    return true;
  } catch {
    return false; // storage fails: the message comes back
  }
}
