/**
 * @file The result document of one explanation: what was asked, what the model said, what the map is, how it was made.
 */
import type { Geometry, Size } from "../imaging/geometry.ts";
import type { ImageHeader } from "../imaging/image.ts";
import type { Recipe } from "../models/recipe.ts";
import { methodName } from "../saliency/method.ts";
import type { ExplainSpec, Manifest } from "../saliency/spec.ts";
import type { MapStatistics } from "./maps.ts";
import { type MetaReport, metaNotes } from "./meta.ts";
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
  /** Of a result that is kept in a bucket: `<image>/<result key>`. */
  readonly id?: string;
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
  readonly target: ClassScore & {
    readonly asked: string;
    /** Place in the ranking from 1; 0 for a sum of classes. */
    readonly rank: number;
    /** The classes of a sum or difference; `score` and `probability` are theirs, with these coefficients. */
    readonly terms?: readonly { readonly class: number; readonly name: string; readonly coefficient: number }[];
  };
  readonly method: string;
  readonly objective: { readonly name: ExplainSpec["objective"]; readonly tensor: string };
  readonly layers: Manifest["layers"];
  /** How the layers' maps became one; null for one layer. */
  readonly combine: ExplainSpec["combine"] | null;
  /** The training step before the map was made, where one was asked for. */
  readonly meta?: MetaReport;
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
  readonly memory?: Memory;
  readonly versions: { readonly backlight: string; readonly runtime: string; readonly platform: string };
  /** Names of the files beside this document, by kind. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Milliseconds by stage; a stage that was not needed (an explainer found compiled, a session kept) takes 0. `run` is
 * forward and backward pass together. A platform whose clock stands still while it computes reports less than it took.
 */
export interface Timings {
  readonly compile: number;
  readonly decode: number;
  readonly preprocess: number;
  /** Making the session. */
  readonly load?: number;
  readonly run: number;
  readonly draw?: number;
}

/** Bytes while this was explained: the engine's heap, which never shrinks, and the most it took with weights so far. */
export interface Memory {
  readonly heapBytes: number;
  readonly peakBytes: number;
}

/** What one explanation adds. */
export interface Found
  extends Pick<
    Explanation,
    "input" | "map" | "layerMaps" | "geometry" | "picture" | "notes" | "timings" | "memory" | "files" | "meta"
  > {
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
    ...(found.meta && { meta: found.meta }),
    map: found.map,
    layerMaps: found.layerMaps,
    preprocessing: { card, guessed: card === null && recipe !== null, recipe },
    geometry: { ...found.geometry, photo: sizeOf(found.geometry.photo), input: sizeOf(found.geometry.input) },
    picture: found.picture,
    notes: [...circumstances.notes, ...found.notes, ...metaNotes(found.meta)],
    timings: found.timings,
    ...(found.memory && { memory: found.memory }),
    versions: { backlight, runtime, platform },
    files: found.files,
  };
}
