/** @file Operators that move elements without computing: reshaping, cutting, joining, repeating, padding. */
import { getInt, getInts, getString, getTensor } from "../../../shared/graph/attributes.ts";
import { numbers } from "../../../shared/graph/constant.ts";
import {
  axisOf,
  broadcast,
  broadcastDims,
  type Call,
  element,
  generate,
  get,
  input,
  integers,
  type Operator,
  type Operators,
  scalar,
  type Tensor,
  vector,
  volume,
} from "./tensor.ts";

const viewed = (x: Tensor, dims: readonly number[]): Tensor => {
  if (volume(dims) !== x.data.length) throw new RangeError(`[${x.dims}] cannot be viewed as [${dims}]`);
  return { dims, data: x.data };
};

const reshape: Operator = (call) => {
  const x = input(call, 0);
  const copyZero = getInt(call.node, "allowzero", 0) === 0;
  const asked = (integers(call, 1) ?? []).map((d, axis) => (d === 0 && copyZero ? get(x.dims, axis) : d));
  const known = volume(asked.filter((d) => d !== -1));
  return viewed(
    x,
    asked.map((d) => (d === -1 ? x.data.length / known : d)),
  );
};

const flatten: Operator = (call) => {
  const x = input(call, 0);
  const axis = axisOf(getInt(call.node, "axis", 1), x.dims.length);
  return viewed(x, [volume(x.dims.slice(0, axis)), volume(x.dims.slice(axis))]);
};

const axesOf = (call: Call, rank: number): readonly number[] | undefined =>
  (integers(call, 1) ?? getInts(call.node, "axes"))?.map((a) => axisOf(a, rank));

const squeeze: Operator = (call) => {
  const x = input(call, 0);
  const axes = axesOf(call, x.dims.length) ?? x.dims.flatMap((d, a) => (d === 1 ? [a] : []));
  return viewed(
    x,
    x.dims.filter((_, a) => !axes.includes(a)),
  );
};

const unsqueeze: Operator = (call) => {
  const x = input(call, 0);
  const rank = x.dims.length + (integers(call, 1) ?? getInts(call.node, "axes") ?? []).length;
  const axes = axesOf(call, rank) ?? [];
  const rest = [...x.dims];
  return viewed(
    x,
    Array.from({ length: rank }, (_, a) => (axes.includes(a) ? 1 : (rest.shift() ?? 1))),
  );
};

const transpose: Operator = (call) => {
  const x = input(call, 0);
  const perm = getInts(call.node, "perm") ?? x.dims.map((_, a) => x.dims.length - 1 - a);
  const dims = perm.map((p) => get(x.dims, p));
  return generate(dims, (index) =>
    element(
      x,
      x.dims.map((_, a) => get(index, perm.indexOf(a))),
    ),
  );
};

const concat: Operator = (call) => {
  const parts = call.inputs.map((_, i) => input(call, i));
  const first = input(call, 0).dims;
  const axis = axisOf(getInt(call.node, "axis", 0), first.length);
  const length = parts.reduce((sum, part) => sum + get(part.dims, axis), 0);
  return generate(
    first.map((d, a) => (a === axis ? length : d)),
    (index) => {
      let at = get(index, axis);
      for (const part of parts) {
        const extent = get(part.dims, axis);
        if (at < extent) {
          return element(
            part,
            index.map((i, a) => (a === axis ? at : i)),
          );
        }
        at -= extent;
      }
      throw new RangeError("past the last part");
    },
  );
};

const split: Operator = (call) => {
  const x = input(call, 0);
  const axis = axisOf(getInt(call.node, "axis", 0), x.dims.length);
  const extent = get(x.dims, axis);
  const parts = getInt(call.node, "num_outputs", call.node.outputs.length);
  const size = Math.ceil(extent / parts);
  const equal = Array.from({ length: parts }, (_, i) => Math.min(size, extent - i * size));
  const lengths = integers(call, 1) ?? getInts(call.node, "split") ?? equal;
  let start = 0;
  return lengths.map((length) => {
    const from = start;
    start += length;
    return generate(
      x.dims.map((d, a) => (a === axis ? length : d)),
      (index) =>
        element(
          x,
          index.map((i, a) => (a === axis ? i + from : i)),
        ),
    );
  });
};

