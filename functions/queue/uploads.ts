/** @file The consumer of upload notifications: each message is settled by itself, whatever becomes of the others. */
import { AppError, messageOf } from "../../shared/errors.ts";
import { readEvent, type Upload } from "../../shared/pipeline/events.ts";
import { strayFailureKey } from "../../shared/pipeline/layout.ts";
import { readQuestion } from "../../shared/pipeline/question.ts";
import {
  isPassing,
  recordFailure,
  settleUpload,
  type UploadDeps,
  type UploadOutcome,
} from "../../shared/pipeline/upload.ts";
import type { Deps } from "../deps.ts";

/** A message as Cloudflare Queues gives it; its body is input. */
export interface QueueMessage {
  readonly id: string;
  readonly attempts: number;
  readonly body: unknown;
  ack(): void;
  retry(options: { readonly delaySeconds: number }): void;
}

/** The first retry comes after about this long, each further one after twice as long. */
const backoffSeconds = 5;
/** Longer pauses help nothing: an outage of hours ends in the dead letters, and is found by the reconciliation. */
const backoffSecondsMax = 600;

/** Half to all of the pause, so that what failed together does not come back together. */
export const pause = (attempts: number, random: () => number = Math.random): number =>
  Math.round(Math.min(backoffSecondsMax, backoffSeconds * 2 ** (attempts - 1)) * (0.5 + 0.5 * random()));

/** Explains what the messages tell of, one after another: inference is serial in an isolate. */
export async function consumeUploads(messages: readonly QueueMessage[], deps: Deps): Promise<void> {
  for (const message of messages) {
    await settle(message, deps, (error) => {
      message.retry({ delaySeconds: pause(message.attempts) });
      return { kind: "later", why: messageOf(error) };
    });
  }
}

/**
 * What failed too often is tried a last time; what fails then is recorded with its reason and leaves the queue. Only a
 * record that cannot be written brings it back.
 */
export async function consumeDeadLetters(messages: readonly QueueMessage[], deps: Deps): Promise<void> {
  for (const message of messages) {
    await settle(message, deps, async (error) => {
      const why = `given up after many tries: ${messageOf(error)}`;
      try {
        const event = readEvent(message.body);
        for (const { key, etag } of event.kind === "uploads" ? event.uploads : []) {
          const code = error instanceof AppError ? error.code : "internal";
          await recordFailure(deps.platform.store, key, etag ?? "unknown", code, why);
        }
        message.ack();
        return { kind: "given up", why };
      } catch (cause) {
        message.retry({ delaySeconds: pause(message.attempts) });
        return { kind: "later", why: `${why}; not recorded: ${messageOf(cause)}` };
      }
    });
  }
}

interface Later {
  readonly kind: "later" | "given up";
  readonly why: string;
}

/** Never throws: one message must not send its whole batch round again. */
async function settle(
  message: QueueMessage,
  deps: Deps,
  failed: (error: unknown) => Later | Promise<Later>,
): Promise<void> {
  const start = performance.now();
  const done = (outcome: UploadOutcome | Later, upload: Partial<Upload> = {}): void => {
    const milliseconds = performance.now() - start;
    deps.metrics.count("upload", outcome.kind, milliseconds);
    const { kind, ...rest } = outcome;
    deps.log({
      event: "upload",
      message: message.id,
      attempt: message.attempts,
      key: upload.key ?? null,
      outcome: kind,
      ...rest,
      milliseconds: Math.round(milliseconds),
    });
  };
  try {
    const event = readEvent(message.body);
    if (event.kind === "other") done({ kind: "ignored", why: `"${event.action}" leaves nothing to explain` });
    for (const upload of event.kind === "uploads" ? event.uploads : [])
      done(await settleUpload(upload, uploadDeps(deps)), upload);
    message.ack();
  } catch (error) {
    if (!isPassing(error) && error instanceof AppError) await refuse(message, deps, error, done, failed);
    else done(await failed(error));
  }
}

/** A message that can never be understood, or a deployment that cannot explain anything: recorded, not tried again. */
async function refuse(
  message: QueueMessage,
  deps: Deps,
  error: AppError,
  done: (outcome: UploadOutcome | Later) => void,
  failed: (error: unknown) => Later | Promise<Later>,
): Promise<void> {
  const record = { schema: 1, message: message.id, code: error.code, why: error.message, body: message.body };
  const bytes = new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`);
  try {
    await deps.platform.store.put(strayFailureKey(message.id), bytes, { contentType: "application/json" });
    message.ack();
    done({ kind: "refused", code: error.code, why: error.message });
  } catch (cause) {
    done(await failed(cause));
  }
}

const uploadDeps = ({ platform, settings, service }: Deps): UploadDeps => ({
  store: platform.store,
  bucket: settings.bucket,
  service,
  question: readQuestion({}, settings.defaults),
});
