/**
 * @file Rules of resampling. The maps are linear in the image, so their matrices are had by resampling an identity, in
 * the graph and by the very operator: exact in every mode without repeating one coordinate formula here.
 */
import { getInt, getInts, getString, string } from "../../graph/attributes.ts";
import { dtypeOf, extent, type GraphBuilder, rankOf, shapeOf } from "../../graph/builder.ts";
import { constantOf, numbers } from "../../graph/constant.ts";
import type { Node, Value } from "../../graph/ir.ts";
import { axisOf, contractAxis } from "../axis.ts";
import { cannotDifferentiate, type RuleTable, rule } from "../vjp.ts";

const eye = (g: GraphBuilder, n: number, shape: readonly number[], like: Value): Value => {
  const ones = new Float64Array(n * n);
  for (let i = 0; i < n; i++) ones[i * (n + 1)] = 1;
  return g.constant(constantOf(dtypeOf(like), shape, ones), "eye");
};

export const resample = {
  // Separable: y = A_h x A_w^T, so dx = A_h^T dy A_w, each A found by resizing an identity along its axis.
  Resize: rule(({ g, node, x, y, optional, dy }) => {
    if (getString(node, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize") {
      throw cannotDifferentiate(node, "tf_crop_and_resize is not known");
    }
    return [
      () => {
        const rank = rankOf(x(0));
        const axes = (getInts(node, "axes") ?? Array.from({ length: rank }, (_, i) => i)).map((a) => axisOf(a, rank));
        const given = optional(2)?.constant;
        const scales = given ? Array.from(numbers(given)) : [];
        let d = dy;
        for (const [i, axis] of axes.entries()) {
          const scale = scales[i];
          if (shapeOf(x(0))[axis] === shapeOf(y())[axis] && (scale === undefined || scale === 1)) continue;
          d = contractAxis(g, d, axis, axisMatrix(g, node, x(0), extent(x(0), axis), extent(y(), axis), scale));
        }
        return d;
      },
    ];
  }),

  // y[n, c, p] = sum_q A[n, p, q] x[n, c, q], A found by sampling the identity images
  GridSample: rule(({ g, node, x, dy }) => {
    const mode = getString(node, "mode", "linear");
    const bilinear = mode === "linear" || mode === "bilinear";
    if (rankOf(x(0)) !== 4) throw cannotDifferentiate(node, "only images [N, C, H, W] are known");
    const [, channels = 0, h = 0, w = 0] = shapeOf(x(0)).map((_, i) => (i === 0 ? 0 : extent(x(0), i)));
    const sample = (image: Value, grid: Value): Value =>
      g.node("GridSample", [image, grid], Object.fromEntries(node.attributes));
    return [
      () => {
        const batch = g.gather(g.shapeOf(x(0)), g.int64([0]), 0);
        const identities = g.node("Expand", [
          eye(g, h * w, [1, h * w, h, w], dy),
          g.concat([batch, g.int64([h * w, h, w])], 0),
        ]);
        const matrix = g.reshape(
          g.declare(sample(identities, x(1)), [shapeOf(x(0))[0] ?? 1, h * w, ...shapeOf(dy).slice(2)]),
          [0, h * w, -1],
        );
        const flat = g.reshape(dy, [0, channels, -1]);
        return g.reshapeLike(g.matmul(flat, g.transpose(matrix, [0, 2, 1])), x(0));
      },
      () => {
        if (!bilinear || getString(node, "padding_mode", "zeros") === "reflection") {
          throw cannotDifferentiate(
            node,
            `the gradient of its grid is known for bilinear sampling without reflection, not for ${mode}`,
          );
        }
        return gridGradient(g, node, sample, x(0), x(1), dy, [w, h]);
      },
    ];
  }),
} satisfies RuleTable;

/** [out, in]: what each output position of one axis is made of, by resizing the identity image [1, 1, in, in]. */
function axisMatrix(g: GraphBuilder, node: Node, x: Value, from: number, to: number, scale: number | undefined): Value {
  const identity = eye(g, from, [1, 1, from, from], x);
  const attributes = Object.fromEntries([...node.attributes].filter(([name]) => name !== "axes"));
  const target =
    scale === undefined
      ? [null, null, g.int64([1, 1, to, from])]
      : [null, g.constant(constantOf("float32", [4], [1, 1, scale, 1]))];
  const resized = g.declare(
    g.node("Resize", [identity, ...target], { ...attributes, keep_aspect_ratio_policy: string("stretch") }),
    [1, 1, to, from],
  );
  return g.reshape(resized, [to, from]);
}

/**
 * Bilinear sampling at (u, v) has slope f(floor(u)+1, v) - f(floor(u), v) along u: two samples on whole columns. The
 * grid is in [-1, 1]; u = ((x + 1) size - 1) / 2, or (x + 1)(size - 1) / 2 with align_corners.
 */
function gridGradient(
  g: GraphBuilder,
  node: Node,
  sample: (image: Value, grid: Value) => Value,
  image: Value,
  grid: Value,
  dy: Value,
  sizes: readonly [number, number],
): Value {
  const align = getInt(node, "align_corners", 0) === 1;
  const dtype = dtypeOf(grid);
  const coordinate = (axis: number): Value => g.slice(grid, [axis], [axis + 1], [3]);
  const slopes = sizes.map((size, axis) => {
    const perUnit = align ? (size - 1) / 2 : size / 2; // du/dx
    const offset = align ? (size - 1) / 2 : (size - 1) / 2;
    const u = g.add(g.scale(coordinate(axis), perUnit), g.scalar(offset, dtype));
    const floor = g.node("Floor", [u]);
    const at = (position: Value): Value => {
      const own = g.scale(g.sub(position, g.scalar(offset, dtype)), 1 / perUnit);
      const pair = axis === 0 ? [own, coordinate(1)] : [coordinate(0), own];
      return sample(image, g.concat(pair, 3));
    };
    const difference = g.sub(at(g.add(floor, g.scalar(1, dtype))), at(floor));
    const slope = g.scale(g.sum(g.mul(dy, difference), [1]), perUnit); // [N, 1, Ho, Wo]
    return g.transpose(slope, [0, 2, 3, 1]);
  });
  return g.concat(slopes, 3);
}
