/** @file The whole table: every operator of ai.onnx (opset 18 to 24) a gradient can pass, or is known to stop at. */
import { activation } from "./rules/activation.ts";
import { conv } from "./rules/conv.ts";
import { elementwise } from "./rules/elementwise.ts";
import { linear } from "./rules/linear.ts";
import { movement } from "./rules/movement.ts";
import { norm } from "./rules/norm.ts";
import { pool } from "./rules/pool.ts";
import { reduce } from "./rules/reduce.ts";
import { resample } from "./rules/resample.ts";
import type { RuleTable } from "./vjp.ts";

export const rules: RuleTable = {
  ...activation,
  ...conv,
  ...elementwise,
  ...linear,
  ...movement,
  ...norm,
  ...pool,
  ...reduce,
  ...resample,
};

/** The operators a gradient can pass, in alphabetical order: the support table of the documentation. */
export const differentiable: readonly string[] = Object.entries(rules)
  .filter(([, entry]) => entry.kind === "rule")
  .map(([op]) => op)
  .sort();
