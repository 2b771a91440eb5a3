/** @file What to explain and how: the spec of an explainer, and the manifest it comes with. Data only. */
import type { Dim, DType } from "../graph/ir.ts";
import type { Aggregate } from "./aggregate.ts";
import type { ProbabilityKind } from "./probability.ts";

/**
 * What is extracted at each location u of a layer: the location's summand of some weight's gradient (paper, Table 1).
 */
export const extracts = ["bias", "scaling", "conv1x1", "conv3x3", "depthwise3x3", "conv-real"] as const;
export type Extract = (typeof extracts)[number];

/**
 * Which backward pass: the true gradient, one with ReLU's rule replaced, or the probabilities of excitation backprop
 * (`contrastive`: less those of the class's negation, from the last weighted layer down).
 */
export const backwardRules = ["true", "guided", "deconvnet", "excitation", "contrastive-excitation"] as const;
export type BackwardRules = (typeof backwardRules)[number];

/** The methods that are no point of the grid: their weights are averages over the map. */
export const camMethods = ["grad-cam", "grad-cam++", "layer-cam"] as const;
export type CamMethod = (typeof camMethods)[number];

export type Head =
  | { readonly kind: "grid"; readonly extract: Extract; readonly aggregate: Aggregate }
  | { readonly kind: CamMethod };

/**
 * What is averaged over samples, and which: `smooth` the map over noisy images, `smooth-gradient` the gradient over
 * noisy images, `integrated` the gradient over the path from zero to the layer's activations.
 */
export const averages = ["smooth", "smooth-gradient", "integrated"] as const;
export type Average = (typeof averages)[number];

export interface Method {
  /** Left out: one gradient, at the image itself. */
  readonly average?: Average;
  readonly rules: BackwardRules;
  readonly head: Head;
}

/**
 * The scalar that is differentiated, of the target class c: `logit` y_c; `nll` -log softmax(y)_c; `log-softmax` its
 * negative; `probability` the model's own output after its final Softmax or Sigmoid (softmax where it has none);
 * `pointing` log sum_v exp(y_c(v)) of a dense output; `region` the mean of y_c over a box of a dense output.
 */
export const objectives = ["logit", "nll", "log-softmax", "probability", "pointing", "region"] as const;
export type Objective = (typeof objectives)[number];
/** Whether an objective is taken of scores at each location. */
export const isDense = (objective: Objective): boolean => objective === "pointing" || objective === "region";

/** Layers by name, or by rule: stage ends; the deepest of these; the model's input. */
export type Layers = "auto" | "last" | "input" | readonly string[];

export const combinations = ["sum", "product"] as const;
export type Combination = (typeof combinations)[number];

/**
 * Meta-saliency (paper, section 3.3): explain not the net itself but the net after one step of training on this image
 * and class, theta' = theta -+ eps dCE/dtheta, CE = -log softmax(scores)_c. Asks where the information lies that
 * learning this label needs.
 */
export interface MetaSpec {
  /**
   * eps. `auto`: the step that changes the loss by a tenth of it to first order, each image having its own, because no
   * one eps suits every image (|gradient|^2 spans seven decades).
   */
  readonly step: number | "auto";
  /** `descent` learns the class, `ascent` unlearns it. */
  readonly sign: "descent" | "ascent";
  /** `stop-gradient` takes the stepped weights as constants; `full` differentiates through the step too. */
  readonly variant: "stop-gradient" | "full";
  /** Which weights move: all, or those of the last k convolutions and products. */
  readonly weights: "all" | { readonly last: number };
}

export const metaSigns = ["descent", "ascent"] as const satisfies readonly MetaSpec["sign"][];
export const metaVariants = ["stop-gradient", "full"] as const satisfies readonly MetaSpec["variant"][];

/** Gaussian noise, standard deviation `level` (max x - min x); the same seed draws the same noise everywhere. */
export interface NoiseSpec {
  readonly level: number;
  readonly seed: number;
}

/** The samples of a method that averages; other methods have none. */
export interface SamplesSpec {
  readonly count?: number;
  /** `given`: the explainer has an input `noise` [count, ...image without batch], in the image's own units. */
  readonly noise?: NoiseSpec | "given";
}

/** 25 samples leave a fifth of the noise's deviation; a path has as many steps as the usual 20 to 50. */
export const defaultCounts: Readonly<Record<Average, number>> = { smooth: 25, "smooth-gradient": 25, integrated: 32 };
/** Smilkov et al. find 10 to 20 % of the image's range to be best. */
export const defaultNoise: NoiseSpec = { level: 0.15, seed: 0 };

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
  /**
   * The objective is a sum of this many classes with coefficients, as in "cat - dog" or the mean of all dogs: `target`
   * is then [N, terms], and `coefficient` [N, terms] an input too. Left out: one class, `target` [N].
   */
  readonly terms?: number;
  /** Also return each layer's raw map as `map/<layer>`. */
  readonly layerMaps: boolean;
  readonly samples?: SamplesSpec;
  /** Explain the net after one step of training; without it, the net itself. */
  readonly meta?: MetaSpec;
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
    readonly dtype: DType;
  };
}
