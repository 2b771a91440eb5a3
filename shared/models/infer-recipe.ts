/** @file The complete recipe of a model: what its card says, filled up from its input, or guessed and said so. */
import { AppError } from "../errors.ts";
import type { Dim } from "../graph/ir.ts";
import type { ModelCard } from "./card.ts";
import { families } from "./families.ts";
import { inputTypes, type Recipe } from "./recipe.ts";

/** The model's image input as its file declares it. */
export interface ModelInput {
  readonly name: string;
  readonly shape: readonly Dim[];
  readonly dtype: string;
}

/** A recipe, and what a person must know of how it came about. */
export interface InferredRecipe {
  readonly recipe: Recipe;
  readonly notes: readonly string[];
}

/** The size most classifiers take, for a model that leaves it open. */
const USUAL_SIDE = 224;

interface Declared {
  readonly layout: Recipe["layout"];
  readonly channels: number;
  readonly width: Dim;
  readonly height: Dim;
}

const isColour = (dim: Dim | undefined): dim is 1 | 3 => dim === 1 || dim === 3;

function unfit(input: ModelInput, why: string): AppError {
  return new AppError(
    "card-invalid",
    `cannot feed a photo to the input "${input.name}" of shape [${input.shape.join(", ")}]: ${why}`,
    { input: input.name, shape: input.shape },
  );
}

/** Finds channels and sides. A photo has 3 channels (colour) or 1 (grey). */
function readShape(input: ModelInput, layout: Recipe["layout"] | undefined): Declared {
  const [, second, third, fourth] = input.shape;
  if (input.shape.length !== 4 || second === undefined || third === undefined || fourth === undefined) {
    throw unfit(input, "an image input has four dimensions; give the tensor itself as a .npy file");
  }
  const planar: Declared = { layout: "nchw", channels: Number(second), height: third, width: fourth };
  const interleaved: Declared = { layout: "nhwc", channels: Number(fourth), height: second, width: third };
  if (layout !== "nhwc" && isColour(second)) return planar;
  if (layout !== "nchw" && isColour(fourth)) return interleaved;
  if (typeof second === "string" && layout !== "nhwc") return { ...planar, channels: 3 };
  if (typeof fourth === "string" && layout === "nhwc") return { ...interleaved, channels: 3 };
  const found = layout === "nhwc" ? fourth : second;
  throw unfit(input, `it has ${found} channels, a photo has 3 (colour) or 1 (grey); give the tensor as a .npy file`);
}

function side(input: ModelInput, axis: string, declared: Dim, wanted: number | undefined): number {
  if (typeof declared === "string") return wanted ?? USUAL_SIDE;
  if (wanted !== undefined && wanted !== declared) {
    throw unfit(input, `its ${axis} is ${declared}, the card says ${wanted}`);
  }
  return declared;
}

function dtypeOf(input: ModelInput, wanted: Recipe["dtype"] | undefined): Recipe["dtype"] {
  const dtype = inputTypes.find((type) => type === input.dtype);
  if (dtype === undefined) throw unfit(input, `its type is ${input.dtype}; ${inputTypes.join(", ")} are fed`);
  if (wanted !== undefined && wanted !== dtype) throw unfit(input, `its type is ${dtype}, the card says ${wanted}`);
  return dtype;
}

/**
 * The recipe for a model's input. Without a card: torchvision's ImageNet preprocessing (grey for one channel, bytes as
 * they are for a uint8 input), with a note that it is a guess. Throws `card-invalid` when card and model contradict
 * each other, or no photo fits the input.
 */
export function inferRecipe(input: ModelInput, card: ModelCard | null): InferredRecipe {
  const wanted = card?.preprocessing ?? {};
  const declared = readShape(input, wanted.layout);
  const dtype = dtypeOf(input, wanted.dtype);
  const width = side(input, "width", declared.width, wanted.width);
  const height = side(input, "height", declared.height, wanted.height);
  const guess = dtype === "uint8" ? "raw" : "imagenet";
  const family = families[wanted.family ?? guess];
  const channels = wanted.channels ?? (declared.channels === 1 ? "gray" : family.channels);
  if ((channels === "gray") !== (declared.channels === 1)) {
    throw unfit(input, `it has ${declared.channels} channels, the card says "${channels}"`);
  }
  const normalise = wanted.normalise ?? family.normalise;
  const count = channels === "gray" ? 1 : 3;
  const recipe: Recipe = {
    width,
    height,
    layout: declared.layout,
    channels,
    dtype,
    fit: wanted.fit ?? family.fit(width, height),
    normalise: { ...normalise, mean: perChannel(normalise.mean, count), std: perChannel(normalise.std, count) },
  };
  const notes: string[] = [];
  if (card === null) {
    notes.push(
      `no model card: preprocessing is a guess (${guess}: ${family.about}); ` +
        "a wrong guess gives wrong predictions and maps, so write a card",
    );
  }
  const open = typeof declared.width === "string" || typeof declared.height === "string";
  if (open && (wanted.width === undefined || wanted.height === undefined)) {
    notes.push(`the model leaves its input size open: ${width} x ${height} is used`);
  }
  return { recipe, notes };
}

/** One number for all channels, or one for each; three colours' numbers become grey's by their average. */
function perChannel(values: readonly number[], count: number): readonly number[] {
  if (values.length === count) return values;
  if (values.length === 1) return Array.from({ length: count }, () => values[0] ?? 0);
  return [values.reduce((sum, value) => sum + value, 0) / values.length];
}