/** Starts and ends count from the end when negative, and are clamped; a negative step walks backwards. */
const slice: Operator = (call) => {
  const x = input(call, 0);
  const rank = x.dims.length;
  const starts = integers(call, 1) ?? getInts(call.node, "starts") ?? [];
  const ends = integers(call, 2) ?? getInts(call.node, "ends") ?? [];
  const axes = (integers(call, 3) ?? getInts(call.node, "axes") ?? starts.map((_, i) => i)).map((a) => axisOf(a, rank));
  const steps = integers(call, 4) ?? starts.map(() => 1);
  const ranges = x.dims.map((extent, a) => {
    const i = axes.indexOf(a);
    if (i < 0) return { start: 0, step: 1, length: extent };
    const step = get(steps, i);
    const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
    const from = get(starts, i) < 0 ? get(starts, i) + extent : get(starts, i);
    const to = get(ends, i) < 0 ? get(ends, i) + extent : get(ends, i);
    const start = Math.min(Math.max(from, 0), step > 0 ? extent : extent - 1);
    const end = Math.min(Math.max(to, low), high);
    return { start, step, length: Math.max(0, Math.ceil((end - start) / step)) };
  });
  return generate(
    ranges.map((r) => r.length),
    (index) =>
      element(
        x,
        ranges.map((r, a) => r.start + get(index, a) * r.step),
      ),
  );
};

/** Where position `i` outside [0, extent) reads from; undefined: the constant. */
const outside: Readonly<Record<string, (i: number, extent: number) => number | undefined>> = {
  constant: (i, extent) => (i >= 0 && i < extent ? i : undefined),
  edge: (i, extent) => Math.min(Math.max(i, 0), extent - 1),
  wrap: (i, extent) => ((i % extent) + extent) % extent,
  reflect: (i, extent) => {
    const period = Math.max(1, 2 * (extent - 1));
    const folded = ((i % period) + period) % period;
    return folded < extent ? folded : period - folded;
  },
};

/** Negative pads crop first, then what is left is padded. */
const pad: Operator = (call) => {
  const x = input(call, 0);
  const rank = x.dims.length;
  const pads = integers(call, 1) ?? getInts(call.node, "pads") ?? [];
  const fill = call.inputs[2]?.data[0] ?? 0;
  const axes = (integers(call, 3) ?? x.dims.map((_, a) => a)).map((a) => axisOf(a, rank));
  const source = outside[getString(call.node, "mode", "constant")];
  if (source === undefined) throw new RangeError(`Pad mode "${getString(call.node, "mode", "constant")}"`);
  const begins = x.dims.map((_, a) => (axes.includes(a) ? get(pads, axes.indexOf(a)) : 0));
  const ends = x.dims.map((_, a) => (axes.includes(a) ? get(pads, axes.indexOf(a) + axes.length) : 0));
  const dims = x.dims.map((d, a) => d + get(begins, a) + get(ends, a));
  return generate(dims, (index) => {
    const from = index.map((i, a) => {
      const [begin, end] = [get(begins, a), get(ends, a)];
      const cropped = get(x.dims, a) + Math.min(0, begin) + Math.min(0, end);
      const found = source(i - Math.max(0, begin), cropped);
      return found === undefined ? undefined : found - Math.min(0, begin);
    });
    return from.every((i) => i !== undefined) ? element(x, from) : fill;
  });
};

const expand: Operator = (call) => {
  const x = input(call, 0);
  return broadcast(x, broadcastDims([x.dims, integers(call, 1) ?? []]));
};

const tile: Operator = (call) => {
  const x = input(call, 0);
  const repeats = integers(call, 1) ?? [];
  return generate(
    x.dims.map((d, a) => d * get(repeats, a)),
    (index) =>
      element(
        x,
        index.map((i, a) => i % get(x.dims, a)),
      ),
  );
};

