/** @file Rows of normalisations and softmaxes: the output is like the input; statistics come beside it. */
import { getInt } from "../attributes.ts";
import {
  axisOf,
  broadcast,
  each,
  expectRank,
  expectVector,
  input,
  malformed,
  named,
  optional,
  type Row,
  type Table,
  tensor,
} from "./row.ts";

/** Scale, bias, mean and variance: one element a channel. */
const batchNormalization: Row = (node) => {
  const x = input(node, 0);
  expectRank(node, x, 1, Number.POSITIVE_INFINITY);
  const channels = x.type.shape[1] ?? 1;
  for (const index of [1, 2, 3, 4]) {
    input(node, index);
    expectVector(node, index, channels);
  }
  return [x.type, input(node, 3).type, input(node, 4).type];
};

const instanceNormalization: Row = (node) => {
  const x = input(node, 0);
  expectRank(node, x, 3, Number.POSITIVE_INFINITY);
  for (const index of [1, 2]) expectVector(node, index, x.type.shape[1] ?? 1);
  return [x.type];
};

const groupNormalization: Row = (node) => {
  const x = input(node, 0);
  expectRank(node, x, 2, Number.POSITIVE_INFINITY);
  const [channels, groups] = [x.type.shape[1] ?? 1, getInt(node, "num_groups", 1)];
  if (typeof channels === "number" && channels % groups !== 0) {
    throw malformed(node, `the input ${named(x)} has ${channels} channels, which ${groups} groups cannot share`);
  }
  return [x.type];
};

/** Mean and inverse deviation have the axes before `axis`, and 1 for those normalised over. */
const layerNormalization: Row = (node) => {
  const [x, scale] = [input(node, 0), input(node, 1)];
  const { dtype, shape } = x.type;
  const axis = axisOf(node, getInt(node, "axis", -1), shape.length);
  broadcast(node, [x, scale]);
  const bias = optional(node, 2);
  if (bias) broadcast(node, [x, bias]);
  const statistics = tensor(
    getInt(node, "stash_type", 1) === 1 ? "float32" : dtype,
    shape.map((d, i) => (i < axis ? d : 1)),
  );
  return [x.type, statistics, statistics];
};

const alongAxis =
  (otherwise: number): Row =>
  (node) => {
    const { type } = input(node, 0);
    if (type.shape.length > 0) axisOf(node, getInt(node, "axis", otherwise), type.shape.length);
    return [type];
  };

export const normalization: Table = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LayerNormalization: layerNormalization,
  ...each(["LRN", "MeanVarianceNormalization"], (node) => [input(node, 0).type]),
  ...each(["Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "RMSNormalization"], alongAxis(-1)),
};
