/** @file The report of a sweep as data: what `report.json` says. Making it is in report.ts. */
import type { Interval } from "../evaluation/intervals.ts";
import type { SweepDefinition, SweepQuestion } from "./definition.ts";
import type { Counts } from "./layout.ts";
import type { PlanSums, SweepRecord } from "./records.ts";

export interface Report {
  readonly schema: 1;
  readonly id: string;
  /** The run after which it was written. */
  readonly run: number;
  /** False for a report of a sweep under way: then tasks are missing. */
  readonly final: boolean;
  readonly state: "complete" | "cancelled" | "aborted" | "running";
  readonly note: string | null;
  readonly model: SweepRecord["model"];
  readonly definition: SweepDefinition;
  readonly createdAt: string;
  readonly writtenAt: string;
  readonly planned: PlanSums | null;
  readonly counts: Counts;
  /** The model's first class of each image, most frequent first. */
  readonly classes: readonly ClassCount[];
  readonly questions: readonly QuestionReport[];
  /** Names of the files beside this one. */
  readonly files: { readonly results: readonly string[]; readonly failures: readonly string[]; readonly page: string };
}

export interface ClassCount {
  readonly class: number;
  readonly name: string;
  readonly images: number;
}

export interface Share {
  readonly hits: number;
  readonly trials: number;
  readonly value: number | null;
  readonly interval: Interval;
}

/** One (method, layers, target). */
export interface QuestionReport {
  readonly question: SweepQuestion;
  readonly counts: Counts;
  /** Milliseconds an explanation took, to about 3 %; null without one. */
  readonly milliseconds: { readonly p50: number | null; readonly p95: number | null };
  readonly flat: number;
  /** The mean share of a map's positive values in its largest tenth. */
  readonly concentration: number | null;
  /** Where images have classes: how often the model's first class is the image's. */
  readonly accuracy: Share | null;
  /** Where images have boxes; as `backlight evaluate pointing` has it. */
  readonly pointing: PointingReport | null;
  /** Mean rank correlation with the maps of the first target of the same method; null for that one. */
  readonly sensitivity: {
    readonly mean: number | null;
    readonly interval: Interval | null;
    readonly images: number;
  } | null;
  /** By the image's class, where images have classes. */
  readonly classes: readonly LabelReport[];
}

export interface PointingReport {
  readonly all: PointingShare;
  /** Classes that cover less than a quarter of a photo with other classes. */
  readonly difficult: PointingShare;
  /** True where there were too many trials to keep: then without intervals of the class mean. */
  readonly cut: boolean;
}

export interface PointingShare extends Share {
  readonly classMean: number | null;
  readonly classMeanInterval: Interval | null;
}

export interface LabelReport {
  readonly label: string;
  readonly images: number;
  readonly correct: number;
  readonly hits: number;
  readonly trials: number;
}
