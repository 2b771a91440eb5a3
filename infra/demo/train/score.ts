/** @file How well scores rank: average precision of each class. */

/**
 * Average precision: the mean, over the positives, of the precision at the rank of each. Of equal scores the order
 * given counts. NaN where nothing is positive.
 */
export function averagePrecision(scores: readonly number[], positive: readonly boolean[]): number {
  const order = scores.map((_, i) => i).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  let found = 0;
  let sum = 0;
  for (const [rank, i] of order.entries()) {
    if (!positive[i]) continue;
    found += 1;
    sum += found / (rank + 1);
  }
  return sum / found;
}

export interface Ranking {
  /** One a class, in the order of the model's outputs; null for a class no picture shows. */
  readonly classes: readonly (number | null)[];
  /** The mean over the classes that pictures show. */
  readonly mean: number;
}

/** Average precision of each column of two `[N, classes]` arrays: scores, and labels of 0 and 1. */
export function rankingOf(scores: Float32Array, labels: Float32Array, classes: number): Ranking {
  const images = scores.length / classes;
  const column = (of: Float32Array, c: number): readonly number[] =>
    Array.from({ length: images }, (_, n) => of[n * classes + c] ?? 0);
  const each = Array.from({ length: classes }, (_, c) => {
    const found = averagePrecision(
      column(scores, c),
      column(labels, c).map((label) => label === 1),
    );
    return Number.isNaN(found) ? null : found;
  });
  const shown = each.filter((ap) => ap !== null);
  return { classes: each, mean: shown.reduce((sum, ap) => sum + ap, 0) / shown.length };
}
