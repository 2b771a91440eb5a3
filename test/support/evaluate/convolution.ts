/** @file Conv, ConvTranspose and Col2Im, in any number of spatial dimensions. */
import { getInt, getInts, getString } from "../../../shared/graph/attributes.ts";
import {
  type Call,
  get,
  input,
  integers,
  type Operator,
  type Operators,
  type Tensor,
  volume,
  zeros,
} from "./tensor.ts";
import { slidingWindows, taps, type Windows } from "./windows.ts";

/** y[n,m,o] = b[m] + sum over c in m's group and taps k of w[m,c,k] x[n,c,o*stride + k*dilation - pad]. */
const conv: Operator = (call) => {
  const [x, w, bias] = [input(call, 0), input(call, 1), call.inputs[2]];
  const [batch = 0, channels = 0, ...extents] = x.dims;
  const [filters = 0, depth = 0, ...kernel] = w.dims;
  const groups = getInt(call.node, "group", 1);
  if (depth * groups !== channels) throw new RangeError(`Conv of [${x.dims}] with [${w.dims}] in ${groups} groups`);
  const windows = slidingWindows(call.node, extents, kernel);
  const table = taps(windows);
  const [size, area, positions] = [volume(kernel), volume(extents), volume(windows.counts)];
  const y = zeros([batch, filters, ...windows.counts]);
  for (let n = 0; n < batch; n++) {
    for (let m = 0; m < filters; m++) {
      const first = Math.floor(m / (filters / groups)) * depth;
      for (let o = 0; o < positions; o++) {
        let sum = bias === undefined ? 0 : get(bias.data, m);
        for (let k = 0; k < size; k++) {
          const at = get(table, o * size + k);
          if (at < 0) continue;
          for (let c = 0; c < depth; c++) {
            sum += get(w.data, (m * depth + c) * size + k) * get(x.data, (n * channels + first + c) * area + at);
          }
        }
        y.data[(n * filters + m) * positions + o] = sum;
      }
    }
  }
  return y;
};

/** The windows lie on the output here: x[n,c,i] is added, through w[c,m,k], to y[n,m,i*stride + k*dilation - pad]. */
const convTranspose: Operator = (call) => {
  const [x, w, bias] = [input(call, 0), input(call, 1), call.inputs[2]];
  const [batch = 0, channels = 0, ...counts] = x.dims;
  const [, depth = 0, ...kernel] = w.dims;
  const groups = getInt(call.node, "group", 1);
  if (w.dims[0] !== channels) throw new RangeError(`ConvTranspose of [${x.dims}] with [${w.dims}]`);
  const windows = transposedWindows(call, counts, kernel);
  const table = taps(windows);
  const filters = depth * groups;
  const [size, area, positions] = [volume(kernel), volume(windows.extents), volume(counts)];
  const start = (i: number): number => (bias === undefined ? 0 : get(bias.data, Math.floor(i / area) % filters));
  const y = zeros([batch, filters, ...windows.extents]);
  y.data.set(y.data.map((_, i) => start(i)));
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      const first = Math.floor(c / (channels / groups)) * depth;
      for (let i = 0; i < positions; i++) {
        const value = get(x.data, (n * channels + c) * positions + i);
        for (let k = 0; k < size; k++) {
          const at = get(table, i * size + k);
          if (at < 0) continue;
          for (let m = 0; m < depth; m++) {
            const to = (n * filters + first + m) * area + at;
            y.data[to] = get(y.data, to) + value * get(w.data, (c * depth + m) * size + k);
          }
        }
      }
    }
  }
  return y;
};

/** Output extents and pads of ConvTranspose, from pads, output_padding, output_shape and auto_pad. */
function transposedWindows({ node }: Call, counts: readonly number[], kernel: readonly number[]): Windows {
  const ones = counts.map(() => 1);
  const strides = getInts(node, "strides") ?? ones;
  const dilations = getInts(node, "dilations") ?? ones;
  const extra = getInts(node, "output_padding") ?? ones.map(() => 0);
  const auto = getString(node, "auto_pad", "NOTSET");
  const full = counts.map(
    (n, a) => (n - 1) * get(strides, a) + (get(kernel, a) - 1) * get(dilations, a) + 1 + get(extra, a),
  );
  const given = getInts(node, "output_shape")?.slice(-counts.length);
  const same = auto.startsWith("SAME") ? counts.map((n, a) => n * get(strides, a)) : undefined;
  const wanted = given ?? same;
  if (wanted === undefined) {
    const pads = (auto === "NOTSET" ? getInts(node, "pads") : undefined) ?? [...ones, ...ones].map(() => 0);
    const [begins, ends] = [pads.slice(0, counts.length), pads.slice(counts.length)];
    const extents = full.map((f, a) => f - get(begins, a) - get(ends, a));
    return { extents, counts, kernel, strides, dilations, begins, ends };
  }
  const total = wanted.map((extent, a) => Math.max(0, get(full, a) - extent));
  const small = total.map((t) => Math.floor(t / 2));
  const large = total.map((t) => Math.ceil(t / 2));
  const [begins, ends] = auto === "SAME_UPPER" ? [small, large] : [large, small];
  return { extents: wanted, counts, kernel, strides, dilations, begins, ends };
}

/** Adds columns [N, C*size, positions] back into the image they were cut from. */
const col2Im: Operator = (call) => {
  const x = input(call, 0);
  const [extents, kernel] = [integers(call, 1) ?? [], integers(call, 2) ?? []];
  const windows = slidingWindows(call.node, extents, kernel);
  const table = taps(windows);
  const [size, area, positions] = [volume(kernel), volume(extents), volume(windows.counts)];
  const [batch = 0, rows = 0] = x.dims;
  const y: Tensor = zeros([batch, rows / size, ...extents]);
  x.data.forEach((value, i) => {
    const position = i % positions;
    const row = Math.floor(i / positions); // n * rows + c * size + k
    const at = get(table, position * size + (row % size));
    const to = Math.floor(row / size) * area + at;
    if (at >= 0) y.data[to] = get(y.data, to) + value;
  });
  return y;
};

export const convolution: Operators = { Conv: conv, ConvTranspose: convTranspose, Col2Im: col2Im };
