/**
 * @file Options that say what is explained and how: read into an ExplainSpec. The same for every command that has one.
 */
import { AppError } from "../../shared/errors.ts";
import type { Region } from "../../shared/explanation/region.ts";
import { readRegionWords, readSpecWords, type SpecWords } from "../../shared/explanation/spec-words.ts";
import { methodNames } from "../../shared/saliency/method.ts";
import {
  averages,
  backwardRules,
  combinations,
  defaultCounts,
  defaultNoise,
  type ExplainSpec,
  metaSigns,
  metaVariants,
  objectives,
} from "../../shared/saliency/spec.ts";
import type { Args, Options } from "./args.ts";

export const specOptions: Options = {
  method: {
    value: "NAME",
    help:
      `${methodNames.join(", ")}, or any point extract:aggregate of the grid such as conv1x1:filter-norm; ` +
      `prefixes ${backwardRules
        .slice(1)
        .map((r) => `${r}:`)
        .join(", ")} change the backward rules, ` +
      `${averages.map((a) => `${a}:`).join(", ")} average over samples (default norm-grad-selective)`,
  },
  layers: {
    value: "NAMES",
    list: true,
    help:
      "tensor names as they stand in the file, with commas; or auto (stage ends, combined), last (the deepest of " +
      "these), input (default auto)",
  },
  combine: {
    value: "HOW",
    help: `maps of several layers become one by ${combinations.join(" or ")} (default product)`,
  },
  weights: { value: "LIST", help: "a layer's share: uniform, linear, or one number a layer, shallow to deep" },
  objective: { value: "NAME", help: `what is differentiated: ${objectives.join(", ")} (default logit)` },
  output: {
    value: "TENSOR",
    help: "the tensor the objective is taken at (default: the first output, before its final Softmax or Sigmoid)",
  },
  samples: {
    value: "N",
    help:
      `of a method that averages: noisy images (default ${defaultCounts.smooth}), ` +
      `steps of a path (default ${defaultCounts.integrated})`,
  },
  noise: {
    value: "LEVEL",
    help: `of smooth: standard deviation as a share of the image's range (default ${defaultNoise.level})`,
  },
  "noise-seed": { value: "N", help: `which noise is drawn (default ${defaultNoise.seed})` },
  meta: {
    value: "EPS",
    help:
      "explain the model after one step of training on the image and class, of this size; auto: the step that " +
      "changes the loss by a tenth",
  },
  "meta-sign": {
    value: "SIGN",
    help: `whether the step learns or unlearns: ${metaSigns.join(" or ")} (default descent)`,
  },
  "meta-variant": {
    value: "NAME",
    help: `${metaVariants.join(" or ")}: whether the map is differentiated through the step (default stop-gradient)`,
  },
  "meta-weights": { value: "WHICH", help: "the weights that move: all, or last:K layers with weights (default all)" },
  "input-size": { value: "HxW", help: "the spatial size of a fully convolutional model that declares another" },
};

/** The spec the options describe. Throws `spec-invalid`; what only the model can tell is found when compiling. */
export const readSpec = (args: Args, layerMaps = false): ExplainSpec => ({
  ...readSpecWords(wordsOf(args)),
  layerMaps,
});

/** `--region 40,60,100,80`: x, y, width and height in pixels of the photo. */
export const readRegion = (args: Args): Region | undefined => readRegionWords(wordsOf(args));

const wordsOf = (args: Args): SpecWords => ({
  text: (field) => args.text(field),
  list: (field) => args.list(field),
  spell: (field) => `--${field}`,
});

export interface Size {
  readonly height: number;
  readonly width: number;
}

/** Beyond this an input is a mistake: no model is run at it, and its maps would fill the memory. */
const sizeMax = 8192;

/** `--input-size 256x320`, height first as in tensors; one number is a square. */
export function readInputSize(args: Args): Size | undefined {
  const text = args.text("input-size");
  if (text === undefined) return undefined;
  const match = /^(\d+)(?:[x×](\d+))?$/i.exec(text.trim());
  const height = Number(match?.[1]);
  const width = Number(match?.[2] ?? match?.[1]);
  if (!match || height < 1 || width < 1 || height > sizeMax || width > sizeMax) {
    throw new AppError(
      "spec-invalid",
      `--input-size takes HxW in pixels up to ${sizeMax}, such as 256x320, not "${text}"`,
    );
  }
  return { height, width };
}