/** y[n, c, h*b + i, w*b + j] = x[n, (i*b + j)*C + c, h, w] in mode DCR, x[n, c*b*b + i*b + j, h, w] in mode CRD. */
const depthToSpace: Operator = (call) => {
  const x = input(call, 0);
  const b = getInt(call.node, "blocksize", 1);
  const [n = 0, depth = 0, h = 0, w = 0] = x.dims;
  const channels = depth / (b * b);
  const crd = getString(call.node, "mode", "DCR") === "CRD";
  return generate([n, channels, h * b, w * b], ([s = 0, c = 0, y = 0, z = 0]) => {
    const block = (y % b) * b + (z % b);
    return element(x, [s, crd ? c * b * b + block : block * channels + c, Math.floor(y / b), Math.floor(z / b)]);
  });
};

const spaceToDepth: Operator = (call) => {
  const x = input(call, 0);
  const b = getInt(call.node, "blocksize", 1);
  const [n = 0, channels = 0, h = 0, w = 0] = x.dims;
  return generate([n, channels * b * b, h / b, w / b], ([s = 0, d = 0, y = 0, z = 0]) => {
    const block = Math.floor(d / channels);
    return element(x, [s, d % channels, y * b + Math.floor(block / b), z * b + (block % b)]);
  });
};

/** Keeps the upper (or lower) triangle of the last two axes, k diagonals off the main one. */
const trilu: Operator = (call) => {
  const x = input(call, 0);
  const k = integers(call, 1)?.[0] ?? 0;
  const upper = getInt(call.node, "upper", 1) !== 0;
  return generate(x.dims, (index) => {
    const right = (index.at(-1) ?? 0) - (index.at(-2) ?? 0);
    return (upper ? right >= k : right <= k) ? element(x, index) : 0;
  });
};

/** Reverses the first `sequence_lens[b]` elements along the time axis of each batch entry. */
const reverseSequence: Operator = (call) => {
  const x = input(call, 0);
  const lengths = integers(call, 1) ?? [];
  const [batch, time] = [getInt(call.node, "batch_axis", 1), getInt(call.node, "time_axis", 0)];
  return generate(x.dims, (index) => {
    const length = get(lengths, get(index, batch));
    const t = get(index, time);
    return element(
      x,
      index.map((i, a) => (a === time && t < length ? length - 1 - t : i)),
    );
  });
};

const shapeOperators: Operators = {
  Shape: (call) => {
    const { dims } = input(call, 0);
    const end = getInt(call.node, "end", dims.length);
    return vector(dims.slice(getInt(call.node, "start", 0), end));
  },
  Size: (call) => scalar(input(call, 0).data.length),
  Constant: ({ node }) => {
    const value = getTensor(node, "value");
    if (value !== undefined) return { dims: value.dims, data: Float64Array.from(numbers(value)) };
    const list = getInts(node, "value_ints");
    return list ? vector(list) : scalar(getInt(node, "value_int", 0));
  },
  ConstantOfShape: (call) => {
    const value = getTensor(call.node, "value");
    const fill = value === undefined ? 0 : get(Array.from(numbers(value)), 0);
    return generate(integers(call, 0) ?? [], () => fill);
  },
  Range: (call) => {
    const number = (i: number): number => get(input(call, i).data, 0);
    const [start, limit, delta] = [number(0), number(1), number(2)];
    const length = Math.max(0, Math.ceil((limit - start) / delta));
    return vector(Array.from({ length }, (_, i) => start + i * delta));
  },
  EyeLike: (call) => {
    const k = getInt(call.node, "k", 0);
    return generate(input(call, 0).dims, ([row = 0, column = 0]) => (column - row === k ? 1 : 0));
  },
};

export const movement: Operators = {
  ...shapeOperators,
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
  ReverseSequence: reverseSequence,
  // As at inference: nothing is dropped.
  Dropout: (call) => [input(call, 0), generate(input(call, 0).dims, () => 1)],
};
