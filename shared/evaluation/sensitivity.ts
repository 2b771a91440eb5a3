/**
 * @file Class sensitivity (paper, section 4.2): how much a map changes when another class is asked for. Spearman's rho
 * of the two maps, 1 for a method that does not look at the class; and means of such correlations over images.
 */
import type { Size } from "../imaging/geometry.ts";
import type { FloatMap } from "../imaging/resize.ts";
import { bootstrap, type Interval, mean, standardDeviation } from "./intervals.ts";
import { mapAgreement } from "./rank.ts";

/** Which two classes are compared: the most and the least probable (the paper's), or the two most probable. */
export const classPairs = ["max-min", "top1-top2"] as const;
export type ClassPair = (typeof classPairs)[number];

/** The pair as the explainer's `target`: ranks, -1 the most probable class. */
export const pairTargets = (pair: ClassPair, classes: number): readonly [number, number] =>
  pair === "max-min" ? [-1, -classes] : [-1, -2];

/**
 * rho of the maps for two classes, at the size of the model's input; null where one of them is flat: such an image is
 * excluded from the mean, and counted.
 */
export const classSensitivity = (a: FloatMap, b: FloatMap, input: Size): number | null => mapAgreement(a, b, input);

/** Correlations over images. Figures are NaN where no image had one. */
export interface RhoSummary {
  readonly mean: number;
  /** With n - 1. */
  readonly deviation: number;
  /** Of the mean, 95 %, by the bootstrap over images; null for fewer than two. */
  readonly interval: Interval | null;
  readonly defined: number;
  /** Images where one of the maps was flat. */
  readonly undefined: number;
}

/** One correlation an image, null where it had none. */
export function summariseRho(values: readonly (number | null)[], seed = 1): RhoSummary {
  const defined = values.filter((v) => v !== null);
  return {
    mean: mean(defined),
    deviation: standardDeviation(defined),
    interval: bootstrap(defined, mean, { seed }),
    defined: defined.length,
    undefined: values.length - defined.length,
  };
}
