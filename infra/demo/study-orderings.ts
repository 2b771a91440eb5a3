/**
 * @file What Rebuffi et al. 2020 found of methods over depth, as statements that a study's figures bear out or not.
 *   Knows figures alone.
 */
import { combined } from "./study-pointing.ts";
import type { Cell, StyleStudy } from "./study-report.ts";

export interface Ordering {
  readonly statement: string;
  readonly holds: boolean;
  /** The figures it rests on, in words. */
  readonly figures: string;
}

/**
 * Accuracy that differs by less over depth is flat, by more has collapsed. In the paper's VOC07 table flat methods vary
 * by at most 0.07 and the least collapse is one of 0.24: this lies between.
 */
export const collapse = 0.15;

/** One method's accuracy at the layers, class means within the tolerance. */
interface Depth {
  readonly method: string;
  readonly last: Cell;
  /** Accuracy at the last layer, and at those before it. */
  readonly end: number;
  readonly before: readonly number[];
}

function depthOf({ methods }: StyleStudy, method: string): Depth {
  const cells = methods.find((row) => row.method === method)?.layers.filter(({ layer }) => layer !== combined) ?? [];
  const last = cells.at(-1);
  if (last === undefined || cells.length < 2) throw new RangeError(`the study has no depth of "${method}"`);
  const accuracies = cells.map(({ near }) => near.classMean.value);
  return { method, last, end: accuracies.at(-1) ?? Number.NaN, before: accuracies.slice(0, -1) };
}

const percent = (value: number): string => (100 * value).toFixed(1);
const figuresOf = ({ method, before, end }: Depth): string => `${method} ${[...before, end].map(percent).join(", ")}`;

function flatness(depth: Depth): Ordering {
  const rangeOf = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);
  const range = rangeOf([...depth.before, depth.end]);
  return {
    statement: `${depth.method} is flat over depth`,
    holds: range < collapse,
    figures: `${figuresOf(depth)}: range ${percent(range)}, before the last layer ${percent(rangeOf(depth.before))}`,
  };
}

/** The paper's orderings. The study has the methods grad-cam, gradient, norm-grad and norm-grad-selective. */
export function orderingsOf(study: StyleStudy): readonly Ordering[] {
  const [cam, gradient, plain, selective] = ["grad-cam", "gradient", "norm-grad", "norm-grad-selective"].map((method) =>
    depthOf(study, method),
  ) as [Depth, Depth, Depth, Depth]; // map keeps the length
  const [lowest, highest] = [plain.last.near.classMean.interval?.high, selective.last.near.classMean.interval?.low];
  return [
    {
      statement: "grad-cam collapses before the last layer",
      holds: cam.end - Math.max(...cam.before) >= collapse,
      figures: figuresOf(cam),
    },
    {
      statement: "gradient collapses at the last layer",
      holds: Math.max(...gradient.before) - gradient.end >= collapse,
      figures: `${figuresOf(gradient)}: ${percent(gradient.last.flat)} % of the last maps are flat`,
    },
    flatness(selective),
    flatness(plain),
    {
      statement: "norm-grad drops at the last layer, where norm-grad-selective does not follow it",
      holds: plain.end < Math.min(...plain.before) && (lowest ?? 1) < (highest ?? 0),
      figures:
        `${percent(plain.end)} and ${percent(selective.end)}; there norm-grad points to another object in ` +
        `${percent(plain.last.other)} % of trials, norm-grad-selective in ${percent(selective.last.other)} %`,
    },
  ];
}
