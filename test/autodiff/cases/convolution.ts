/** @file Conv and ConvTranspose: input, weights and bias. */
import { int, ints, string } from "../../../shared/graph/attributes.ts";
import type { AttributeInput } from "../../../shared/graph/builder.ts";
import type { GradientCase } from "../../support/check-gradient.ts";
import { type Cases, withWeights } from "./case.ts";

/** Weights and a bias; the weights' first extent is the number of filters. */
const conv = (
  x: GradientCase["inputs"][number],
  w: readonly number[],
  attributes: AttributeInput = {},
): GradientCase => ({
  inputs: [x],
  build: withWeights("Conv", [w, [w[0] ?? 1]], attributes),
});
const transposed = (
  x: GradientCase["inputs"][number],
  w: readonly number[],
  attributes: AttributeInput = {},
  groups = 1,
): GradientCase => ({
  inputs: [x],
  build: withWeights("ConvTranspose", [w, [(w[1] ?? 1) * groups]], { ...attributes, group: int(groups) }),
});

const plain: Cases = {
  Conv: conv([2, 3, 5, 6], [4, 3, 3, 2]),
  "Conv, no bias": { inputs: [[1, 2, 4, 5]], build: withWeights("Conv", [[3, 2, 3, 3]]) },
  "Conv, padded": conv([1, 2, 4, 5], [3, 2, 3, 3], { pads: ints([1, 1, 1, 1]) }),
  "Conv, pads uneven": conv([1, 2, 5, 5], [3, 2, 3, 2], { pads: ints([0, 1, 2, 0]) }),
  "Conv, pads wider than the kernel": conv([1, 2, 3, 3], [2, 2, 2, 2], { pads: ints([3, 2, 2, 4]) }),
  "Conv, pads uneven, strided": conv([1, 2, 8, 8], [3, 2, 3, 3], { strides: ints([2, 2]), pads: ints([0, 0, 1, 1]) }),
  "Conv, 1x1": conv([2, 3, 4, 3], [2, 3, 1, 1]),
  "Conv, 1x1, strided": conv([1, 3, 5, 4], [2, 3, 1, 1], { strides: ints([2, 2]) }),
  "Conv, 1x1 on a map of one": conv([2, 3, 1, 1], [4, 3, 1, 1]),
  "Conv, kernel covers the input": conv([1, 3, 4, 5], [2, 3, 4, 5]),
  "Conv, stride leaves rows over": conv([1, 2, 6, 7], [3, 2, 3, 2], { strides: ints([2, 3]) }),
  "Conv, stride beyond the kernel": conv([1, 2, 8, 7], [3, 2, 2, 1], { strides: ints([3, 3]) }),
  "Conv, dilated": conv([1, 2, 7, 7], [2, 2, 3, 3], { dilations: ints([2, 2]), pads: ints([1, 0, 1, 0]) }),
  "Conv, dilated, strided, rows over": conv([1, 2, 9, 10], [2, 2, 3, 2], {
    dilations: ints([2, 3]),
    strides: ints([2, 2]),
    pads: ints([1, 0, 2, 1]),
  }),
  "Conv, auto_pad SAME_UPPER": conv([1, 2, 6, 5], [2, 2, 3, 2], {
    auto_pad: string("SAME_UPPER"),
    strides: ints([2, 1]),
  }),
  "Conv, auto_pad SAME_LOWER": conv([1, 2, 6, 5], [2, 2, 3, 2], {
    auto_pad: string("SAME_LOWER"),
    strides: ints([2, 1]),
  }),
  "Conv, auto_pad SAME_UPPER, dilated": conv([1, 1, 7, 6], [2, 1, 2, 2], {
    auto_pad: string("SAME_UPPER"),
    dilations: ints([2, 3]),
  }),
  "Conv, auto_pad SAME_LOWER, 1-D": conv([1, 2, 7], [2, 2, 4], { auto_pad: string("SAME_LOWER"), strides: ints([2]) }),
  "Conv, auto_pad VALID": conv([1, 2, 6, 5], [2, 2, 3, 2], { auto_pad: string("VALID"), strides: ints([2, 2]) }),
  "Conv, large kernel": conv([2, 2, 8, 7], [3, 2, 6, 5], { pads: ints([2, 1, 2, 3]) }),
  "Conv, large kernel, strided, rows over": conv([1, 2, 10, 9], [2, 2, 6, 5], { strides: ints([3, 2]) }),
  "Conv, large kernel, dilated": conv([1, 1, 13, 9], [2, 1, 6, 5], {
    dilations: ints([2, 1]),
    pads: ints([1, 1, 0, 2]),
  }),
  "Conv, 1-D": conv([2, 3, 9], [2, 3, 4], { strides: ints([2]), pads: ints([1, 2]) }),
  "Conv, 1-D, stride leaves a row over": conv([1, 2, 9], [3, 2, 4], { strides: ints([2]) }),
  "Conv, 3-D": conv([1, 2, 4, 3, 5], [2, 2, 2, 2, 3], { strides: ints([1, 1, 2]), pads: ints([0, 1, 0, 1, 0, 1]) }),
  // Many channels and few filters: the input gradient is a convolution with rotated weights.
  "Conv, many channels": conv([1, 32, 3, 4], [4, 32, 3, 3], { pads: ints([1, 1, 1, 1]) }),
  "Conv, many channels, pads uneven": conv([1, 32, 4, 3], [2, 32, 3, 2], { pads: ints([0, 1, 2, 0]) }),
  "Conv, many channels, dilated": conv([1, 32, 5, 5], [2, 32, 2, 2], {
    dilations: ints([2, 3]),
    pads: ints([1, 2, 0, 1]),
  }),
};

