/** @file Reading the elements of small tensors that are shapes, axes, pads: of a constant, or tracked symbolically. */

import { saturate } from "../attributes.ts";
import { bigints, numbers, volume } from "../constant.ts";
import type { Constant, Dim, Value } from "../ir.ts";

/** Tensors of more elements are data, not shapes: the longest plumbing seen is a Resize's or a Pad's, under 20. */
export const elementsMax = 1_024;

/**
 * The elements of a rank-0 or rank-1 tensor, known or symbolic; undefined where they are not tracked. Integers beyond
 * 2^53 are saturated, so that "to the end" stays larger than any extent.
 */
export function elementsOf(value: Value): readonly Dim[] | undefined {
  if (value.elements !== undefined) return value.elements;
  return value.constant && value.constant.dims.length <= 1 ? elementsOfConstant(value.constant) : undefined;
}

export function elementsOfConstant(constant: Constant): readonly number[] | undefined {
  if (volume(constant.dims) > elementsMax) return undefined;
  switch (constant.dtype) {
    case "string":
    case "other":
      return undefined;
    case "int64":
    case "uint64":
      return bigints(constant).map((v) => saturate(v));
    default:
      return Array.from(numbers(constant));
  }
}
