/** @file Rules of operators that move elements without changing them. */
import { getInt, getInts, getString, int, string } from "../../graph/attributes.ts";
import { dtypeOf, extent, rankOf, shapeOf, staticShape } from "../../graph/builder.ts";
import { constantOf, numbers } from "../../graph/constant.ts";
import type { Value } from "../../graph/ir.ts";
import { axisOf, contractAxis, scatterAdd } from "../axis.ts";
import { cannotDifferentiate, flat, lazy, type RuleTable, rule, type Site } from "../vjp.ts";

/** The elements of an integer input that must be known when compiling. */
function known({ node, optional }: Site, i: number, what: string): readonly number[] | undefined {
  const input = optional(i);
  if (input === null) return undefined;
  if (input.constant) return Array.from(numbers(input.constant));
  if (input.elements?.every((d) => typeof d === "number")) return input.elements;
  throw cannotDifferentiate(node, `its ${what} are computed at run time`);
}

const reshaped = rule(({ g, x, dy }) => [() => g.reshapeLike(dy, x(0))]);

const concat = rule(({ g, node, y, dy }) => {
  const axis = axisOf(getInt(node, "axis", 0), rankOf(y()));
  let start = 0;
  return node.inputs.map((input) => {
    const begin = start;
    start += input === null ? 0 : extent(input, axis);
    const end = start;
    return () => g.slice(dy, [begin], [end], [axis]);
  });
});

const split = rule(({ g, node, x, dyAt }) => {
  const axis = axisOf(getInt(node, "axis", 0), rankOf(x(0)));
  return [
    () =>
      g.concat(
        node.outputs.map((_, i) => dyAt(i)),
        axis,
      ),
  ];
});

/**
 * Along each sliced axis: zeros around where the step is 1; otherwise each input position gathers the output position
 * it went to, or a row of zeros appended for the purpose.
 */
const slice = rule((site) => {
  const { g, x, dy } = site;
  return [
    () => {
      const rank = rankOf(x(0));
      const starts = known(site, 1, "starts") ?? [];
      const axes = (known(site, 3, "axes") ?? starts.map((_, i) => i)).map((a) => axisOf(a, rank));
      const steps = known(site, 4, "steps") ?? starts.map(() => 1);
      const pads = new Array<number>(2 * rank).fill(0);
      let d = dy;
      for (const [i, axis] of axes.entries()) {
        const [start = 0, step = 1] = [starts[i], steps[i]];
        if (shapeOf(dy)[axis] === shapeOf(x(0))[axis] && step === 1) continue;
        const size = extent(x(0), axis);
        const first = clampStart(start, size, step);
        const count = extent(dy, axis);
        if (step === 1) {
          pads[axis] = first;
          pads[rank + axis] = size - first - count;
        } else {
          d = spread(g, d, axis, size, (k) => first + k * step, count);
        }
      }
      return g.pad(d, pads);
    },
  ];
});

/** Where a slice begins (ONNX Slice: negative counts from the end; then clamped to what the step allows). */
function clampStart(start: number, size: number, step: number): number {
  const from = start < 0 ? start + size : start;
  return step > 0 ? Math.min(Math.max(from, 0), size) : Math.min(Math.max(from, 0), size - 1);
}

/** Puts row k of `d` at row `to(k)` of `size` rows, the others zero. */
function spread(g: Site["g"], d: Value, axis: number, size: number, to: (k: number) => number, count: number): Value {
  const source = new Array<number>(size).fill(count); // `count` is the appended row of zeros
  for (let k = 0; k < count; k++) source[to(k)] = k;
  const pads = new Array<number>(2 * rankOf(d)).fill(0);
  pads[rankOf(d) + axis] = 1;
  return g.gather(g.pad(d, pads), g.int64(source), axis);
}

