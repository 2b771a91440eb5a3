/**
 * @file Insertion and deletion (Petsiuk et al. 2018, RISE, section 4): how fast the class's probability falls when the
 * pixels a map names first are taken away, and how fast it rises when they are put onto a baseline. Makes inputs and
 * judges scores; running the model is the caller's.
 */
import type { FloatMap } from "../imaging/resize.ts";
import { smoothMap } from "./smooth.ts";

export const perturbations = ["deletion", "insertion"] as const;
export type Perturbation = (typeof perturbations)[number];

/** How values lie in the model's input: channels before pixels, or after each. */
export interface Planes {
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
  readonly layout: "nchw" | "nhwc";
}

/** Pixels from the most to the least salient; of equal ones the first in reading order comes first. */
export function saliencyOrder({ data }: FloatMap): Uint32Array {
  return Uint32Array.from(data.keys()).sort((a, b) => data[b]! - data[a]! || a - b);
}

/** How many pixels are changed at each of `steps` + 1 points of a curve, from none to all. */
export const stepCounts = (pixels: number, steps: number): readonly number[] =>
  Array.from({ length: steps + 1 }, (_, i) => Math.round((i * pixels) / steps));

/** A number a value of the input, in a typed array or a list. */
type Numbers = ArrayLike<number>;

const offset = ({ channels, pixels, layout }: Planes, channel: number, pixel: number): number =>
  layout === "nchw" ? channel * pixels + pixel : pixel * channels + channel;

/**
 * The image blurred beyond recognition, the usual start of insertion: of RISE's 5 pixels at 224 as a part of the longer
 * side, in the model's input space, where it is the same as blurring the photo.
 */
export function blurredInput(image: Numbers, planes: Planes, width: number): Float32Array {
  const height = planes.pixels / width;
  const out = new Float32Array(image.length);
  for (let channel = 0; channel < planes.channels; channel += 1) {
    const data = Float32Array.from({ length: planes.pixels }, (_, i) => image[offset(planes, channel, i)]!);
    const blurred = smoothMap({ width, height, data }, BLUR_SHARE);
    for (let i = 0; i < planes.pixels; i += 1) out[offset(planes, channel, i)] = blurred.data[i]!;
  }
  return out;
}

/** RISE blurs with sigma 5 at 224 x 224. */
const BLUR_SHARE = 5 / 224;

/**
 * Inputs of a curve as one batch: of the counts given, deletion has the image with that many of the first pixels from
 * the baseline, insertion the baseline with that many from the image.
 * @param image and `baseline`: one preprocessed input each, of the layout `planes`
 * @returns [counts.length, ...one input]
 */
export function perturbedBatch(
  kind: Perturbation,
  inputs: { readonly image: Numbers; readonly baseline: Numbers },
  order: Uint32Array,
  counts: readonly number[],
  planes: Planes,
): Float32Array {
  const [from, to] = kind === "deletion" ? [inputs.image, inputs.baseline] : [inputs.baseline, inputs.image];
  const size = planes.channels * planes.pixels;
  const batch = new Float32Array(counts.length * size);
  for (const [i, count] of counts.entries()) {
    const one = batch.subarray(i * size, (i + 1) * size);
    one.set(from);
    for (const pixel of order.subarray(0, count)) {
      for (let channel = 0; channel < planes.channels; channel += 1) {
        const at = offset(planes, channel, pixel);
        one[at] = to[at]!;
      }
    }
  }
  return batch;
}

/**
 * The area under a curve of equal steps over [0, 1], by the trapezoid rule: the mean probability. Low is good for
 * deletion, high for insertion. At least two points.
 */
export function areaUnderCurve(scores: readonly number[]): number {
  if (scores.length < 2) throw new TypeError("a curve has at least two points");
  const inner = scores.slice(1, -1).reduce((sum, score) => sum + score, 0);
  return (inner + ((scores[0] ?? 0) + (scores.at(-1) ?? 0)) / 2) / (scores.length - 1);
}
