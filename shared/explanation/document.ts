/**
 * @file The result document of one explanation: what was asked, what the model said, what the map is, how it was made.
 */
import type { Geometry, Size } from "../imaging/geometry.ts";
import type { ImageHeader } from "../imaging/image.ts";
import type { Recipe } from "../models/recipe.ts";
import { methodName } from "../saliency/method.ts";
import type { ExplainSpec, Manifest } from "../saliency/spec.ts";
import type { MapStatistics } from "./maps.ts";
import type { ClassScore, Prediction } from "./prediction.ts";

/** Raised when a field changes its meaning or goes; new fields do not raise it. */
export const resultSchema = 1;
/** Classes listed in a result. */
const topCount = 5;

/** What is the same for every result of one model on one runtime. */
export interface Circumstances {
  readonly backlight: string;
  readonly runtime: string;
  /** What the runtime runs in: `node v20.20.2`, `workerd`. */
  readonly platform: string;
  readonly model: { readonly name: string; readonly sha256: string; readonly bytes: number };
  readonly card: string | null;
  readonly recipe: Recipe | null;
  readonly notes: readonly string[];
}

export interface Explanation {
  readonly schema: typeof resultSchema;
  readonly input: {
    readonly source: string;
    readonly sha256: string;
    readonly width: number;
    readonly height: number;
    /** What the file's header says; null for arrays. */
    readonly header: ImageHeader | null;
  };
  readonly model: Circumstances["model"];
  readonly explainer: { readonly sha256: string; readonly compiler: string };
  readonly prediction: { readonly probabilities: Prediction["kind"]; readonly top: readonly ClassScore[] };
  readonly target: ClassScore & { readonly asked: string; readonly rank: number };
  readonly method: string;
  readonly objective: { readonly name: ExplainSpec["objective"]; readonly tensor: string };
  readonly layers: Manifest["layers"];
  /** How the layers' maps became one; null for one layer. */
  readonly combine: ExplainSpec["combine"] | null;
  readonly map: MapStatistics & { readonly kind: Manifest["saliency"]["kind"] };
  readonly layerMaps: readonly (MapStatistics & { readonly layer: string })[];
  readonly preprocessing: {
    readonly card: string | null;
    /** True where there is no card: the recipe may be wrong, and then so is everything else. */
    readonly guessed: boolean;
    readonly recipe: Recipe | null;
  };
  readonly geometry: Geometry;
  /** How the picture was made of the map: bilinear at half-pixel centres, the colour scale's ends as raw values. */
  readonly picture: { readonly colours: string; readonly low: number; readonly high: number } | null;
  readonly notes: readonly string[];
  readonly timings: Timings;
  readonly versions: { readonly backlight: string; readonly runtime: string; readonly platform: string };
  /** Names of the files beside this document, by kind. */
  readonly files: Readonly<Record<string, string>>;
}

/** Milliseconds by stage. `run` is forward and backward pass together. */
export interface Timings {
  readonly compile: number;
  readonly decode: number;
  readonly preprocess: number;
  readonly run: number;
}

/** What one explanation adds. */
export interface Found
  extends Pick<Explanation, "input" | "map" | "layerMaps" | "geometry" | "picture" | "notes" | "timings" | "files"> {
  readonly explainer: { readonly sha256: string; readonly manifest: Manifest };
  readonly prediction: Prediction;
  readonly target: Explanation["target"];
}

/** Nothing but the size: what is passed as a size may hold pixels too. */
const sizeOf = ({ width, height }: Size): Size => ({ width, height });

export function explanationOf(found: Found, circumstances: Circumstances): Explanation {
  const { explainer, prediction } = found;
  const { manifest } = explainer;
  const { backlight, runtime, platform, model, card, recipe } = circumstances;
  return {
    schema: resultSchema,
    input: found.input,
    model,
    explainer: { sha256: explainer.sha256, compiler: manifest.compiler },
    prediction: { probabilities: prediction.kind, top: prediction.ranking.slice(0, topCount) },
    target: found.target,
    method: methodName(manifest.spec.method),
    objective: { name: manifest.spec.objective, tensor: manifest.objectiveTensor },
    layers: manifest.layers,
    combine: manifest.layers.length > 1 ? manifest.spec.combine : null,
    map: found.map,
    layerMaps: found.layerMaps,
    preprocessing: { card, guessed: card === null && recipe !== null, recipe },
    geometry: { ...found.geometry, photo: sizeOf(found.geometry.photo), input: sizeOf(found.geometry.input) },
    picture: found.picture,
    notes: [...circumstances.notes, ...found.notes],
    timings: found.timings,
    versions: { backlight, runtime, platform },
    files: found.files,
  };
}