const pad = rule((site) => {
  const { g, node, x, dy } = site;
  const rank = rankOf(x(0));
  const given = known(site, 1, "pads") ?? [];
  const axes = (known(site, 3, "axes") ?? Array.from({ length: rank }, (_, i) => i)).map((a) => axisOf(a, rank));
  const pads = new Array<number>(2 * rank).fill(0);
  for (const [i, axis] of axes.entries()) {
    pads[axis] = given[i] ?? 0;
    pads[rank + axis] = given[axes.length + i] ?? 0;
  }
  const cropped = (): Value =>
    g.pad(
      dy,
      pads.map((p) => -p),
    );
  const mode = getString(node, "mode", "constant");
  if (mode === "constant") {
    // What reaches the padding value is everything that does not reach x.
    const all = Array.from({ length: rank }, (_, i) => i);
    return [cropped, null, () => g.sub(g.sum(dy, all, false), g.sum(cropped(), all, false))];
  }
  const mirrored = (): Value => {
    let d = dy;
    for (const axis of axes) {
      const [begin = 0, end = 0] = [pads[axis], pads[rank + axis]];
      if (begin === 0 && end === 0) continue;
      const size = extent(x(0), axis);
      const matrix = new Float64Array((size + begin + end) * size);
      // What is cropped goes first; the rest is what repeats.
      const [first, rest] = [-Math.min(0, begin), size + Math.min(0, begin) + Math.min(0, end)];
      for (let j = 0; j < size + begin + end; j++) {
        matrix[j * size + first + sourceOf(j - Math.max(0, begin), rest, mode)] = 1;
      }
      d = contractAxis(g, d, axis, g.constant(constantOf(dtypeOf(d), [size + begin + end, size], matrix)));
    }
    return d;
  };
  return [mirrored];
});

/** Which position of an axis of `size` padding position `i` (negative: before it) repeats. */
function sourceOf(i: number, size: number, mode: string): number {
  const modulo = (n: number, m: number): number => ((n % m) + m) % m;
  if (mode === "edge") return Math.min(Math.max(i, 0), size - 1);
  if (mode === "wrap") return modulo(i, size);
  if (size === 1) return 0;
  const period = modulo(i, 2 * size - 2); // reflect: the edge itself is not repeated
  return period < size ? period : 2 * size - 2 - period;
}

/** dx[index] += dy: index positions may repeat, so they add. */
const gather = rule(({ g, node, x, dy }) => [
  () => {
    const shape = shapeOf(x(0));
    const axis = axisOf(getInt(node, "axis", 0), shape.length);
    const indices = x(1);
    const single = indices.constant && rankOf(indices) === 0 ? Number(numbers(indices.constant)[0]) : undefined;
    if (single !== undefined) {
      const size = extent(x(0), axis);
      const at = axisOf(single, size);
      const pads = new Array<number>(2 * shape.length).fill(0);
      pads[axis] = at;
      pads[shape.length + axis] = size - 1 - at;
      return g.pad(g.node("Unsqueeze", [dy, g.int64([axis])]), pads);
    }
    // The indices in place of the axis, flattened; then the same index at every other position.
    const rows = Array.from({ length: shape.length }, (_, i) => (i === axis ? -1 : 1));
    const flat = g.reshape(indices, rows);
    const count = staticShape(indices).reduce((n, d) => n * d, 1);
    const like = g.slice(g.zerosLike(x(0)), [0], [1], [axis]);
    const ones = g.int64(shape.map((_, i) => (i === axis ? count : 1)));
    const wide = g.node("Expand", [like, ones]);
    const index = g.node("Expand", [flat, g.node("Shape", [wide])]);
    const d = g.node("Reshape", [dy, g.node("Shape", [wide])]);
    return scatterAdd(g, x(0), index, d, axis);
  },
  null,
]);

const gatherElements = rule(({ g, node, x, dy }) => [
  () => scatterAdd(g, x(0), x(1), dy, axisOf(getInt(node, "axis", 0), rankOf(x(0)))),
  null,
]);

