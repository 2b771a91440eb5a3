/** @file From an input's bytes to the tensor a model is fed: a photo by its recipe, or a .npy as it is. */
import { AppError } from "../errors.ts";
import { floatToHalf } from "../float16.ts";
import type { Dim } from "../graph/ir.ts";
import type { Codecs } from "../imaging/codecs.ts";
import { decodeImage } from "../imaging/decode.ts";
import { fitGeometry, type Geometry } from "../imaging/geometry.ts";
import type { Image, Raster } from "../imaging/image.ts";
import type { ImageLimits } from "../imaging/limits.ts";
import { type NpyArray, readNpy } from "../imaging/npy.ts";
import { preprocess } from "../imaging/preprocess.ts";
import type { Recipe } from "../models/recipe.ts";
import type { RunTensor } from "../runtime/runtime.ts";
import type { ImageInput } from "./image-input.ts";

/** A model's input, and what it is a picture of. */
export interface PreparedInput {
  readonly tensor: RunTensor;
  /** What the map is drawn over: the photo, or the tensor itself made visible. */
  readonly photo: Raster;
  readonly geometry: Geometry;
  /** What the file said; null for a .npy. */
  readonly source: Image["source"] | null;
  readonly notes: readonly string[];
  readonly decodeMs: number;
  readonly preprocessMs: number;
}

/** What a platform decodes with, and how much of it. */
export interface Decoding {
  readonly codecs: Codecs;
  readonly limits: ImageLimits;
}

/**
 * @param recipe how a photo becomes the tensor, or why none can: a .npy is taken all the same
 * @throws AppError `image-unreadable`, `image-too-large`, `card-invalid`; `spec-invalid` for a .npy that does not fit
 */
export async function prepareInput(
  bytes: Uint8Array,
  array: boolean,
  input: ImageInput,
  recipe: Recipe | AppError,
  { codecs, limits }: Decoding,
): Promise<PreparedInput> {
  const start = performance.now();
  if (array) {
    const npy = readNpy(bytes);
    if (!isPicture(npy, input)) return prepareTensor(npy, input, performance.now() - start);
    return preparePhoto(rasterOf(npy), null, [], recipe, performance.now() - start);
  }
  const image = await decodeImage(bytes, codecs, limits);
  return preparePhoto(image, image.source, image.notes, recipe, performance.now() - start);
}

function preparePhoto(
  photo: Raster,
  source: Image["source"] | null,
  notes: readonly string[],
  recipe: Recipe | AppError,
  decodeMs: number,
): PreparedInput {
  if (recipe instanceof AppError) throw recipe;
  const start = performance.now();
  const { data, dims, geometry } = preprocess(photo, recipe);
  const tensor = { dtype: recipe.dtype, dims, data } as RunTensor; // preprocess makes the array of the recipe's dtype
  return { tensor, photo, geometry, source, notes, decodeMs, preprocessMs: performance.now() - start };
}

/** [H, W, 3] bytes are a photo, unless that is what the model itself takes. */
function isPicture({ dtype, dims }: NpyArray, input: ImageInput): boolean {
  return dtype === "uint8" && dims.length === 3 && dims[2] === 3 && !fits(dims, input.shape);
}

function rasterOf({ dims, data }: NpyArray): Raster {
  const [height = 0, width = 0] = dims;
  return { width, height, data: Uint8Array.from(data) };
}

/** Equal up to symbolic dimensions. */
const fits = (dims: readonly number[], shape: readonly Dim[]): boolean =>
  dims.length === shape.length && dims.every((d, i) => typeof shape[i] === "string" || shape[i] === d);

function prepareTensor(npy: NpyArray, input: ImageInput, decodeMs: number): PreparedInput {
  const start = performance.now();
  const dims = fits([1, ...npy.dims], input.shape) ? [1, ...npy.dims] : npy.dims;
  if (!fits(dims, input.shape) || dims[0] !== 1) {
    throw new AppError(
      "spec-invalid",
      `cannot feed an array of shape [${npy.dims.join(", ")}] to the input "${input.name}" of shape ` +
        `[${input.shape.join(", ")}]: give it in the model's shape with a batch of 1, or as uint8 [H, W, 3] to be ` +
        "taken as a photo; a fully convolutional model takes other sizes with --input-size HxW",
    );
  }
  const tensor = tensorAs(npy.data, dims, input);
  const photo = visible(npy.data, dims, input);
  const geometry = fitGeometry(photo, photo, { kind: "squash" });
  return { tensor, photo, geometry, source: null, notes: [], decodeMs, preprocessMs: performance.now() - start };
}

export function tensorAs(data: ArrayLike<number>, dims: readonly number[], { dtype, name }: ImageInput): RunTensor {
  switch (dtype) {
    case "float32":
      return { dtype, dims, data: Float32Array.from(data) };
    case "float64":
      return { dtype, dims, data: Float64Array.from(data) };
    case "float16":
      return { dtype, dims, data: Uint16Array.from(data, floatToHalf) };
    case "uint8":
      return { dtype, dims, data: Uint8Array.from(data) };
    default:
      throw new AppError("model-unsupported", `the input "${name}" is ${dtype}: float32, float16 and uint8 are fed`);
  }
}

/** The side of the grey field that stands for a tensor that is no picture. */
const blankSide = 224;

/** A tensor as a picture, its values stretched from smallest to largest; mid-grey for what is no picture. */
function visible(data: ArrayLike<number>, dims: readonly number[], { layout }: ImageInput): Raster {
  const [height, width, channels] = layout === "nhwc" ? [dims[1], dims[2], dims[3]] : [dims[2], dims[3], dims[1]];
  if (dims.length !== 4 || !height || !width || (channels !== 3 && channels !== 1)) {
    return { width: blankSide, height: blankSide, data: new Uint8Array(blankSide * blankSide * 3).fill(128) };
  }
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < data.length; i += 1) {
    low = Math.min(low, data[i] ?? 0);
    high = Math.max(high, data[i] ?? 0);
  }
  const pixels = height * width;
  const at = (pixel: number, channel: number): number =>
    layout === "nhwc" ? pixel * channels + channel : channel * pixels + pixel;
  const raster = new Uint8Array(pixels * 3);
  for (let i = 0; i < raster.length; i += 1) {
    const value = data[at(Math.floor(i / 3), channels === 3 ? i % 3 : 0)] ?? 0;
    raster[i] = high > low ? Math.round((255 * (value - low)) / (high - low)) : 128;
  }
  return { width, height, data: raster };
}
