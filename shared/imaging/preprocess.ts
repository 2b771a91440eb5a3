/** @file A photo as the tensor a model wants, exactly as its recipe says. Where pixels went is in `geometry.ts`. */
import { AppError } from "../errors.ts";
import { floatToHalf } from "../float16.ts";
import type { Recipe } from "../models/recipe.ts";
import { fitGeometry, type Geometry } from "./geometry.ts";
import type { Raster } from "./image.ts";
import { resizeRaster } from "./resize.ts";

/** A model input: `dims` of four, and where its pixels lie on the photo. float16 is its bits in a Uint16Array. */
export interface Preprocessed {
  readonly data: Float32Array | Uint16Array | Uint8Array;
  readonly dims: readonly number[];
  readonly geometry: Geometry;
}

/** Resizes, then cuts out or pads. */
function fitRaster(photo: Raster, geometry: Geometry, fill: number): Raster {
  const { input, resized, offsetX, offsetY } = geometry;
  const small = resizeRaster(photo, resized.width, resized.height);
  if (resized.width === input.width && resized.height === input.height) return small;
  const out = new Uint8Array(input.width * input.height * 3).fill(fill);
  const left = Math.max(0, offsetX);
  const right = Math.min(input.width, resized.width + offsetX);
  const bottom = Math.min(input.height, resized.height + offsetY);
  for (let y = Math.max(0, offsetY); y < bottom; y++) {
    const from = ((y - offsetY) * resized.width + left - offsetX) * 3;
    out.set(small.data.subarray(from, from + (right - left) * 3), (y * input.width + left) * 3);
  }
  return { width: input.width, height: input.height, data: out };
}

/** ITU-R 601 luma in 16-bit fixed point, the one of Pillow's `convert("L")`. */
function luma(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

/** The samples of one output channel, before scaling. */
function plane(raster: Raster, channels: Recipe["channels"], channel: number): Uint8Array {
  const pixels = raster.width * raster.height;
  const out = new Uint8Array(pixels);
  const { data } = raster;
  if (channels === "gray") {
    for (let i = 0; i < pixels; i++) out[i] = luma(data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!);
    return out;
  }
  const from = channels === "rgb" ? channel : 2 - channel;
  for (let i = 0; i < pixels; i++) out[i] = data[3 * i + from]!;
  return out;
}

/** The value of each of the 256 samples: in double, rounded once when it is stored. */
function valueTable(recipe: Recipe, channel: number): Float64Array {
  const { divide, mean, std } = recipe.normalise;
  const channelMean = mean[channel];
  const channelStd = std[channel];
  if (channelMean === undefined || channelStd === undefined || channelStd === 0 || divide === 0) {
    const count = recipe.channels === "gray" ? 1 : 3;
    throw new AppError(
      "card-invalid",
      `cannot normalise channel ${channel}: "mean" and "std" need ${count} numbers each, "std" and "divide" not zero`,
    );
  }
  return Float64Array.from({ length: 256 }, (_, sample) => (sample / divide - channelMean) / channelStd);
}

function storeTable(table: Float64Array, dtype: Recipe["dtype"]): Float32Array | Uint16Array | Uint8Array {
  if (dtype === "float32") return Float32Array.from(table);
  if (dtype === "float16") return Uint16Array.from(table, floatToHalf);
  return new Uint8Array(Uint8ClampedArray.from(table));
}

function allocate(dtype: Recipe["dtype"], length: number): Float32Array | Uint16Array | Uint8Array {
  if (dtype === "float32") return new Float32Array(length);
  return dtype === "float16" ? new Uint16Array(length) : new Uint8Array(length);
}

/**
 * Makes the input tensor of batch 1: [1,C,H,W] or [1,H,W,C]. Resizing is Pillow's antialiased bilinear. Throws
 * `card-invalid` when the recipe contradicts itself.
 */
export function preprocess(photo: Raster, recipe: Recipe): Preprocessed {
  const geometry = fitGeometry(photo, recipe, recipe.fit);
  const fill = recipe.fit.kind === "letterbox" ? recipe.fit.fill : 0;
  const raster = fitRaster(photo, geometry, fill);
  const count = recipe.channels === "gray" ? 1 : 3;
  const pixels = recipe.width * recipe.height;
  const data = allocate(recipe.dtype, pixels * count);
  const planar = recipe.layout === "nchw";
  const step = planar ? 1 : count;
  for (let channel = 0; channel < count; channel++) {
    const table = storeTable(valueTable(recipe, channel), recipe.dtype);
    const samples = plane(raster, recipe.channels, channel);
    let to = planar ? channel * pixels : channel;
    for (let i = 0; i < pixels; i++, to += step) data[to] = table[samples[i]!]!;
  }
  const dims = planar ? [1, count, recipe.height, recipe.width] : [1, recipe.height, recipe.width, count];
  return { data, dims, geometry };
}
