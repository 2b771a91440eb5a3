/**
 * @file Options that say what is explained and how: read into an ExplainSpec. The same for every command that has one.
 */
import { AppError } from "../../shared/errors.ts";
import { methodNames, parseMethod } from "../../shared/saliency/method.ts";
import { combinations, defaultSpec, type ExplainSpec, type Layers, objectives } from "../../shared/saliency/spec.ts";
import { type Args, choiceOf, type Options } from "./args.ts";

export const specOptions: Options = {
  method: {
    value: "NAME",
    help:
      `${methodNames.join(", ")}, or any point extract:aggregate of the grid such as conv1x1:filter-norm; ` +
      "a prefix guided: or deconvnet: changes ReLU's backward rule (default norm-grad-selective)",
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
  "input-size": { value: "HxW", help: "the spatial size of a fully convolutional model that declares another" },
};

/** The spec the options describe. Throws `spec-invalid`; what only the model can tell is found when compiling. */
export function readSpec(args: Args, layerMaps = false): ExplainSpec {
  const method = args.text("method");
  const output = args.text("output");
  return {
    ...defaultSpec,
    ...(method !== undefined && { method: parseMethod(method) }),
    layers: readLayers(args.list("layers")),
    combine: choiceOf(args, "combine", combinations) ?? defaultSpec.combine,
    weights: readWeights(args.list("weights"), args.text("weights")),
    objective: choiceOf(args, "objective", objectives) ?? defaultSpec.objective,
    ...(output !== undefined && { output }),
    layerMaps,
  };
}

function readLayers(names: readonly string[]): Layers {
  const [first] = names;
  if (first === undefined) return defaultSpec.layers;
  if (names.length === 1 && (first === "auto" || first === "last" || first === "input")) return first;
  return names;
}

function readWeights(list: readonly string[], text: string | undefined): ExplainSpec["weights"] {
  if (text === undefined) return defaultSpec.weights;
  if (text === "uniform" || text === "linear") return text;
  const numbers = list.map(Number);
  if (numbers.length === 0 || numbers.some((n) => !Number.isFinite(n) || n < 0)) {
    throw new AppError("spec-invalid", `--weights takes uniform, linear or numbers from 0 up, not "${text}"`);
  }
  return numbers;
}

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
