/** @file Several layers' maps as one, at the input's resolution (method of Rebuffi et al., section 4.3). */
import { AppError } from "../errors.ts";
import { FLAT_RELATIVE } from "../flatness.ts";
import { ints, string } from "../graph/attributes.ts";
import { type GraphBuilder, isStatic, shapeOf } from "../graph/builder.ts";
import type { Dim, Value } from "../graph/ir.ts";
import type { Combination, ExplainSpec } from "./spec.ts";

/** Weights of `count` layers, shallow to deep, that sum to 1. */
export function normalisedWeights(weights: ExplainSpec["weights"], count: number): readonly number[] {
  const raw =
    weights === "uniform"
      ? new Array<number>(count).fill(1)
      : weights === "linear"
        ? Array.from({ length: count }, (_, i) => i + 1)
        : weights;
  const total = raw.reduce((a, b) => a + b, 0);
  if (raw.length !== count) {
    throw new AppError(
      "spec-invalid",
      `${raw.length} weights were given for ${count} layers; give one a layer, shallow to deep`,
      { weights: raw },
    );
  }
  if (!(total > 0) || raw.some((w) => !(w >= 0) || !Number.isFinite(w))) {
    throw new AppError("spec-invalid", `weights [${raw.join(", ")}] must be finite, not negative and not all zero`, {
      weights: raw,
    });
  }
  return raw.map((w) => w / total);
}

/**
 * Each map resized bilinearly (half-pixel centres, no antialiasing) to `size`, scaled to [0, 1] for each image (a map
 * that is constant up to rounding becomes 0), then the weighted sum, or the weighted geometric mean prod m_j^w_j
 * (0^w = 0: zeros veto).
 *
 * @param maps [N, 1, h_j, w_j]
 * @returns [N, 1, H, W] in [0, 1]
 */
export function combineMaps(
  g: GraphBuilder,
  maps: readonly Value[],
  weights: readonly number[],
  how: Combination,
  size: { readonly shape: readonly [Dim, Dim]; readonly sizes: Value },
): Value {
  const weighted = maps.flatMap((map, i) => {
    const w = weights[i] ?? 0;
    if (w === 0) return [];
    const scaled = unitRange(g, resized(g, map, size));
    return [how === "sum" ? g.scale(scaled, w) : w === 1 ? scaled : g.node("Pow", [scaled, g.scalar(w)])];
  });
  const [first, ...rest] = weighted;
  if (first === undefined) throw new TypeError("a combination has a layer");
  return rest.reduce(how === "sum" ? g.add : g.mul, first);
}

function resized(
  g: GraphBuilder,
  map: Value,
  { shape, sizes }: { readonly shape: readonly [Dim, Dim]; readonly sizes: Value },
): Value {
  const [n = 1, , h, w] = shapeOf(map);
  if (h === shape[0] && w === shape[1] && isStatic(shape)) return map;
  const node = g.node("Resize", [map, null, null, sizes], {
    mode: string("linear"),
    coordinate_transformation_mode: string("half_pixel"),
    axes: ints([2, 3]),
  });
  return g.declare(node, [n, 1, ...shape]);
}

/**
 * (m - min) / (max - min) for each image; 0 where the map is constant. Constant up to rounding is constant: stretched
 * to [0, 1], what is left of equal values after summing and resizing would count like any other layer's map.
 */
function unitRange(g: GraphBuilder, map: Value): Value {
  const axes = [1, 2, 3];
  const [least, most] = [g.min(map, axes), g.max(map, axes)];
  const range = g.sub(most, least);
  const magnitude = g.node("Max", [most, g.neg(least)]); // of the two, as least <= most
  const flat = g.node("LessOrEqual", [range, g.scale(magnitude, FLAT_RELATIVE)]);
  return g.where(flat, g.scalar(0), g.div(g.sub(map, least), range));
}

/** Tokens [N, T] as the map of their patches [N, 1, rows, columns]; the tokens in front are left out. */
export function tokensToMap(
  g: GraphBuilder,
  tokens: Value,
  grid: { readonly rows: number; readonly columns: number; readonly prefix: number },
): Value {
  const patches =
    grid.prefix === 0 ? tokens : g.slice(tokens, [grid.prefix], [grid.prefix + grid.rows * grid.columns], [1]);
  return g.reshape(patches, [-1, 1, grid.rows, grid.columns]);
}
