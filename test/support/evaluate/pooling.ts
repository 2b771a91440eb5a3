/** @file Poolings over windows and over everything, and MaxUnpool. */
import { getInt, getInts } from "../../../shared/graph/attributes.ts";
import {
  get,
  input,
  integers,
  type Operator,
  type Operators,
  offset,
  type Tensor,
  tensor,
  volume,
  zeros,
} from "./tensor.ts";
import { slidingWindows, taps, type Windows } from "./windows.ts";

/** Calls `reduce` with each plane's offset and each window's taps; its result is the output element. */
function pool(
  x: Tensor,
  windows: Windows,
  reduce: (plane: number, window: Int32Array, position: number) => number,
): Tensor {
  const table = taps(windows);
  const [size, area, positions] = [volume(windows.kernel), volume(windows.extents), volume(windows.counts)];
  const y = zeros([...x.dims.slice(0, 2), ...windows.counts]);
  for (let i = 0; i < y.data.length; i++) {
    const position = i % positions;
    const window = table.subarray(position * size, (position + 1) * size);
    y.data[i] = reduce(Math.floor(i / positions) * area, window, position);
  }
  return y;
}

/** The second output is where each maximum lies in the whole input, flat; the first of equals in row-major order. */
const maxPool: Operator = (call) => {
  const x = input(call, 0);
  const windows = slidingWindows(call.node, x.dims.slice(2), getInts(call.node, "kernel_shape") ?? []);
  const columnMajor = getInt(call.node, "storage_order", 0) !== 0;
  const where = pool(x, windows, (plane, window) => {
    let best = -1;
    for (const at of window) {
      if (at >= 0 && (best < 0 || get(x.data, plane + at) > get(x.data, plane + best))) best = at;
    }
    return best < 0 ? -1 : plane + best;
  });
  const y = { dims: where.dims, data: where.data.map((at) => (at < 0 ? Number.NEGATIVE_INFINITY : get(x.data, at))) };
  return [y, columnMajor ? { ...where, data: where.data.map((at) => transposed(at, windows.extents)) } : where];
};

/** The same element counted with the first spatial axis fastest. */
function transposed(flat: number, extents: readonly number[]): number {
  const area = volume(extents);
  let rest = flat % area;
  const index = extents.map((_, axis) => {
    const step = volume(extents.slice(axis + 1));
    const i = Math.floor(rest / step);
    rest %= step;
    return i;
  });
  return flat - (flat % area) + offset([...extents].reverse(), index.reverse());
}

/**
 * The divisor counts the taps on data or, with count_include_pad, on data and padding; never what ceil_mode lets hang
 * out behind the padding.
 */
const averagePool: Operator = (call) => {
  const x = input(call, 0);
  const windows = slidingWindows(call.node, x.dims.slice(2), getInts(call.node, "kernel_shape") ?? []);
  const padded = getInt(call.node, "count_include_pad", 0) !== 0;
  const begins = windows.begins;
  const whole = windows.extents.map((extent, a) => extent + get(begins, a) + get(windows.ends, a));
  const table = taps({ ...windows, extents: whole, begins: begins.map(() => 0) });
  const size = volume(windows.kernel);
  return pool(x, windows, (plane, window, position) => {
    const data = window.filter((at) => at >= 0);
    const sum = data.reduce((total, at) => total + get(x.data, plane + at), 0);
    const counted = padded ? table.subarray(position * size, (position + 1) * size).filter((at) => at >= 0) : data;
    return sum / counted.length;
  });
};

const lpPool: Operator = (call) => {
  const x = input(call, 0);
  const p = getInt(call.node, "p", 2);
  const windows = slidingWindows(call.node, x.dims.slice(2), getInts(call.node, "kernel_shape") ?? []);
  return pool(x, windows, (plane, window) => {
    const powers = window.reduce((sum, at) => sum + (at < 0 ? 0 : Math.abs(get(x.data, plane + at)) ** p), 0);
    return powers ** (1 / p);
  });
};

/** Reduces each channel's plane to one element. */
const global =
  (reduce: (plane: Float64Array, p: number) => number): Operator =>
  (call) => {
    const x = input(call, 0);
    const area = volume(x.dims.slice(2));
    const p = getInt(call.node, "p", 2);
    const planes = Array.from({ length: volume(x.dims.slice(0, 2)) }, (_, i) =>
      x.data.subarray(i * area, (i + 1) * area),
    );
    return tensor(
      x.dims.map((d, axis) => (axis < 2 ? d : 1)),
      planes.map((plane) => reduce(plane, p)),
    );
  };

/**
 * Puts each element where its index says, in zeros of the shape MaxPool had before it, which follows from the kernel or
 * is given. As in onnxruntime, the shape given may not be the smaller one, and indices count in it.
 */
const maxUnpool: Operator = (call) => {
  const [x, where] = [input(call, 0), input(call, 1)];
  const kernel = getInts(call.node, "kernel_shape") ?? [];
  const strides = getInts(call.node, "strides") ?? kernel.map(() => 1);
  const pads = getInts(call.node, "pads") ?? [...kernel, ...kernel].map(() => 0);
  const inferred = x.dims.map((d, axis) => {
    const a = axis - 2;
    if (a < 0) return d;
    return (d - 1) * get(strides, a) - get(pads, a) - get(pads, a + kernel.length) + get(kernel, a);
  });
  const dims = integers(call, 2) ?? inferred;
  if (dims.some((d, axis) => d < get(inferred, axis)))
    throw new RangeError(`MaxUnpool to [${dims}] from [${inferred}]`);
  const y = zeros(dims);
  where.data.forEach((at, i) => {
    if (at >= y.data.length) throw new RangeError(`MaxUnpool index ${at} in [${dims}]`);
    y.data[at] = get(x.data, i);
  });
  return y;
};

export const pooling: Operators = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: global((plane) => plane.reduce((a, b) => a + b, 0) / plane.length),
  GlobalMaxPool: global((plane) => Math.max(...plane)),
  GlobalLpPool: global((plane, p) => plane.reduce((sum, v) => sum + Math.abs(v) ** p, 0) ** (1 / p)),
  MaxUnpool: maxUnpool,
};
