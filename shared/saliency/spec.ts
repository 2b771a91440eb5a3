/** @file What to explain and how: the spec of an explainer, and the manifest it comes with. Data only. */
import type { Dim } from "../graph/ir.ts";
import type { ProbabilityKind } from "./probability.ts";

/**
 * What is extracted at each location u of a layer: the location's summand of some weight's gradient (paper, Table 1).
 */
export const extracts = ["bias", "scaling", "conv1x1", "conv3x3", "depthwise3x3", "conv-real"] as const;
export type Extract = (typeof extracts)[number];

/** How the extracted vector becomes one number (paper, section 3.2; `filter-norm` is the "selective" F+N). */
export const aggregates = ["sum", "norm", "filter-norm", "max", "max-abs"] as const;
export type Aggregate = (typeof aggregates)[number];

/** Which backward pass: the true gradient, or one with ReLU's rule replaced. */
export const backwardRules = ["true", "guided", "deconvnet"] as const;
export type BackwardRules = (typeof backwardRules)[number];

/** The methods that are no point of the grid: their weights are averages over the map. */
export const camMethods = ["grad-cam", "grad-cam++", "layer-cam"] as const;
export type CamMethod = (typeof camMethods)[number];

export type Head =
  | { readonly kind: "grid"; readonly extract: Extract; readonly aggregate: Aggregate }
  | { readonly kind: CamMethod };

export interface Method {
  readonly rules: BackwardRules;
  readonly head: Head;
}

/**
 * The scalar that is differentiated, of the target class c: `logit` y_c; `nll` -log softmax(y)_c; `log-softmax` its
 * negative; `probability` the model's own output after its final Softmax or Sigmoid (softmax where it has none);
 * `pointing` log sum_v exp(y_c(v)) of a dense output.
 */
export const objectives = ["logit", "nll", "log-softmax", "probability", "pointing"] as const;
export type Objective = (typeof objectives)[number];

/** Layers by name, or by rule: stage ends; the deepest of these; the model's input. */
export type Layers = "auto" | "last" | "input" | readonly string[];

export const combinations = ["sum", "product"] as const;
export type Combination = (typeof combinations)[number];

export interface ExplainSpec {
  readonly method: Method;
  readonly layers: Layers;
  /** How maps of several layers become one: weighted sum, or weighted geometric mean. */
  readonly combine: Combination;
  /** One weight a layer, shallow to deep; normalised to sum 1. `linear`: proportional to 1, 2, ... J. */
  readonly weights: "uniform" | "linear" | readonly number[];
  readonly objective: Objective;
  /** The tensor the objective is taken at; by default the first output, before its final Softmax or Sigmoid. */
  readonly output?: string;
  /** Also return each layer's raw map as `map/<layer>`. */
  readonly layerMaps: boolean;
}

export const defaultSpec: ExplainSpec = {
  method: { rules: "true", head: { kind: "grid", extract: "scaling", aggregate: "filter-norm" } },
  layers: "auto",
  combine: "product",
  weights: "uniform",
  objective: "logit",
  layerMaps: false,
};

/** What the explainer says of one layer. */
export interface LayerRecord {
  readonly name: string;
  /** Where channels and locations are: `tokens` is [N,T,K]. */
  readonly layout: "nchw" | "nhwc" | "tokens" | "ncl";
  readonly shape: readonly Dim[];
  /**
   * For tokens: the patch grid [h, w] and how many tokens (class token, registers) stand before it; null where unknown.
   */
  readonly grid: { readonly rows: number; readonly columns: number; readonly prefix: number } | null;
  /** The layer's share in a combination. */
  readonly weight: number;
}

/** Recorded in the explainer's metadata_props under `backlight` as JSON: the file explains itself. */
export interface Manifest {
  readonly compiler: string;
  readonly source: { readonly sha256: string };
  readonly spec: ExplainSpec;
  /** The tensor the objective was taken at. */
  readonly objectiveTensor: string;
  readonly classes: Dim;
  /** How probabilities come from the values of that tensor. */
  readonly probabilities: ProbabilityKind;
  readonly layers: readonly LayerRecord[];
  /** Shape and kind of `saliency`: one layer's raw map, its tokens, or a combination in [0, 1] at input resolution. */
  readonly saliency: {
    readonly kind: "layer" | "tokens" | "combination";
    readonly shape: readonly Dim[];
    readonly signed: boolean;
  };
  /** The model's image input. */
  readonly input: {
    readonly name: string;
    readonly layout: "nchw" | "nhwc";
    readonly shape: readonly Dim[];
    readonly dtype: string;
  };
}
