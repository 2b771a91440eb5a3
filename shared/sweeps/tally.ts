/**
 * @file The sums a report is made of, added to task by task. They are plain data, so that a report can be made in
 * parts.
 */
import { type Interval, wilson } from "../evaluation/intervals.ts";
import { type PointingTrial, summarisePointing } from "../evaluation/pointing.ts";
import { summariseRho } from "../evaluation/sensitivity.ts";
import type { SweepQuestion } from "./definition.ts";
import { addCounts, type Counts, noCounts } from "./layout.ts";
import type { TaskRecord } from "./records.ts";
import type { ClassCount, LabelReport, PointingReport, QuestionReport, Share } from "./report-document.ts";

/** Trials and correlations kept for intervals by resampling; beyond, the sums alone. */
const keptMax = 20_000;
/** What the page shows; more would make it slow to open. All results are in results.jsonl. */
const galleryMax = 10_000;
const galleryFailuresMax = 1_000;
/** Classes listed. */
const classesMax = 1_000;
/** Times are counted in steps of 5 %. */
const step = Math.log(1.05);

interface QuestionTally {
  counts: Counts;
  times: Record<string, number>;
  flat: number;
  concentration: [sum: number, count: number];
  accuracy: [correct: number, labelled: number];
  labels: Record<string, [images: number, correct: number, hits: number, trials: number]>;
  /** Key, label, hit, small. */
  trials: [string, string, 0 | 1, 0 | 1][];
  trialCount: number;
  rhos: (number | null)[];
  rhoCount: number;
}

export interface Tally {
  counts: Counts;
  classes: Record<string, [name: string, images: number]>;
  questions: QuestionTally[];
  gallery: TaskRecord[];
  failures: TaskRecord[];
}

export const newTally = (questions: number): Tally => ({
  counts: noCounts,
  classes: {},
  questions: Array.from({ length: questions }, () => ({
    counts: noCounts,
    times: {},
    flat: 0,
    concentration: [0, 0],
    accuracy: [0, 0],
    labels: {},
    trials: [],
    trialCount: 0,
    rhos: [],
    rhoCount: 0,
  })),
  gallery: [],
  failures: [],
});

export function addTask(tally: Tally, task: TaskRecord): void {
  const one = { ...noCounts, [task.outcome]: 1 };
  tally.counts = addCounts(tally.counts, one);
  if (task.outcome === "failed" && tally.failures.length < galleryFailuresMax) tally.failures.push(task);
  const question = tally.questions[task.question];
  if (question === undefined) throw new TypeError("tasks are of the definition's questions");
  question.counts = addCounts(question.counts, one);
  const { summary } = task;
  if (summary === undefined) return;
  if (tally.gallery.length < galleryMax) tally.gallery.push(task);
  if (task.question === 0) {
    const { class: index, name } = summary.top;
    tally.classes[index] = [name, (tally.classes[index]?.[1] ?? 0) + 1];
  }
  const bucket = Math.round(Math.log(Math.max(0.1, summary.milliseconds)) / step);
  question.times[bucket] = (question.times[bucket] ?? 0) + 1;
  if (summary.flat) question.flat += 1;
  if (summary.concentration !== null) {
    question.concentration[0] += summary.concentration;
    question.concentration[1] += 1;
  }
  addLabel(question, task.key, summary);
  if (summary.sensitivity !== undefined) {
    question.rhoCount += 1;
    if (question.rhos.length < keptMax) question.rhos.push(summary.sensitivity);
  }
}

function addLabel(question: QuestionTally, key: string, summary: NonNullable<TaskRecord["summary"]>): void {
  const { label, correct, pointing } = summary;
  if (label === undefined) return;
  const row = question.labels[label] ?? [0, 0, 0, 0];
  question.labels[label] = row;
  row[0] += 1;
  row[1] += correct === true ? 1 : 0;
  question.accuracy[0] += correct === true ? 1 : 0;
  question.accuracy[1] += 1;
  if (pointing === undefined) return;
  row[2] += pointing.hit ? 1 : 0;
  row[3] += 1;
  question.trialCount += 1;
  if (question.trials.length < keptMax)
    question.trials.push([key, label, pointing.hit ? 1 : 0, pointing.small ? 1 : 0]);
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

const shareOf = (hits: number, trials: number): Share => ({
  hits,
  trials,
  value: finite(hits / trials),
  interval: wilson(hits, trials),
});

export const classesOf = ({ classes }: Tally): readonly ClassCount[] =>
  Object.entries(classes)
    .map(([index, [name, images]]) => ({ class: Number(index), name, images }))
    .sort((a, b) => b.images - a.images)
    .slice(0, classesMax);

export function questionReport(tally: QuestionTally, question: SweepQuestion): QuestionReport {
  const [sum, count] = tally.concentration;
  const [correct, labelled] = tally.accuracy;
  return {
    question,
    counts: tally.counts,
    milliseconds: { p50: quantileOf(tally.times, 0.5), p95: quantileOf(tally.times, 0.95) },
    flat: tally.flat,
    concentration: finite(sum / count),
    accuracy: labelled === 0 ? null : shareOf(correct, labelled),
    pointing: tally.trialCount === 0 ? null : pointingOf(tally),
    sensitivity: tally.rhoCount === 0 ? null : sensitivityOf(tally.rhos),
    classes: Object.entries(tally.labels)
      .map(([label, [images, right, hits, trials]]): LabelReport => ({ label, images, correct: right, hits, trials }))
      .sort((a, b) => b.images - a.images)
      .slice(0, classesMax),
  };
}

function quantileOf(times: Readonly<Record<string, number>>, share: number): number | null {
  const buckets = Object.entries(times)
    .map(([bucket, count]) => [Number(bucket), count] as const)
    .sort((a, b) => a[0] - b[0]);
  let left = share * buckets.reduce((total, [, count]) => total + count, 0);
  for (const [bucket, count] of buckets) {
    left -= count;
    if (left <= 0) return Number(Math.exp(bucket * step).toPrecision(3));
  }
  return null;
}

function pointingOf({ trials, trialCount }: QuestionTally): PointingReport {
  const labels = new Map<string, Set<string>>();
  for (const [key, label] of trials) labels.set(key, (labels.get(key) ?? new Set()).add(label));
  const plays = trials.map(
    ([image, label, hit, small]): PointingTrial => ({
      image,
      class: label,
      hit: hit === 1,
      difficult: small === 1 && (labels.get(image)?.size ?? 0) > 1,
    }),
  );
  const subset = (which: "all" | "difficult") => {
    const { hits, trials: played, classMean, classMeanInterval } = summarisePointing(plays, { subset: which });
    return { ...shareOf(hits, played), classMean: finite(classMean), classMeanInterval };
  };
  return { all: subset("all"), difficult: subset("difficult"), cut: trialCount > trials.length };
}

function sensitivityOf(rhos: readonly (number | null)[]): {
  readonly mean: number | null;
  readonly interval: Interval | null;
  readonly images: number;
} {
  const { mean, interval, defined } = summariseRho(rhos);
  return { mean: finite(mean), interval, images: defined };
}
