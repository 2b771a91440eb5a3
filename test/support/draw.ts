/** @file How test tensors are drawn: distributions that stay clear of the kinks of what is tested. */

/** `count` numbers from a source of uniform numbers in [0, 1). */
export type Draw = (next: () => number, count: number) => number[];

const each =
  (f: (u: number) => number): Draw =>
  (next, count) =>
    Array.from({ length: count }, () => f(next()));

/** Uniform in [low, high). */
export const between = (low: number, high: number): Draw => each((u) => low + (high - low) * u);
/** Both signs, for what is smooth everywhere. */
export const spread: Draw = between(-1.5, 1.5);
/** Away from zero, for logarithms, roots and divisors. */
export const positive: Draw = between(0.4, 1.8);
/** Both signs, none nearer to zero than 0.1. */
export const clearOfZero: Draw = each((u) => (u < 0.5 ? -0.1 - 2.8 * u : 0.1 + 2.8 * (u - 0.5)));

/** Both signs up to `reach`, none nearer than 0.05 to any of `kinks`. */
export const clearOf =
  (kinks: readonly number[], reach = 2): Draw =>
  (next, count) =>
    Array.from({ length: count }, () => {
      for (;;) {
        const x = reach * (2 * next() - 1);
        if (kinks.every((k) => Math.abs(x - k) > 0.05)) return x;
      }
    });

/** Evenly spaced from -1 to 1 in random order, 0 left out: no two are near each other, so no maximum changes hands. */
export const distinct: Draw = (next, count) => {
  const values = Array.from({ length: count }, (_, i) => (2 * i + 1) / count - 1 + 0.3 / count);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [values[i], values[j]] = [values[j] ?? 0, values[i] ?? 0];
  }
  return values;
};
