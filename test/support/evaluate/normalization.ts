/** @file Normalisations and softmaxes. */
import { getFloat, getInt, getInts } from "../../../shared/graph/attributes.ts";
import {
  axisOf,
  broadcast,
  get,
  input,
  mapLines,
  type Operator,
  type Operators,
  type Tensor,
  volume,
  zeros,
} from "./tensor.ts";

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
const mean = (values: ArrayLike<number>): number => total(values) / values.length;
const variance = (values: ArrayLike<number>): number => {
  const m = mean(values);
  return mean(Array.from(values, (v) => (v - m) ** 2));
};

/** Applies `f` to each element of [N, C, ...] with its channel. */
function perChannel(x: Tensor, f: (value: number, channel: number) => number): Tensor {
  const [, channels = 1, ...rest] = x.dims;
  const area = volume(rest);
  return { dims: x.dims, data: x.data.map((value, i) => f(value, Math.floor(i / area) % channels)) };
}

/** Cuts the data into runs of `length` elements and replaces each. */
function perRun(x: Tensor, length: number, f: (run: Float64Array) => ArrayLike<number>): Tensor {
  const y = zeros(x.dims);
  for (let at = 0; at < x.data.length; at += length) y.data.set(f(x.data.subarray(at, at + length)), at);
  return y;
}

/** (x - mean) / sqrt(var + epsilon) over a run. */
const standardized =
  (epsilon: number) =>
  (run: Float64Array): Float64Array => {
    const [centre, spread] = [mean(run), Math.sqrt(variance(run) + epsilon)];
    return run.map((v) => (v - centre) / spread);
  };

/** Inference only: scale (x - mean) / sqrt(var + epsilon) + bias, all per channel. */
const batchNormalization: Operator = (call) => {
  const [scale, bias, centre, spread] = [input(call, 1), input(call, 2), input(call, 3), input(call, 4)];
  const epsilon = getFloat(call.node, "epsilon", 1e-5);
  return perChannel(input(call, 0), (value, c) => {
    const unit = (value - get(centre.data, c)) / Math.sqrt(get(spread.data, c) + epsilon);
    return get(scale.data, c) * unit + get(bias.data, c);
  });
};

const instanceNormalization: Operator = (call) => {
  const [x, scale, bias] = [input(call, 0), input(call, 1), input(call, 2)];
  const unit = perRun(x, volume(x.dims.slice(2)), standardized(getFloat(call.node, "epsilon", 1e-5)));
  return perChannel(unit, (value, c) => get(scale.data, c) * value + get(bias.data, c));
};

/** Scale and bias belong to channels; before opset 21 to groups, which their length tells. */
const groupNormalization: Operator = (call) => {
  const [x, scale, bias] = [input(call, 0), input(call, 1), input(call, 2)];
  const [, channels = 1, ...rest] = x.dims;
  const perGroup = channels / getInt(call.node, "num_groups", 1);
  const unit = perRun(x, perGroup * volume(rest), standardized(getFloat(call.node, "epsilon", 1e-5)));
  const which = (c: number): number => (scale.data.length === channels ? c : Math.floor(c / perGroup));
  return perChannel(unit, (value, c) => get(scale.data, which(c)) * value + get(bias.data, which(c)));
};

/** Outputs Y, Mean and InvStdDev; the latter two keep the normalised axes as 1. */
const layerNormalization: Operator = (call) => {
  const [x, scale, bias] = [input(call, 0), input(call, 1), call.inputs[2]];
  const axis = axisOf(getInt(call.node, "axis", -1), x.dims.length);
  const epsilon = getFloat(call.node, "epsilon", 1e-5);
  const length = volume(x.dims.slice(axis));
  const unit = perRun(x, length, standardized(epsilon)).data;
  const [weights, shift] = [broadcast(scale, x.dims).data, bias && broadcast(bias, x.dims).data];
  const y = { dims: x.dims, data: unit.map((v, i) => get(weights, i) * v + (shift ? get(shift, i) : 0)) };
  const runs = Array.from({ length: x.data.length / length }, (_, i) => x.data.subarray(i * length, (i + 1) * length));
  const dims = x.dims.map((d, a) => (a < axis ? d : 1));
  const centre = { dims, data: Float64Array.from(runs, mean) };
  const inverse = { dims, data: Float64Array.from(runs, (run) => 1 / Math.sqrt(variance(run) + epsilon)) };
  return [y, centre, inverse];
};

