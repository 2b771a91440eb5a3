/** @file How sure a figure is: Wilson's interval of a proportion, and the bootstrap for everything else. */
import { indexFrom, uniformFrom } from "./random.ts";

/** Both ends belong to it. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The 97.5 % point of the standard normal distribution: intervals are of 95 % confidence. */
const Z95 = 1.959963984540054;

/** Enough that the ends of a 95 % interval repeat to about a twentieth of its width. */
const RESAMPLES = 2000;

/**
 * Wilson's score interval of a proportion, 95 %: unlike hits/trials +- 2 sigma it keeps within [0, 1] and is right for
 * few trials (Wilson 1927; Brown, Cai and DasGupta 2001). Without trials nothing is known: [0, 1].
 */
export function wilson(hits: number, trials: number): Interval {
  if (trials === 0) return { low: 0, high: 1 };
  const share = hits / trials;
  const z2 = Z95 * Z95;
  const centre = (share + z2 / (2 * trials)) / (1 + z2 / trials);
  const half = (Z95 / (1 + z2 / trials)) * Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials * trials));
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

export interface BootstrapOptions {
  readonly seed?: number;
  readonly resamples?: number;
}

/**
 * The 95 % percentile bootstrap (Efron 1979): the statistic over samples drawn with replacement. The units must be what
 * was sampled independently: images, not the several classes of one image. Statistics that are not finite (a resample
 * may have nothing to average) are left out; null where none is left, or where there are fewer than two units.
 */
export function bootstrap<T>(
  units: readonly T[],
  statistic: (sample: readonly T[]) => number,
  { seed = 1, resamples = RESAMPLES }: BootstrapOptions = {},
): Interval | null {
  if (units.length < 2) return null;
  const uniform = uniformFrom(seed);
  const found: number[] = [];
  for (let i = 0; i < resamples; i += 1) {
    const sample = units.map((unit) => units[indexFrom(uniform, units.length)] ?? unit);
    const value = statistic(sample);
    if (Number.isFinite(value)) found.push(value);
  }
  if (found.length === 0) return null;
  const sorted = Float64Array.from(found).sort();
  return { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

/** Linear between the order statistics (Hyndman and Fan's type 7). The values are sorted and at least one. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** With n - 1; NaN for fewer than two values. */
export function standardDeviation(values: readonly number[]): number {
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return values.length < 2 ? Number.NaN : Math.sqrt(squares / (values.length - 1));
}