const grouped: Cases = {
  "Conv, two groups": conv([2, 4, 5, 4], [6, 2, 3, 3], { group: int(2), pads: ints([1, 1, 1, 1]) }),
  "Conv, two groups, strided, rows over": conv([1, 4, 6, 7], [2, 2, 3, 2], { group: int(2), strides: ints([2, 3]) }),
  "Conv, depthwise": conv([2, 3, 5, 4], [3, 1, 3, 3], { group: int(3), pads: ints([1, 1, 1, 1]) }),
  "Conv, depthwise, pads uneven": conv([1, 3, 4, 5], [3, 1, 3, 2], { group: int(3), pads: ints([2, 0, 1, 1]) }),
  "Conv, depthwise, pads wider than the kernel": conv([1, 2, 3, 3], [2, 1, 2, 2], {
    group: int(2),
    pads: ints([3, 2, 2, 4]),
  }),
  "Conv, depthwise, strided": conv([1, 3, 7, 8], [3, 1, 3, 3], {
    group: int(3),
    strides: ints([2, 2]),
    pads: ints([0, 0, 1, 1]),
  }),
  "Conv, depthwise, strided, same extents": conv([2, 2, 6, 8], [2, 1, 3, 3], {
    group: int(2),
    strides: ints([2, 2]),
    pads: ints([1, 1, 1, 1]),
  }),
  "Conv, depthwise, strides past the kernel": conv([1, 2, 1, 7], [2, 1, 2, 1], {
    group: int(2),
    strides: ints([3, 2]),
    pads: ints([2, 1, 2, 0]),
  }),
  "Conv, depthwise, one axis": conv([2, 3, 9], [3, 1, 3], { group: int(3), strides: ints([2]), pads: ints([1, 1]) }),
  "Conv, depthwise, three axes": conv([1, 2, 4, 3, 4], [2, 1, 2, 3, 3], {
    group: int(2),
    strides: ints([1, 1, 2]),
    pads: ints([1, 1, 1, 0, 1, 1]),
  }),
  "Conv, depthwise, two filters a channel": conv([1, 3, 5, 4], [6, 1, 2, 3], {
    group: int(3),
    pads: ints([1, 1, 0, 1]),
  }),
  "Conv, depthwise, dilated": conv([1, 2, 7, 6], [2, 1, 3, 2], { group: int(2), dilations: ints([2, 3]) }),
  "Conv, depthwise, large kernel": conv([1, 2, 8, 7], [2, 1, 6, 5], { group: int(2), pads: ints([3, 2, 2, 2]) }),
};

