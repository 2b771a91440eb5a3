/** @file The classes asked for: words into the explainer's run-time input. */
import { type Labels, labelOf, resolveTarget } from "../models/labels.ts";
import { slug } from "../slug.ts";
import type { ClassScore, Prediction } from "./prediction.ts";

export interface Target {
  /** As the user said it: `top1`, `285`, `tiger cat`. */
  readonly text: string;
  /** The same as part of a file name. */
  readonly slug: string;
  /** What the explainer is fed: a class, or a negative rank decided in the graph. */
  readonly value: number;
}

/** Every class asked for; top1 where none was. Throws `spec-invalid` for a class the model does not have. */
export function readTargets(
  texts: readonly string[],
  labels: Labels | null,
  classes: number | null,
): readonly Target[] {
  const wanted = texts.length === 0 ? ["top1"] : texts;
  return wanted.map((text) => ({ text, slug: slug(text), value: readTarget(text, labels, classes) }));
}

/** Negative ranks are taken as the explainer has them: -1 the top class, -C the last. */
function readTarget(text: string, labels: Labels | null, classes: number | null): number {
  const negative = /^-(\d{1,6})$/.exec(text.trim())?.[1];
  return resolveTarget(negative === undefined ? text : `top${negative}`, labels, classes);
}

/** The class a target means for this prediction, and its place in the ranking from 1. */
export function resolved(
  target: Target,
  { ranking }: Prediction,
  labels: Labels | null,
): ClassScore & { rank: number } {
  const index = target.value < 0 ? -target.value - 1 : ranking.findIndex((r) => r.class === target.value);
  const found = ranking[index];
  if (found !== undefined) return { ...found, rank: index + 1 };
  return { class: target.value, name: labelOf(labels, target.value), score: 0, probability: 0, rank: 0 };
}