/** dupdates = dy where they went; what they replaced has no gradient. */
const scatterElements = rule(({ g, node, x, dy }) => {
  const reduction = getString(node, "reduction", "none");
  if (reduction !== "add" && reduction !== "none") {
    throw cannotDifferentiate(node, `the reduction ${reduction} is not known, only add and none`);
  }
  const axis = { axis: int(axisOf(getInt(node, "axis", 0), rankOf(x(0)))) };
  return [
    () => (reduction === "add" ? dy : g.node("ScatterElements", [dy, x(1), g.zerosLike(x(2))], axis)),
    null,
    () => g.node("GatherElements", [dy, x(1)], axis),
  ];
});

const gatherNd = rule(({ g, node, x, dy }) => {
  if (getInt(node, "batch_dims", 0) !== 0) throw cannotDifferentiate(node, "only batch_dims = 0 is known");
  return [() => g.node("ScatterND", [g.zerosLike(x(0)), x(1), dy], { reduction: string("add") }), null];
});

const topK = rule(({ g, node, x, y, dy }) => [
  () => scatterAdd(g, x(0), g.output(y(), 1), dy, axisOf(getInt(node, "axis", -1), rankOf(x(0)))),
  null,
]);

const tile = rule(({ g, x, dy }) => [
  () => {
    // [r0*d0, r1*d1, ..] read as [r0, d0, r1, d1, ..] and summed over the r's
    const inner = staticShape(x(0));
    const outer = staticShape(dy);
    const pairs = inner.flatMap((d, i) => [d === 0 ? 0 : (outer[i] ?? 0) / d, d]);
    return g.sum(
      g.reshape(dy, pairs),
      inner.map((_, i) => 2 * i),
      false,
    );
  },
  null,
]);

const depthToSpace = rule(({ g, node, x, dy }) => [
  () => {
    const blocksize = getInt(node, "blocksize", 1);
    if (getString(node, "mode", "DCR") === "DCR") {
      return g.node("SpaceToDepth", [dy], { blocksize: int(blocksize) });
    }
    const [n = 0, c = 0, h = 0, w = 0] = staticBatch(x(0));
    const blocks = g.reshape(dy, [n, c / blocksize ** 2, h, blocksize, w, blocksize]);
    return g.reshape(g.transpose(blocks, [0, 1, 3, 5, 2, 4]), [n, c, h, w]);
  },
]);

/** Extents with a symbolic first one as -1, which Reshape works out. */
const staticBatch = (x: Value): readonly number[] => {
  const [first, ...rest] = shapeOf(x);
  return [typeof first === "number" ? first : -1, ...rest.map((_, i) => extent(x, i + 1))];
};

const cumSum = rule(({ g, node, x, dy }) => [
  () =>
    g.node("CumSum", [dy, x(1)], {
      exclusive: int(getInt(node, "exclusive", 0)),
      reverse: int(1 - getInt(node, "reverse", 0)),
    }),
  null,
]);

export const movement = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: lazy(({ g, node, x, dy }) => [
    () => {
      const rank = rankOf(x(0));
      const perm = getInts(node, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
      return g.transpose(
        dy,
        Array.from({ length: rank }, (_, i) => perm.indexOf(i)),
      );
    },
  ]),
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterElements: scatterElements,
  TopK: topK,
  Expand: rule(({ dy }) => [() => dy, null]), // the sweep sums over what was expanded
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: rule(({ g, node, dy }) => [
    () =>
      g.node("DepthToSpace", [dy], {
        blocksize: int(getInt(node, "blocksize", 1)),
        mode: string("DCR"),
      }),
  ]),
  CumSum: cumSum,
  Trilu: rule(({ g, node, dy, optional }) => [
    () => g.node("Trilu", [dy, optional(1)], { upper: int(getInt(node, "upper", 1)) }),
    null,
  ]),
  Shape: flat("a shape has no gradient"),
  Size: flat("a shape has no gradient"),
  ConstantOfShape: flat("its values do not depend on its input"),
  EyeLike: flat("its values do not depend on its input"),
  OneHot: flat("an index has no gradient"),
  NonZero: flat("an index has no gradient"),
} satisfies RuleTable;
