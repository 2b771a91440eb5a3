/** @file A sweep of any size on paper: what it sends, lists, writes and pays, and how near it comes to each limit. */
import { instanceId, roundsMax } from "../../functions/sweeps/workflow.ts";
import { chaptersMax, enqueueMax } from "../../shared/sweeps/advance.ts";
import { closedMax } from "../../shared/sweeps/close.ts";
import { type Price, priceOf, type Usage, usageOf } from "../../shared/sweeps/prices.ts";
import { pagesMax } from "../../shared/sweeps/progress.ts";
import { partShardsMax, partTasksMax } from "../../shared/sweeps/report.ts";
import { chapterItemsMax, shardsPerChapter } from "../../shared/sweeps/sources.ts";
import { type LimitName, limits } from "./limits.ts";

export interface Assumptions {
  readonly images: number;
  /** Explanations an image. */
  readonly questions: number;
  readonly batch: number;
  readonly maxConcurrency: number;
  /** An explanation: decoding, forward and backward pass, overlay. */
  readonly millisecondsPerTask: number;
  /** Document, map and overlay together. */
  readonly bytesPerResult: number;
  /** Between rounds of the orchestrator. */
  readonly pollSeconds: number;
}

export const usual: Omit<Assumptions, "images"> = {
  questions: 1,
  batch: 100,
  maxConcurrency: 250,
  millisecondsPerTask: 300,
  bytesPerResult: 150_000,
  pollSeconds: 10,
};

export interface Model {
  readonly chapters: number;
  readonly shards: number;
  readonly messages: number;
  readonly listings: number;
  readonly hours: number;
  readonly rounds: number;
  readonly instances: number;
  readonly reportParts: number;
  readonly usage: Usage;
  readonly price: Price;
  /** How much of each limit is used. */
  readonly used: Readonly<Record<LimitName, number>>;
}

/** The longest message: an id of 64 characters and numbers of 8 digits. */
const longestMessage = JSON.stringify({ sweep: "x".repeat(64), run: 99_999_999, shard: 99_999_999 }).length;
/** Metadata that counts as a message's. */
const messageOverhead = 100;
/** What a step returns. */
const stepResult = JSON.stringify({ phase: "reporting", waitMilliseconds: 30_000 }).length;
/** A task's record in a shard and its line in the report. */
const bytesPerTask = 700;
/** An item of a chapter: a key of usual length, its ETag and numbers. */
const bytesPerItem = 250;
/** Calls of a task: image, known?, explainer, three writes, and reading the document back. */
const callsPerTask = 7;
const callsPerShard = 10;

export function modelOf(given: Assumptions): Model {
  const { images, questions, batch, maxConcurrency, millisecondsPerTask, pollSeconds } = given;
  const tasks = images * questions;
  const perChapter = batch * shardsPerChapter(batch);
  const chapters = Math.ceil(images / perChapter);
  const shards = Math.ceil(images / batch);
  const seconds = (tasks * millisecondsPerTask) / 1000 / Math.min(maxConcurrency, shards);
  const partTasks = Math.min(partTasksMax, partShardsMax * batch * questions);
  const reportParts = Math.max(1, Math.ceil(tasks / partTasks));
  const planRounds = Math.ceil(chapters / chaptersMax);
  const rounds = planRounds + Math.ceil(seconds / pollSeconds) + reportParts;
  const instances = Math.ceil(rounds / roundsMax);
  const shardMilliseconds = batch * questions * millisecondsPerTask;
  const usage = usageOf({
    images,
    tasks,
    fresh: tasks,
    shards,
    rounds,
    millisecondsPerTask,
    bytesPerResult: given.bytesPerResult,
  });
  const message = longestMessage + messageOverhead;
  const used: Readonly<Record<LimitName, number>> = {
    workflowSteps: 2 * Math.min(rounds, roundsMax) + 1,
    stepResult,
    instanceState: (2 * Math.min(rounds, roundsMax) + 1) * stepResult,
    instanceName: instanceId({ sweep: "x".repeat(64), run: 99_999, chain: 99_999 }).length,
    instancesCreated: 1,
    messageBytes: message,
    sendBatch: enqueueMax,
    sendBatchBytes: enqueueMax * message,
    messagesPerSecond: maxConcurrency / (shardMilliseconds / 1000),
    consumers: maxConcurrency,
    backlogBytes: maxConcurrency * message,
    consumerCpu: shardMilliseconds,
    consumerWall: 2 * shardMilliseconds,
    // The largest of what one invocation does: plan, settle, close, count or report.
    subrequests: Math.max(
      2 * chaptersMax + 40,
      batch * questions * callsPerTask + callsPerShard,
      4 * closedMax,
      pagesMax,
      partShardsMax + 40,
    ),
    isolateBytes: Math.max(chapterItemsMax * bytesPerItem * 4, 3 * partTasksMax * bytesPerTask),
    keyBytes: `sweeps/${"x".repeat(64)}/redrives/99999/done/00000000.64000000.64000000.64000000.64000000`.length,
  };
  return {
    chapters,
    shards,
    messages: shards,
    listings: Math.ceil(images / 1000) + rounds,
    hours: seconds / 3600,
    rounds,
    instances,
    reportParts,
    usage,
    price: priceOf(usage),
    used,
  };
}

/** What would be exceeded. */
export const exceeded = ({ used }: Model): readonly string[] =>
  Object.entries(limits)
    .filter(([name, { value }]) => used[name as LimitName] > value) // the keys of limits
    .map(([name, { value, unit }]) => `${name}: ${used[name as LimitName]} of ${value} ${unit}`);
