/** @file What a worker measures and sends back, and the arithmetic on it. Measures nothing itself. */

/**
 * What the explainer's backward pass goes down to; `stages` is the automatic choice of layers, `meta` a map after one
 * step of training on all weights.
 */
export const configurations = [
  "forward",
  "last",
  "middle",
  "early",
  "stages",
  "input",
  "meta last",
  "meta early",
] as const;
export type Configuration = (typeof configurations)[number];

/** Tensors of a network by depth. */
export interface Marks {
  readonly last: string;
  readonly middle: string;
  readonly early: string;
}

export interface TimeResult {
  /** Milliseconds of each round, by configuration. */
  readonly times: Readonly<Record<Configuration, readonly number[]>>;
  /** Layers the automatic rule took. */
  readonly stages: readonly string[];
}

export interface HeapResult {
  readonly heapBytes: number;
}

export interface CompileResult {
  readonly milliseconds: number;
  /** How far the process grew beyond what it held before it read the model. */
  readonly peakBytes: number;
  readonly outputBytes: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Median of the rounds' ratios: a round's runs are close in time, so a slow spell of the machine cancels. */
export function ratio({ times }: TimeResult, configuration: Configuration): number {
  return median(times[configuration].map((t, round) => t / (times.forward[round] ?? Number.NaN)));
}
