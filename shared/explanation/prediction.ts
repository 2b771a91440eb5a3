/** @file What the model says: its scores as a ranking with names and probabilities. */
import { AppError } from "../errors.ts";
import { halfToFloat } from "../float16.ts";
import type { Graph } from "../graph/ir.ts";
import { namedValues } from "../graph/walk.ts";
import { type Labels, labelOf } from "../models/labels.ts";
import type { Feeds, RunTensor } from "../runtime/runtime.ts";
import type { ProbabilityKind } from "../saliency/probability.ts";
import type { Manifest } from "../saliency/spec.ts";
import { cellShares, type Shares } from "./region.ts";

/** One class of a ranking. */
export interface ClassScore {
  readonly class: number;
  readonly name: string;
  /** At the objective's tensor: a logit, unless the objective is taken elsewhere. */
  readonly score: number;
  readonly probability: number;
}

export interface Prediction {
  readonly kind: ProbabilityKind;
  /** All classes, best first; of equal scores the lower index, as the explainer ranks them. */
  readonly ranking: readonly ClassScore[];
}

/** The explainer's graph with the objective's tensor among its outputs, where targets are ranked. */
export function withScores(graph: Graph, { objectiveTensor }: Manifest): Graph {
  if (graph.outputs.some((v) => v.name === objectiveTensor)) return graph;
  const scores = namedValues(graph).get(objectiveTensor);
  return scores === undefined ? graph : { ...graph, outputs: [...graph.outputs, scores] };
}

/**
 * The ranking at the objective's tensor, read from the outputs of a run; `region` is what the run was fed, if it was.
 * @throws AppError `runtime-failed` where scores are not finite: the model's weights or the input are broken
 */
export function readPrediction(outputs: Feeds, manifest: Manifest, labels: Labels | null, region?: Shares): Prediction {
  const { objectiveTensor, probabilities: kind } = manifest;
  const tensor = outputs[objectiveTensor];
  if (tensor === undefined) throw new AppError("runtime-failed", `the explainer returned no "${objectiveTensor}"`);
  const classes = typeof manifest.classes === "number" ? manifest.classes : (tensor.dims[1] ?? 1);
  const scores = classScores(numbersOf(tensor, objectiveTensor), tensor.dims, classes, region);
  const broken = scores.findIndex((s) => !Number.isFinite(s));
  if (broken >= 0) {
    throw new AppError(
      "runtime-failed",
      `the model's score of ${labelOf(labels, broken)} is ${scores[broken]}: its weights or the input hold NaN or ` +
        "overflow; check the model file and the preprocessing",
    );
  }
  const chances = probabilitiesOf(scores, kind);
  const ranking = scores
    .map((score, i) => ({ class: i, name: labelOf(labels, i), score, probability: chances[i] ?? 0 }))
    .sort((a, b) => b.score - a.score || a.class - b.class);
  return { kind, ranking };
}

function probabilitiesOf(scores: readonly number[], kind: ProbabilityKind): readonly number[] {
  if (kind === "the scores themselves") return scores;
  return kind === "sigmoid" ? scores.map((x) => 1 / (1 + Math.exp(-x))) : softmax(scores);
}

/**
 * One score a class: the values themselves, or of a dense output the mean over the region, which `region` explains, or
 * log sum_v exp(y_c(v)), which `pointing` does.
 */
function classScores(
  values: readonly number[],
  dims: readonly number[],
  classes: number,
  region: Shares | undefined,
): readonly number[] {
  if (values.length === classes) return values;
  const last = dims.at(-1) === classes && dims[1] !== classes; // channels last
  return Array.from({ length: classes }, (_, c) => {
    const inner = values.length / classes;
    const own = Array.from({ length: inner }, (_, v) => values[last ? v * classes + c : c * inner + v] ?? 0);
    if (region) return weightedMean(own, region, last ? dims.slice(1) : dims.slice(2));
    const top = Math.max(...own);
    return top + Math.log(own.reduce((sum, x) => sum + Math.exp(x - top), 0));
  });
}

function weightedMean(values: readonly number[], region: Shares, [height = 1, width = 1]: readonly number[]): number {
  return cellShares(region, height, width).reduce((sum, share, v) => sum + share * (values[v] ?? 0), 0);
}

function numbersOf(tensor: RunTensor, name: string): readonly number[] {
  switch (tensor.dtype) {
    case "float32":
    case "float64":
      return Array.from(tensor.data);
    case "float16":
      return Array.from(tensor.data, halfToFloat);
    default:
      throw new AppError("runtime-failed", `the scores "${name}" are ${tensor.dtype}, not floating point`);
  }
}

function softmax(scores: readonly number[]): readonly number[] {
  const top = Math.max(...scores);
  const raised = scores.map((s) => Math.exp(s - top));
  const sum = raised.reduce((a, b) => a + b, 0);
  return raised.map((r) => r / sum);
}
