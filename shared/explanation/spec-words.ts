/**
 * @file The words that say what is explained and how, read into a spec: the same on the command line, in a query and in
 * a definition of a sweep. Knows none of them.
 */
import { AppError } from "../errors.ts";
import { suggest } from "../nearest.ts";
import { parseMethod } from "../saliency/method.ts";
import { countMax } from "../saliency/sampled.ts";
import {
  combinations,
  defaultNoise,
  defaultSpec,
  type ExplainSpec,
  type Layers,
  type MetaSpec,
  metaSigns,
  metaVariants,
  objectives,
} from "../saliency/spec.ts";
import type { Region } from "./region.ts";

/** The words a spec is read from. */
export const specFields = [
  "method",
  "layers",
  "combine",
  "weights",
  "objective",
  "output",
  "samples",
  "noise",
  "noise-seed",
  "meta",
  "meta-sign",
  "meta-variant",
  "meta-weights",
] as const;
export type SpecField = (typeof specFields)[number] | "region";

/** Where words come from. */
export interface SpecWords {
  readonly text: (field: SpecField) => string | undefined;
  /** The same, split at commas. */
  readonly list: (field: SpecField) => readonly string[];
  /** How the field is spelled there, for errors: `--method`, `method`. */
  readonly spell: (field: SpecField) => string;
}

/** Noise of more than the image's own range leaves nothing of it. */
const noiseMax = 1;
/** A step longer than this is a mistake: no loss is linear so far. */
const metaStepMax = 1e3;
const defaultMeta = { sign: "descent", variant: "stop-gradient", weights: "all" } as const;

/** The spec the words describe. Throws `spec-invalid`; what only the model can tell is found when compiling. */
export function readSpecWords(words: SpecWords): ExplainSpec {
  const method = words.text("method");
  const output = words.text("output");
  return {
    ...defaultSpec,
    ...(method !== undefined && { method: parseMethod(method) }),
    layers: readLayers(words),
    combine: choice(words, "combine", combinations) ?? defaultSpec.combine,
    weights: readWeights(words),
    objective: choice(words, "objective", objectives) ?? defaultSpec.objective,
    ...(output !== undefined && { output }),
    ...readSamples(words),
    ...readMeta(words),
  };
}

/** `40,60,100,80`: x, y, width and height in pixels of the photo. */
export function readRegionWords(words: SpecWords): Region | undefined {
  const text = words.text("region");
  if (text === undefined) return undefined;
  const numbers = words.list("region").map(Number);
  const [x = Number.NaN, y = Number.NaN, width = Number.NaN, height = Number.NaN, ...more] = numbers;
  if (more.length === 0 && [x, y, width, height].every(Number.isFinite) && width > 0 && height > 0) {
    return { x, y, width, height };
  }
  throw invalid(words, "region", `x,y,width,height in pixels of the photo, such as 40,60,100,80, not "${text}"`);
}

const invalid = ({ spell }: SpecWords, field: SpecField, takes: string): AppError =>
  new AppError("spec-invalid", `${spell(field)} takes ${takes}`, { name: field });

function readLayers(words: SpecWords): Layers {
  const names = words.list("layers");
  const [first] = names;
  if (first === undefined) return defaultSpec.layers;
  if (names.length === 1 && (first === "auto" || first === "last" || first === "input")) return first;
  return names;
}

function readWeights(words: SpecWords): ExplainSpec["weights"] {
  const text = words.text("weights");
  if (text === undefined) return defaultSpec.weights;
  if (text === "uniform" || text === "linear") return text;
  const numbers = words.list("weights").map(Number);
  if (numbers.length > 0 && numbers.every((n) => Number.isFinite(n) && n >= 0)) return numbers;
  throw invalid(words, "weights", `uniform, linear or numbers from 0 up, not "${text}"`);
}

function readSamples(words: SpecWords): Pick<ExplainSpec, "samples"> {
  const count = number(words, "samples", 1, countMax, true);
  const level = number(words, "noise", 0, noiseMax);
  const seed = number(words, "noise-seed", 0, 2 ** 32 - 1, true);
  const drawn = level === undefined && seed === undefined ? undefined : { ...defaultNoise };
  const noise = drawn && { level: level ?? drawn.level, seed: seed ?? drawn.seed };
  if (count === undefined && noise === undefined) return {};
  return { samples: { ...(count !== undefined && { count }), ...(noise && { noise }) } };
}

function readMeta(words: SpecWords): Pick<ExplainSpec, "meta"> {
  const text = words.text("meta");
  const other = (["meta-sign", "meta-variant", "meta-weights"] as const).find((name) => words.text(name) !== undefined);
  if (text === undefined) {
    if (other === undefined) return {};
    const meta = words.spell("meta");
    throw new AppError(
      "spec-invalid",
      `${words.spell(other)} needs ${meta} EPS, the size of the step, or ${meta} auto`,
    );
  }
  const step = text === "auto" ? text : number(words, "meta", 0, metaStepMax);
  if (step === undefined) return {};
  return {
    meta: {
      step,
      sign: choice(words, "meta-sign", metaSigns) ?? defaultMeta.sign,
      variant: choice(words, "meta-variant", metaVariants) ?? defaultMeta.variant,
      weights: readMetaWeights(words),
    },
  };
}

function readMetaWeights(words: SpecWords): MetaSpec["weights"] {
  const text = words.text("meta-weights");
  if (text === undefined || text === "all") return defaultMeta.weights;
  const last = Number(/^last:(\d+)$/.exec(text)?.[1]);
  if (last >= 1) return { last };
  throw invalid(words, "meta-weights", `all or last:K, such as last:3, not "${text}"`);
}

function number(words: SpecWords, field: SpecField, min: number, max: number, whole = false): number | undefined {
  const text = words.text(field);
  if (text === undefined) return undefined;
  const value = Number(text);
  const fits = text.trim() !== "" && value >= min && value <= max && (!whole || Number.isInteger(value));
  if (fits) return value;
  throw invalid(words, field, `a ${whole ? "whole " : ""}number from ${min} to ${max}, not "${text}"`);
}

function choice<T extends string>(words: SpecWords, field: SpecField, of: readonly T[]): T | undefined {
  const text = words.text(field);
  if (text === undefined) return undefined;
  const found = of.find((each) => each === text);
  if (found !== undefined) return found;
  throw invalid(words, field, `${of.join(", ")}, not "${text}"${suggest(text, of)}`);
}
