/**
 * @file The report on the shipped classifier: what it is, how it came about, what it reaches. A document, no measuring.
 */
import type { Style } from "../atlas.ts";
import { classes } from "../classes.ts";
import { testSeeds } from "./batches.ts";
import { architecture, multiplyAdds } from "./classifier.ts";
import type { DemoModel } from "./model-files.ts";
import { lengthOf, parametersOf } from "./parameters.ts";
import type { Phase } from "./plan.ts";
import type { Ranking } from "./score.ts";

/** How weights came about. */
export interface TrainingRecord {
  readonly steps: number;
  readonly phases: readonly Phase[];
  readonly pictures: number;
  readonly seed: number;
  readonly rate: number;
  readonly engine: string;
  readonly minutes: number;
  /** What someone who repeats it should know. */
  readonly remark?: string;
}

export interface Findings {
  readonly model: DemoModel;
  readonly training: TrainingRecord;
  readonly seen: Ranking;
  readonly heldOut: Ranking;
  readonly styles: readonly Style[];
}

/** report.json. Average precisions are rounded to four digits. */
export function makeReport({ model, training, seen, heldOut, styles }: Findings) {
  const round = (ap: number | null | undefined): number | null =>
    typeof ap === "number" ? Math.round(ap * 1e4) / 1e4 : null;
  const names = (isHeldOut: boolean): readonly string[] =>
    styles.filter(({ heldOut: held }) => held === isHeldOut).map(({ name }) => name);
  return {
    model: model.card.name,
    sha256: model.sha256,
    bytes: model.bytes.length,
    parameters: lengthOf(parametersOf(architecture)),
    multiplyAdds: multiplyAdds(architecture),
    classes: classes.length,
    styles: { seen: names(false), heldOut: names(true) },
    training,
    test: { scenes: testSeeds.count, firstSeed: testSeeds.first },
    meanAveragePrecision: { seen: round(seen.mean), heldOut: round(heldOut.mean) },
    averagePrecision: Object.fromEntries(
      classes.map(({ name }, i) => [name, { seen: round(seen.classes[i]), heldOut: round(heldOut.classes[i]) }]),
    ),
  };
}

export type Report = ReturnType<typeof makeReport>;
