/**
 * @file What is asked of the scores, at run time: the class, several classes with coefficients, the region of a dense
 *   output. These are the explainer's inputs beside the model's own.
 */
import { AppError } from "../errors.ts";
import { int } from "../graph/attributes.ts";
import { dtypeOf, extent, type GraphBuilder, shapeOf } from "../graph/builder.ts";
import { constantOf } from "../graph/constant.ts";
import type { Value } from "../graph/ir.ts";
import type { Scores } from "./scores.ts";
import type { ExplainSpec } from "./spec.ts";

/** One class of each image, and how much it counts. */
export interface TargetTerm {
  /** int64 [N] */
  readonly index: Value;
  /** [N] of the scores' type; null for 1. */
  readonly coefficient: Value | null;
}

export interface Target {
  /** The objective is the sum of them. */
  readonly terms: readonly TargetTerm[];
  /** The share of each location of a dense output, summing to 1; null where the objective has no region. */
  readonly region: Value | null;
}

/**
 * Adds the run-time inputs. `target` int64 [N]: a class, or a negative rank: -1 the class with the highest score, -C
 * the one with the lowest. An index out of range fails the run. With `terms` T it is [N, T], and `coefficient` float32
 * [N, T] beside it. With the objective `region`, `region` float32 [N, 4]: x, y, width and height of a box as shares of
 * the image's width and height.
 */
export function targetInputs(g: GraphBuilder, scores: Scores, spec: Pick<ExplainSpec, "objective" | "terms">): Target {
  const { value, axis, classes } = scores;
  if (typeof classes !== "number") {
    throw new AppError(
      "spec-invalid",
      `the number of classes of "${value.name}" is not fixed: [${shapeOf(value).join(", ")}]`,
      { tensor: value.name },
    );
  }
  const batch = axis === 0 ? 1 : (shapeOf(value)[0] ?? 1);
  const { terms } = spec;
  expectTerms(terms);
  const target = g.input("target", { dtype: "int64", shape: terms === undefined ? [batch] : [batch, terms] });
  const coefficients = terms === undefined ? null : g.input("coefficient", { dtype: "float32", shape: [batch, terms] });
  const region = spec.objective === "region" ? regionWeights(g, scores, g.input("region", boxType(batch))) : null;
  const evidence = evidenceOf(g, scores, spec.objective, region);
  const all = coefficients === null ? g.node("Unsqueeze", [target, g.int64([1])]) : target;
  const classOf = resolved(g, g.reshape(evidence, [-1, classes]), all, classes);
  const column = (v: Value, t: number): Value => {
    const one = (terms ?? 1) === 1 ? v : g.slice(v, [t], [t + 1], [1]);
    return g.node("Squeeze", [one, g.int64([1])]);
  };
  return {
    terms: Array.from({ length: terms ?? 1 }, (_, t) => ({
      index: column(classOf, t),
      coefficient: coefficients && g.cast(column(coefficients, t), dtypeOf(value)),
    })),
    region,
  };
}

/**
 * The class of a target that is one.
 * @throws AppError `spec-invalid` where it is a sum of several: a training step has one label
 */
export function classOf({ terms: [only, ...others] }: Target): Value {
  if (only?.coefficient === null && others.length === 0) return only.index;
  throw new AppError(
    "spec-invalid",
    "meta-saliency takes a step towards one class, and the target is a sum of several",
  );
}

const boxType = (batch: number | string) => ({ dtype: "float32", shape: [batch, 4] }) as const;

/** Classes in one objective; each adds a row to the seed. More is a mistake. */
const termsMax = 1000;

function expectTerms(terms: number | undefined): void {
  if (terms === undefined || (Number.isInteger(terms) && terms >= 1 && terms <= termsMax)) return;
  throw new AppError("spec-invalid", `an objective is made of 1 to ${termsMax} classes, not ${terms}`, { terms });
}

/** What classes are ranked by: scores; of a dense output log sum exp over locations, or the mean over the region. */
export function evidenceOf(
  g: GraphBuilder,
  { value, axis }: Pick<Scores, "value" | "axis">,
  objective: ExplainSpec["objective"],
  region: Value | null,
): Value {
  const locations = shapeOf(value).flatMap((_, i) => (i > 0 && i !== axis ? [i] : []));
  if (region) return g.sum(g.mul(value, region), locations);
  return objective === "pointing"
    ? g.node("ReduceLogSumExp", [value, g.int64(locations)], { keepdims: int(1) })
    : value;
}

/** order[n, -target-1] for a negative target [N, T]; the order is only looked at there. */
function resolved(g: GraphBuilder, scores: Value, target: Value, classes: number): Value {
  const [, order] = g.multi("TopK", [scores, g.int64([classes])], { axis: int(1) }, 2);
  const zero = g.constant({ dtype: "int64", dims: [], bytes: new Uint8Array(8) });
  // -target-1 is a rank from 0 for a negative target, and for a class c the index -(c+1), which is in range as c is.
  const rank = g.sub(g.neg(target), g.int64([1]));
  const ranked = g.node("GatherElements", [order ?? scores, rank], { axis: int(1) });
  return g.where(g.node("Less", [target, zero]), ranked, target);
}

/** Far less than the smallest overlap that is not empty, so that only a box outside the image is divided by it. */
const overlapMin = 1e-30;

/**
 * How much of the box lies in each cell of the map, as shares that sum to 1: the overlap along each side, multiplied.
 * The map's cells are of equal size over the image. A box outside the image has no share anywhere.
 */
function regionWeights(g: GraphBuilder, { value, axis }: Scores, box: Value): Value {
  const sides = shapeOf(value).flatMap((_, i) => (i > 0 && i !== axis ? [i] : []));
  if (sides.length !== 2) {
    throw new AppError(
      "spec-invalid",
      `a region is a box on a map, and "${value.name}" has shape [${shapeOf(value).join(", ")}]`,
      { tensor: value.name },
    );
  }
  const at = (i: number): Value => g.slice(box, [i], [i + 1], [1]); // [N, 1]
  // The map's first side is the image's height, y.
  const overlaps = sides.map((side, i) => {
    const cells = extent(value, side);
    const from = g.scale(at(1 - i), cells);
    const to = g.add(from, g.scale(at(3 - i), cells));
    const edges = (offset: number): Value =>
      g.constant(
        constantOf(
          "float32",
          [1, cells],
          Array.from({ length: cells }, (_, p) => p + offset),
        ),
      );
    const inside = g.relu(g.sub(g.node("Min", [to, edges(1)]), g.node("Max", [from, edges(0)]))); // [N, cells]
    return g.reshape(
      inside,
      shapeOf(value).map((_, a) => (a === 0 ? 0 : a === side ? cells : 1)),
    );
  });
  const overlap = overlaps.reduce(g.mul);
  const total = g.node("Max", [g.sum(overlap, sides), g.scalar(overlapMin)]);
  return g.cast(g.div(overlap, total), dtypeOf(value));
}
