/** @file What the paper found, held against the figures of a study: whether each finding shows here too. */
import type { Row } from "../evaluate/report.ts";
import { META } from "./paper.ts";

/**
 * `holds`: the intervals are apart; `tends to hold`: the figures say so, their intervals overlap; `not measured`: a
 * method of the finding could not run here.
 */
export type Verdict = "holds" | "tends to hold" | "does not hold" | "not measured";

export interface Finding {
  readonly claim: string;
  readonly paper: string;
  readonly here: string;
  readonly verdict: Verdict;
}

interface Figure {
  readonly layer: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** A map's order is the same for both classes up to rounding. */
const BLIND = 1 - 1e-4;

/** Figures of one method over its layers, shallow to deep, the combination left out. */
function overDepth(rows: readonly Row[], method: string, key: "accuracy" | "rho"): readonly Figure[] {
  return rows.flatMap((row) => {
    const { layer, [key]: value, [`${key} low`]: low, [`${key} high`]: high } = row;
    const whole = row["subset"] === undefined || row["subset"] === "all";
    if (row["method"] !== method || !whole || typeof layer !== "string" || layer.startsWith("combined (")) return [];
    if (typeof value !== "number") return [];
    return [
      { layer, value, low: typeof low === "number" ? low : value, high: typeof high === "number" ? high : value },
    ];
  });
}

const percent = (value: number): string => (100 * value).toFixed(1);
const listed = (figures: readonly Figure[]): string => figures.map((f) => percent(f.value)).join(" / ");
const rangeOf = (figures: readonly Figure[]): number =>
  Math.max(...figures.map((f) => f.value)) - Math.min(...figures.map((f) => f.value));
const rhoText = ({ value, low, high }: Figure): string => `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;

/** a < b, and whether their intervals are apart. */
const below = (a: Figure, b: Figure): Verdict =>
  a.high < b.low ? "holds" : a.value < b.value ? "tends to hold" : "does not hold";
const worst = (verdicts: readonly Verdict[]): Verdict =>
  (["not measured", "does not hold", "tends to hold"] as const).find((v) => verdicts.includes(v)) ?? "holds";

/** Of the rows of `pointing` and `sensitivity` as the evaluations give them. */
export function findings(pointing: readonly Row[], sensitivity: readonly Row[]): readonly Finding[] {
  const points = (method: string) => overDepth(pointing, method, "accuracy");
  const rho = (method: string) => overDepth(sensitivity, method, "rho");
  return [
    collapse(points("grad-cam"), "deepest"),
    collapse(points("gradient"), "others"),
    flatness("norm-grad", points("norm-grad"), points("grad-cam"), "4.2 and 5.8 points over depth"),
    flatness("norm-grad-selective", points("norm-grad-selective"), points("grad-cam"), "4.7 and 5.2 points over depth"),
    flatness("linear-approximation", points("linear-approximation"), points("grad-cam"), "5.0 and 7.0 points"),
    pair(
      "At the last layer selective NormGrad points better than plain NormGrad",
      "86.0 over 77.7 (VGG16), 87.4 over 78.8 (ResNet50)",
      points("norm-grad").at(-1),
      points("norm-grad-selective").at(-1),
      (f) => percent(f.value),
    ),
    blindness(rho("norm-grad").at(-1), rho("norm-grad-selective").at(-1)),
    pair(
      "The step of meta-saliency lowers rho of NormGrad at the last layer",
      "claimed; no figures are published",
      rho(`norm-grad${META}`).at(-1),
      rho("norm-grad").at(-1),
      rhoText,
    ),
    pair(
      "The step of meta-saliency lets NormGrad point better at the last layer",
      "78.2 over 77.7 (VGG16), 80.9 over 78.8 (ResNet50)",
      points("norm-grad").at(-1),
      points(`norm-grad${META}`).at(-1),
      (f) => percent(f.value),
    ),
  ];
}

function collapse(figures: readonly Figure[], good: "deepest" | "others"): Finding {
  const last = figures.at(-1);
  const rest = figures.slice(0, -1);
  const name =
    good === "deepest" ? "Grad-CAM collapses before the last layer" : "The gradient collapses at the last layer";
  const paper =
    good === "deepest"
      ? "86.6 to 58.2 (VGG16), 90.4 to 66.3 (ResNet50)"
      : "82.1 to 39.5 (VGG16), 82.8 to 18.0 (ResNet50)";
  if (last === undefined || rest.length === 0) return { claim: name, paper, here: "-", verdict: "not measured" };
  const verdicts = rest.map((f) => (good === "deepest" ? below(f, last) : below(last, f)));
  return { claim: name, paper, here: `${listed(figures)} (shallow to deep)`, verdict: worst(verdicts) };
}

/** Flat: over depth it varies by less than half of what Grad-CAM does. */
function flatness(method: string, figures: readonly Figure[], other: readonly Figure[], paper: string): Finding {
  const claim = `${method} is flat over depth`;
  if (figures.length < 2 || other.length < 2) return { claim, paper, here: "-", verdict: "not measured" };
  const here = `${percent(rangeOf(figures))} points (grad-cam ${percent(rangeOf(other))})`;
  return { claim, paper, here, verdict: rangeOf(figures) < rangeOf(other) / 2 ? "tends to hold" : "does not hold" };
}

function blindness(plain: Figure | undefined, selective: Figure | undefined): Finding {
  const claim = "At the last layer plain NormGrad is class-blind (rho = 1), selective is not";
  const paper = "rho = 1 by construction where the last layer is averaged and classified linearly";
  if (plain === undefined || selective === undefined) return { claim, paper, here: "-", verdict: "not measured" };
  const verdict = plain.low < BLIND ? "does not hold" : below(selective, plain);
  return { claim, paper, here: `${rhoText(plain)}; selective ${rhoText(selective)}`, verdict };
}

/** A finding that one figure is below another. */
function pair(
  claim: string,
  paper: string,
  low: Figure | undefined,
  high: Figure | undefined,
  text: (figure: Figure) => string,
): Finding {
  if (low === undefined || high === undefined) return { claim, paper, here: "-", verdict: "not measured" };
  return { claim, paper, here: `${text(low)} and ${text(high)}`, verdict: below(low, high) };
}