const rmsNormalization: Operator = (call) => {
  const [x, scale] = [input(call, 0), input(call, 1)];
  const axis = axisOf(getInt(call.node, "axis", -1), x.dims.length);
  const epsilon = getFloat(call.node, "epsilon", 1e-5);
  const weights = broadcast(scale, x.dims).data;
  const unit = perRun(x, volume(x.dims.slice(axis)), (run) => {
    const root = Math.sqrt(mean(run.map((v) => v * v)) + epsilon);
    return run.map((v) => v / root);
  });
  return { dims: x.dims, data: unit.data.map((v, i) => v * get(weights, i)) };
};

/** (x - mean) / (standard deviation + 1e-9) over `axes`, which are all but the channels by default. */
const meanVarianceNormalization: Operator = (call) => {
  const x = input(call, 0);
  const axes = (getInts(call.node, "axes") ?? [0, 2, 3]).map((a) => axisOf(a, x.dims.length));
  const key = (flat: number): string => {
    let rest = flat;
    const index = [...x.dims].reverse().map((d) => {
      const i = rest % d;
      rest = Math.floor(rest / d);
      return i;
    });
    return index
      .reverse()
      .filter((_, a) => !axes.includes(a))
      .join();
  };
  const groups = new Map<string, number[]>();
  x.data.forEach((v, i) => {
    groups.set(key(i), [...(groups.get(key(i)) ?? []), v]);
  });
  return {
    dims: x.dims,
    data: x.data.map((v, i) => {
      const group = groups.get(key(i)) ?? [];
      return (v - mean(group)) / (Math.sqrt(variance(group)) + 1e-9);
    }),
  };
};

/** y_c = x_c / (bias + alpha / size * sum of x^2 over the `size` channels around c) ^ beta. */
const lrn: Operator = (call) => {
  const size = getInt(call.node, "size", 1);
  const [alpha, beta] = [getFloat(call.node, "alpha", 1e-4), getFloat(call.node, "beta", 0.75)];
  const bias = getFloat(call.node, "bias", 1);
  return mapLines(input(call, 0), 1, (line) =>
    line.map((value, c) => {
      const around = line.slice(Math.max(0, c - Math.floor((size - 1) / 2)), c + Math.ceil((size - 1) / 2) + 1);
      return value / (bias + (alpha / size) * total(around.map((v) => v * v))) ** beta;
    }),
  );
};

/** Each line divided by its norm; a line of zeros stays zeros. */
const lpNormalization: Operator = (call) => {
  const x = input(call, 0);
  const p = getInt(call.node, "p", 2);
  return mapLines(x, axisOf(getInt(call.node, "axis", -1), x.dims.length), (line) => {
    const norm = total(line.map((v) => Math.abs(v) ** p)) ** (1 / p);
    return line.map((v) => (norm === 0 ? 0 : v / norm));
  });
};

const alongAxis =
  (f: (line: readonly number[]) => readonly number[]): Operator =>
  (call) => {
    const x = input(call, 0);
    return mapLines(x, axisOf(getInt(call.node, "axis", -1), x.dims.length), f);
  };

function softmax(line: readonly number[]): readonly number[] {
  const powers = line.map((v) => Math.exp(v - Math.max(...line)));
  return powers.map((v) => v / total(powers));
}

function logSoftmax(line: readonly number[]): readonly number[] {
  const top = Math.max(...line);
  const log = top + Math.log(total(line.map((v) => Math.exp(v - top))));
  return line.map((v) => v - log);
}

export const normalization: Operators = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  LRN: lrn,
  LpNormalization: lpNormalization,
  Softmax: alongAxis(softmax),
  LogSoftmax: alongAxis(logSoftmax),
  Hardmax: alongAxis((line) => line.map((_, i) => (i === line.indexOf(Math.max(...line)) ? 1 : 0))),
};
