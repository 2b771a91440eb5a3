/** @file What the study found, as a document, as tables and as figures. Counts outcomes; plays nothing. */
import path from "node:path";
import type { Interval } from "../../shared/evaluation/intervals.ts";
import { groupBy, summarisePointing } from "../../shared/evaluation/pointing.ts";
import type { Figure, Point } from "../cli/evaluate/report.ts";
import { table } from "../cli/terminal.ts";
import type { SceneOptions } from "./scene.ts";
import { combined, type Outcome, type Played } from "./study-pointing.ts";

/** The study of the model in a folder. */
export const studyFile = (folder: string): string => path.join(folder, "study.json");

/** A share of trials with its 95 % interval: Wilson's, or of class means the bootstrap's over scenes. */
export interface Share {
  readonly value: number;
  /** Null for fewer than two scenes. */
  readonly interval: Interval | null;
}

export interface Accuracy {
  /** The mean of the classes' accuracies, the paper's figure. */
  readonly classMean: Share;
  /** Of all trials alike. */
  readonly micro: Share;
}

/** How maps of one kind point. */
export interface Cell {
  /** Within the scaled tolerance. */
  readonly near: Accuracy;
  /** Without any tolerance. */
  readonly exact: Accuracy;
  /** The part of trials that point to an object of another class. */
  readonly other: number;
  /** The part of maps that are the same everywhere. */
  readonly flat: number;
}

export interface MethodRow {
  readonly method: string;
  /** Shallow to deep, then the product of all. */
  readonly layers: readonly (Cell & { readonly layer: string })[];
}

/** The study in one set of styles. */
export interface StyleStudy {
  readonly styles: SceneOptions["styles"];
  readonly trials: number;
  readonly centre: Cell;
  readonly methods: readonly MethodRow[];
}

/** Four digits are a tenth of what an interval of a thousand scenes leaves open. */
const round = (value: number): number => Math.round(value * 1e4) / 1e4;

const shareOf = (value: number, interval: Interval | null): Share => ({
  value: round(value),
  interval: interval && { low: round(interval.low), high: round(interval.high) },
});

function accuracyOf(outcomes: readonly Outcome[], hit: (outcome: Outcome) => boolean): Accuracy {
  const found = summarisePointing(outcomes.map((each) => ({ ...each, hit: hit(each), difficult: false })));
  return {
    classMean: shareOf(found.classMean, found.classMeanInterval),
    micro: shareOf(found.micro, found.microInterval),
  };
}

const partOf = (outcomes: readonly Outcome[], holds: (outcome: Outcome) => boolean): number =>
  round(outcomes.filter(holds).length / outcomes.length);

const cellOf = (outcomes: readonly Outcome[]): Cell => ({
  near: accuracyOf(outcomes, ({ near }) => near),
  exact: accuracyOf(outcomes, ({ exact }) => exact),
  other: partOf(outcomes, ({ other }) => other),
  flat: partOf(outcomes, ({ flat }) => flat),
});

/** Sums up what was played in one set of styles; there must be a trial. */
export function summariseStudy(styles: StyleStudy["styles"], { centre, columns }: Played): StyleStudy {
  const methods = [...groupBy(columns, ({ method }) => method)].map(([method, of]) => ({
    method,
    layers: of.map(({ layer, outcomes }) => ({ layer, ...cellOf(outcomes) })),
  }));
  return { styles, trials: centre.length, centre: cellOf(centre), methods };
}

const percent = (value: number): string => (100 * value).toFixed(1);

function shareText({ value, interval }: Share): string {
  return interval === null ? percent(value) : `${percent(value)} (${percent(interval.low)}-${percent(interval.high)})`;
}

/** Class means of all methods and layers in per cent, with intervals; `*` where every map is flat. */
export function studyTable({ centre, methods }: StyleStudy, how: "near" | "exact"): string {
  const layers = methods[0]?.layers.map(({ layer }) => layer) ?? [];
  const rows = methods.map(({ method, layers: cells }) => [
    method,
    ...cells.map((cell) => shareText(cell[how].classMean) + (cell.flat === 1 ? " *" : "")),
  ]);
  return table([["", ...layers], ["centre", shareText(centre[how].classMean)], ...rows]);
}

/** Class means over depth, a line a method. */
export function studyFigure(title: string, subtitle: string, { centre, methods }: StyleStudy): Figure {
  return {
    title,
    subtitle,
    axis: "pointing-game accuracy, mean of the classes",
    range: [0, 1],
    layers: methods[0]?.layers.map(({ layer }) => layer) ?? [],
    apart: combined,
    lines: methods.map(({ method, layers }) => ({
      name: method,
      points: layers.map(({ near }): Point => near.classMean),
    })),
    level: { name: "centre", value: centre.near.classMean.value },
  };
}
