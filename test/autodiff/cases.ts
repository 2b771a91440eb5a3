/** @file All gradient cases, by family. */
import { activations } from "./cases/activations.ts";
import type { Cases } from "./cases/case.ts";
import { convolution } from "./cases/convolution.ts";
import { elementwise } from "./cases/elementwise.ts";
import { indexing } from "./cases/indexing.ts";
import { lazy } from "./cases/lazy.ts";
import { linear } from "./cases/linear.ts";
import { movement } from "./cases/movement.ts";
import { networks } from "./cases/networks.ts";
import { normalization } from "./cases/normalization.ts";
import { pooling } from "./cases/pooling.ts";
import { reduction } from "./cases/reduction.ts";

export const families: Readonly<Record<string, Cases>> = {
  elementwise,
  activations,
  linear,
  convolution,
  pooling,
  normalization,
  reduction,
  movement,
  indexing,
  lazy,
  networks,
};
