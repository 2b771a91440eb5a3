/** @file GridSample and AffineGrid: reading an image at computed coordinates in [-1, 1], x before y before z. */
import { getInt, getString } from "../../../shared/graph/attributes.ts";
import { roundHalfEven } from "./special.ts";
import { element, forEachIndex, generate, get, input, integers, type Operator, type Operators } from "./tensor.ts";

/** Folds `x` back into [low, high] as a mirror would. */
function reflect(x: number, low: number, high: number): number {
  const span = high - low;
  if (span === 0) return low;
  const distance = Math.abs(x - low) % (2 * span);
  return low + (distance > span ? 2 * span - distance : distance);
}

/** Weights of the four neighbours of a point `t` past the second of them (a = -0.75). */
function cubicWeights(t: number): readonly number[] {
  const a = -0.75;
  const inner = (d: number): number => (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  const outer = (d: number): number => a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a;
  return [outer(t + 1), inner(t), inner(1 - t), outer(2 - t)];
}

/** Which positions along one axis are read, and with what weight; -1: a position that counts as zero. */
function reads(
  coordinate: number,
  extent: number,
  options: { readonly mode: string; readonly padding: string; readonly align: boolean },
): readonly (readonly [number, number])[] {
  const { mode, padding, align } = options;
  const [low, high] = align ? [0, extent - 1] : [-0.5, extent - 0.5];
  const clamp = (x: number): number => Math.min(Math.max(x, 0), extent - 1);
  const place = (x: number): number => {
    if (padding === "border") return clamp(x);
    return padding === "reflection" ? clamp(reflect(x, low, high)) : x;
  };
  const raw = align ? ((coordinate + 1) / 2) * (extent - 1) : ((coordinate + 1) * extent - 1) / 2;
  const inside = (i: number): number => (i >= 0 && i < extent ? i : -1);
  if (mode === "cubic" || mode === "bicubic") {
    const floor = Math.floor(raw);
    return cubicWeights(raw - floor).map((w, i) => [inside(place(floor - 1 + i)), w]);
  }
  const at = place(raw);
  if (mode === "nearest") return [[inside(roundHalfEven(at)), 1]];
  const floor = Math.floor(at);
  return [
    [inside(floor), 1 - (at - floor)],
    [inside(floor + 1), at - floor],
  ];
}

const gridSample: Operator = (call) => {
  const [x, grid] = [input(call, 0), input(call, 1)];
  const options = {
    mode: getString(call.node, "mode", "linear"),
    padding: getString(call.node, "padding_mode", "zeros"),
    align: getInt(call.node, "align_corners", 0) !== 0,
  };
  const extents = x.dims.slice(2);
  return generate([get(x.dims, 0), get(x.dims, 1), ...grid.dims.slice(1, -1)], (index) => {
    const [n, c, ...where] = [get(index, 0), get(index, 1), ...index.slice(2)];
    const axes = extents.map((extent, a) =>
      reads(element(grid, [n, ...where, extents.length - 1 - a]), extent, options),
    );
    let sum = 0;
    forEachIndex(
      axes.map((reading) => reading.length),
      (pick) => {
        const chosen = axes.map((reading, a) => reading[get(pick, a)] ?? ([-1, 0] as const));
        const weight = chosen.reduce((product, [, w]) => product * w, 1);
        if (chosen.every(([i]) => i >= 0)) sum += weight * element(x, [n, c, ...chosen.map(([i]) => i)]);
      },
    );
    return sum;
  });
};

/** grid[n, ..., :] = theta[n] (x, y, ..., 1) over evenly spaced coordinates. */
const affineGrid: Operator = (call) => {
  const theta = input(call, 0);
  const [batch = 0, , ...extents] = integers(call, 1) ?? [];
  const align = getInt(call.node, "align_corners", 0) !== 0;
  const spaced = (i: number, extent: number): number =>
    align ? (extent > 1 ? (2 * i) / (extent - 1) - 1 : 0) : (2 * i + 1) / extent - 1;
  return generate([batch, ...extents, extents.length], (index) => {
    const n = get(index, 0);
    const row = index.at(-1) ?? 0;
    const point = [...extents.map((extent, a) => spaced(get(index, a + 1), extent)).reverse(), 1];
    return point.reduce((sum, p, column) => sum + element(theta, [n, row, column]) * p, 0);
  });
};

export const sampling: Operators = { GridSample: gridSample, AffineGrid: affineGrid };
