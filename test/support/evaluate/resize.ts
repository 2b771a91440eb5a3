/** @file Resize. Every mode is separable: along each axis an output is a weighted sum of a few inputs. */
import { getFloat, getInt, getInts, getString } from "../../../shared/graph/attributes.ts";
import { axisOf, type Call, get, input, integers, mapLines, type Operators, type Tensor } from "./tensor.ts";

/** One axis to resize. */
interface Axis {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** The region of interest, for tf_crop_and_resize. */
  readonly start: number;
  readonly end: number;
}

/** Where output position `x` lies on the input's grid, by coordinate_transformation_mode. */
const transforms: Readonly<Record<string, (x: number, axis: Axis) => number>> = {
  half_pixel: (x, { scale }) => (x + 0.5) / scale - 0.5,
  half_pixel_symmetric: (x, { from, to, scale }) => {
    const adjustment = to / (scale * from);
    return (from / 2) * (1 - adjustment) + (x + 0.5) / scale - 0.5;
  },
  pytorch_half_pixel: (x, { to, scale }) => (to > 1 ? (x + 0.5) / scale - 0.5 : 0),
  align_corners: (x, { from, to }) => (to > 1 ? (x * (from - 1)) / (to - 1) : 0),
  asymmetric: (x, { scale }) => x / scale,
  tf_half_pixel_for_nn: (x, { scale }) => (x + 0.5) / scale,
  tf_crop_and_resize: (x, { from, to, start, end }) =>
    to > 1 ? start * (from - 1) + (x * (end - start) * (from - 1)) / (to - 1) : 0.5 * (start + end) * (from - 1),
};

const nearestModes: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** The kernels, as functions of the distance to the sample. */
const triangle = (t: number): number => Math.max(0, 1 - Math.abs(t));
const keys =
  (a: number) =>
  (t: number): number => {
    const d = Math.abs(t);
    if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
    return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
  };

type Weight = readonly [index: number, weight: number];

/** Which inputs make the output at coordinate `x`; positions outside stand for the edge unless they are excluded. */
function weightsAt(call: Call, x: number, { from, scale }: Axis): readonly Weight[] {
  const mode = getString(call.node, "mode", "nearest");
  const clamp = (i: number): number => Math.min(Math.max(i, 0), from - 1);
  if (mode === "nearest") {
    const round = nearestModes[getString(call.node, "nearest_mode", "round_prefer_floor")] ?? Math.round;
    return [[clamp(round(x)), 1]];
  }
  const antialias = getInt(call.node, "antialias", 0) !== 0 && scale < 1;
  const stretch = antialias ? 1 / scale : 1;
  const linear = mode === "linear";
  const kernel = linear ? triangle : keys(getFloat(call.node, "cubic_coeff_a", -0.75));
  const support = (linear ? 1 : 2) * stretch;
  const weights: Weight[] = [];
  for (let i = Math.floor(x - support); i <= Math.ceil(x + support); i++) weights.push([i, kernel((x - i) / stretch)]);
  const exclude = getInt(call.node, "exclude_outside", 0) !== 0;
  const used = exclude ? weights.filter(([i]) => i >= 0 && i < from) : weights;
  const total = exclude || antialias ? used.reduce((sum, [, w]) => sum + w, 0) : 1;
  return used.map(([i, w]) => [clamp(i), w / total]);
}

function resizeAxis(call: Call, x: Tensor, dimension: number, axis: Axis): Tensor {
  const name = getString(call.node, "coordinate_transformation_mode", "half_pixel");
  const transform = transforms[name];
  if (transform === undefined) throw new RangeError(`Resize mode "${name}"`);
  const extrapolate = getFloat(call.node, "extrapolation_value", 0);
  return mapLines(x, dimension, (line) =>
    Array.from({ length: axis.to }, (_, i) => {
      const at = axis.from === axis.to && axis.scale === 1 && name !== "tf_crop_and_resize" ? i : transform(i, axis);
      if (name === "tf_crop_and_resize" && (at < 0 || at > axis.from - 1)) return extrapolate;
      return weightsAt(call, at, axis).reduce((sum, [k, w]) => sum + w * get(line, k), 0);
    }),
  );
}

/** The axes named by the node with their extents, from `scales` or `sizes` and keep_aspect_ratio_policy. */
function plan(call: Call, x: Tensor): readonly (readonly [dimension: number, axis: Axis])[] {
  const rank = x.dims.length;
  const axes = (getInts(call.node, "axes") ?? x.dims.map((_, a) => a)).map((a) => axisOf(a, rank));
  const roi = call.inputs[1]?.data;
  const sizes = integers(call, 3);
  const policy = getString(call.node, "keep_aspect_ratio_policy", "stretch");
  const ratios = sizes?.map((size, i) => size / get(x.dims, get(axes, i))) ?? [];
  const common = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return axes.map((dimension, i) => {
    const from = get(x.dims, dimension);
    const start = roi?.[i] ?? 0;
    const end = roi?.[i + axes.length] ?? 1;
    if (sizes === undefined || sizes.length === 0) {
      const scale = get(input(call, 2).data, i);
      return [dimension, { from, to: Math.floor(Math.fround(from * scale)), scale, start, end }];
    }
    if (policy === "stretch") return [dimension, { from, to: get(sizes, i), scale: get(ratios, i), start, end }];
    return [dimension, { from, to: Math.floor(from * common + 0.5), scale: common, start, end }];
  });
}

export const resizing: Operators = {
  Resize: (call) =>
    plan(call, input(call, 0)).reduce((x, [dimension, axis]) => resizeAxis(call, x, dimension, axis), input(call, 0)),
};
