/** @file What a training step before the map did, read from the explainer's outputs; whether it means anything. */
import type { Feeds } from "../runtime/runtime.ts";
import { autoShare, metaOutputs } from "../saliency/meta/step.ts";
import type { Manifest, MetaSpec } from "../saliency/spec.ts";

/** The step, as the result document has it. */
export interface MetaReport {
  readonly sign: MetaSpec["sign"];
  readonly variant: MetaSpec["variant"];
  readonly weights: MetaSpec["weights"];
  /** eps; chosen for this image where the spec says `auto`. */
  readonly step: number;
  /** Cross-entropy of the class, in nats, at the model's weights and at the stepped ones. */
  readonly lossBefore: number;
  readonly lossAfter: number;
  /** |dCE/dtheta|^2: to first order the loss changes by eps times it. */
  readonly gradientSquared: number;
}

/** undefined where the explainer takes no step. */
export function metaReport(outputs: Feeds, { spec }: Manifest): MetaReport | undefined {
  if (spec.meta === undefined) return undefined;
  const [step, lossBefore, lossAfter, gradientSquared] = (["step", "before", "after", "slope"] as const).map((key) =>
    Number(outputs[metaOutputs[key]]?.data[0] ?? Number.NaN),
  );
  const { sign, variant, weights } = spec.meta;
  const missing = Number.NaN;
  return {
    sign,
    variant,
    weights,
    step: step ?? missing,
    lossBefore: lossBefore ?? missing,
    lossAfter: lossAfter ?? missing,
    gradientSquared: gradientSquared ?? missing,
  };
}

/**
 * How far the loss may be from what the gradient promises before the step is called too large: at half, other terms of
 * its expansion are as large as the first.
 */
const linearShareMin = 0.5;
const linearShareMax = 1.5;
/** Changes below this are rounding: float32 holds a loss of a few nats to about 1e-6. */
const resolvedChange = 1e-5;

/** A warning where the step is too large to mean anything, or did nothing; none otherwise. */
export function metaNotes(report: MetaReport | undefined): readonly string[] {
  if (report === undefined || report.step === 0) return [];
  const { sign, step, lossBefore, lossAfter, gradientSquared } = report;
  if (![step, lossBefore, lossAfter, gradientSquared].every(Number.isFinite)) {
    return [
      "the step of meta-saliency left the range of numbers: the map says nothing; take a smaller --meta, or auto",
    ];
  }
  if (gradientSquared === 0) {
    return [
      "the loss of the class has no gradient in any weight that moves: the step of meta-saliency changed nothing",
    ];
  }
  const promised = step * gradientSquared;
  const change = sign === "descent" ? lossBefore - lossAfter : lossAfter - lossBefore;
  if (promised < resolvedChange && Math.abs(change) < resolvedChange) return [];
  const share = change / promised;
  if (share >= linearShareMin && share <= linearShareMax) return [];
  const verb = lossAfter < lossBefore ? "lowered" : "raised";
  const wanted = sign === "descent" ? "lower" : "raise";
  return [
    `the step of meta-saliency (${short(step)}) is too large to mean anything: it ${verb} the loss from ` +
      `${short(lossBefore)} to ${short(lossAfter)}, where the gradient promises to ` +
      `${wanted} it by ${short(promised)}; ` +
      `take a --meta of about ${short((autoShare * lossBefore) / gradientSquared)}, or auto`,
  ];
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
