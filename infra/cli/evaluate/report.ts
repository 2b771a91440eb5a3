/** @file What an evaluation says, as data: rows of figures and one drawing. Writing them is elsewhere. */
import type { Interval } from "../../../shared/evaluation/intervals.ts";

/** One line of the table: columns by name; null where there is no figure. */
export type Row = Readonly<Record<string, string | number | null>>;

export interface Point {
  readonly value: number | null;
  readonly interval: Interval | null;
}

/** Values over depth: a line a method, a place on the horizontal axis a layer. */
export interface Figure {
  readonly title: string;
  readonly subtitle: string;
  /** What the vertical axis shows. */
  readonly axis: string;
  readonly range: readonly [number, number];
  /** From the input to the output. */
  readonly layers: readonly string[];
  /** The place that is no depth, where there is one: lines do not lead there. */
  readonly apart?: string;
  readonly lines: readonly { readonly name: string; readonly points: readonly Point[] }[];
  /** A level that is drawn across: a baseline. */
  readonly level?: { readonly name: string; readonly value: number };
}

export interface Report {
  readonly rows: readonly Row[];
  readonly figure: Figure;
}

/** A number or nothing: JSON has no NaN. */
export const figureOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