const symbolic: Cases = {
  "Conv, symbolic batch": conv(["N", 2, 5, 4], [3, 2, 3, 3], { pads: ints([1, 1, 1, 1]) }),
  "Conv, symbolic batch, strided, rows over": conv(["N", 2, 6, 7], [3, 2, 3, 2], { strides: ints([2, 3]) }),
  "Conv, symbolic batch, two groups": conv(["N", 4, 4, 5], [4, 2, 3, 3], { group: int(2), pads: ints([1, 1, 1, 1]) }),
  "Conv, symbolic batch, depthwise": conv(["N", 3, 4, 5], [3, 1, 3, 3], { group: int(3), pads: ints([1, 1, 1, 1]) }),
  "Conv, symbolic batch, large kernel": conv(["N", 2, 8, 7], [3, 2, 6, 5]),
  "Conv, symbolic batch, auto_pad": conv(["N", 2, 5, 6], [2, 2, 3, 3], {
    auto_pad: string("SAME_UPPER"),
    strides: ints([2, 2]),
  }),
  "Conv, symbolic extents": {
    inputs: [["N", 2, "H", "W"]],
    extents: { N: [2], H: [6, 7], W: [5] },
    // Weight gradients need fixed extents: only the input is asked for.
    build: ({ g, fixed }, x) =>
      g.node(
        "Conv",
        [
          x,
          fixed(
            [3, 2, 3, 3],
            Array.from({ length: 54 }, (_, i) => ((7 * i) % 11) / 5 - 1),
          ),
        ],
        {
          strides: ints([2, 2]),
          pads: ints([1, 1, 1, 1]),
        },
      ),
  },
};

const backwards: Cases = {
  ConvTranspose: transposed([2, 3, 4, 3], [3, 2, 3, 2]),
  "ConvTranspose, no bias": { inputs: [[1, 2, 3, 4]], build: withWeights("ConvTranspose", [[2, 3, 2, 2]]) },
  "ConvTranspose, strided, output_padding": transposed([1, 3, 4, 3], [3, 2, 3, 3], {
    strides: ints([2, 2]),
    pads: ints([1, 1, 1, 1]),
    output_padding: ints([1, 1]),
  }),
  "ConvTranspose, pads uneven, dilated": transposed([1, 2, 4, 5], [2, 3, 3, 2], {
    strides: ints([2, 1]),
    dilations: ints([1, 2]),
    pads: ints([0, 1, 1, 2]),
  }),
  "ConvTranspose, two groups": transposed([1, 4, 3, 4], [4, 2, 3, 2], {}, 2),
  "ConvTranspose, depthwise": transposed([1, 3, 3, 4], [3, 1, 2, 2], { strides: ints([2, 2]) }, 3),
  "ConvTranspose, output_shape": transposed([1, 2, 4, 3], [2, 3, 3, 3], {
    strides: ints([2, 2]),
    output_shape: ints([8, 6]),
  }),
  "ConvTranspose, auto_pad SAME_UPPER": transposed([1, 2, 4, 3], [2, 2, 3, 3], {
    strides: ints([2, 2]),
    auto_pad: string("SAME_UPPER"),
  }),
  "ConvTranspose, 1-D": transposed([2, 2, 5], [2, 3, 3], { strides: ints([2]), pads: ints([1, 0]) }),
  "ConvTranspose, large kernel": transposed([1, 2, 4, 3], [2, 2, 6, 5], {
    strides: ints([2, 2]),
    pads: ints([2, 1, 2, 2]),
  }),
  "ConvTranspose, symbolic batch": transposed(["N", 2, 3, 4], [2, 3, 2, 2], { strides: ints([2, 2]) }),
};

export const convolution: Cases = { ...plain, ...grouped, ...symbolic, ...backwards };
