/** @file The difference of two methods that played the same trials. */
import { bootstrap, type Interval, mean } from "../../../shared/evaluation/intervals.ts";
import { groupBy, type PointingTrial } from "../../../shared/evaluation/pointing.ts";

export interface Difference {
  /** Accuracy of the first less that of the second. NaN without trials. */
  readonly mean: number;
  /** 95 %, by the bootstrap over images; null for fewer than two. */
  readonly interval: Interval | null;
}

/** Both lists hold the same trials in the same order. */
export function pairedDifference(first: readonly PointingTrial[], second: readonly PointingTrial[]): Difference {
  const differences = first.map(({ image, hit }, i) => ({ image, by: Number(hit) - Number(second[i]?.hit ?? false) }));
  const images = [...groupBy(differences, (d) => d.image).values()];
  return {
    mean: mean(differences.map((d) => d.by)),
    interval: bootstrap(images, (sample) => mean(sample.flat().map((d) => d.by))),
  };
}
