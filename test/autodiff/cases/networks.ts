/** @file Small whole networks, as classifiers have them: many rules and several paths at once. */
import { float, int, ints } from "../../../shared/graph/attributes.ts";
import type { Value } from "../../../shared/graph/ir.ts";
import type { Bench, GradientCase } from "../../support/check-gradient.ts";
import { between, positive } from "../../support/draw.ts";
import type { Cases } from "./case.ts";

const small = between(-0.7, 0.7);

function conv({ g, weight }: Bench, x: Value, shape: readonly number[], strides = [1, 1], group = 1): Value {
  const pads = shape.slice(2).map((k) => Math.floor(k / 2));
  const attributes = { strides: ints(strides), pads: ints([...pads, ...pads]), group: int(group) };
  return g.node("Conv", [x, weight(shape, small), weight([shape[0] ?? 1], small)], attributes);
}

function batchNorm({ g, weight, fixed }: Bench, x: Value, channels: number): Value {
  const ones = Array.from({ length: channels }, () => 1);
  const moments = [
    fixed(
      [channels],
      ones.map(() => 0.1),
    ),
    fixed([channels], ones),
  ];
  return g.node("BatchNormalization", [x, weight([channels], positive), weight([channels], small), ...moments]);
}

const dense = ({ g, weight }: Bench, x: Value, from: number, to: number): Value =>
  g.node("Gemm", [x, weight([to, from], small), weight([to], small)], { transB: int(1) });

/** Two convolutions with batch normalisation beside a strided 1x1 shortcut, pooled and classified. */
const residual: GradientCase["build"] = (bench, x) => {
  const { g } = bench;
  const stem = g.relu(batchNorm(bench, conv(bench, x, [3, 2, 3, 3]), 3));
  const deep = conv(bench, g.relu(batchNorm(bench, conv(bench, stem, [4, 3, 3, 3], [2, 2]), 4)), [4, 4, 3, 3]);
  const sum = g.relu(g.add(deep, conv(bench, stem, [4, 3, 1, 1], [2, 2])));
  const pooled = g.node("Flatten", [g.node("GlobalAveragePool", [sum])]);
  return dense(bench, pooled, 4, 3);
};

/** Squeeze, then two expansions joined, between max pools (SqueezeNet). */
const fire: GradientCase["build"] = (bench, x) => {
  const { g } = bench;
  const pool = (v: Value): Value =>
    g.node("MaxPool", [v], { kernel_shape: ints([3, 3]), strides: ints([2, 2]), ceil_mode: int(1) });
  const squeezed = g.relu(conv(bench, pool(x), [2, 3, 1, 1]));
  const joined = g.concat(
    [g.relu(conv(bench, squeezed, [3, 2, 1, 1])), g.relu(conv(bench, squeezed, [3, 2, 3, 3]))],
    1,
  );
  const scores = conv(bench, pool(joined), [4, 6, 1, 1]);
  return g.node("Reshape", [g.node("GlobalAveragePool", [scores]), g.int64([0, -1])]);
};

/** Channels weighted by what a bottleneck makes of their means, with the activations of mobile networks. */
const squeezeExcite: GradientCase["build"] = (bench, x) => {
  const { g } = bench;
  const wide = g.node("HardSwish", [conv(bench, x, [4, 2, 1, 1])]);
  const deep = g.node("HardSwish", [conv(bench, wide, [4, 1, 3, 3], [1, 1], 4)]);
  const squeezed = g.relu(conv(bench, g.mean(deep, [2, 3]), [2, 4, 1, 1]));
  const gate = g.node("HardSigmoid", [conv(bench, squeezed, [4, 2, 1, 1])], { alpha: float(1 / 6) });
  return g.add(conv(bench, g.mul(deep, gate), [2, 4, 1, 1]), x);
};

/** One transformer block on tokens of width 6 with two heads, then the class token's scores. */
const attention: GradientCase["build"] = (bench, x) => {
  const { g, weight, dtype } = bench;
  const norm = (v: Value): Value => g.node("LayerNormalization", [v, weight([6], positive), weight([6], small)]);
  const project = (v: Value, to: number, from = 6): Value =>
    g.add(g.matmul(v, weight([from, to], small)), weight([to], small));
  const heads = (v: Value): Value => g.transpose(g.node("Reshape", [v, g.int64([0, 0, 2, 3])]), [0, 2, 1, 3]);
  const normed = norm(x);
  const [q, k, v] = [heads(project(normed, 6)), heads(project(normed, 6)), heads(project(normed, 6))];
  const scores = g.mul(g.matmul(q, g.transpose(k, [0, 1, 3, 2])), g.scalar(3 ** -0.5, dtype));
  const mixed = g.transpose(g.matmul(g.node("Softmax", [scores]), v), [0, 2, 1, 3]);
  const attended = g.add(x, project(g.node("Reshape", [mixed, g.int64([0, 0, 6])]), 6));
  const mlp = project(g.node("Gelu", [project(norm(attended), 5)]), 6, 5);
  const token = g.gather(g.add(attended, mlp), g.constant({ dtype: "int64", dims: [], bytes: new Uint8Array(8) }), 1);
  return g.node("LogSoftmax", [dense(bench, token, 6, 3)]);
};

/** Channels shuffled by reshaping, split and joined (ShuffleNet), with average pooling and an explicit sum. */
const shuffle: GradientCase["build"] = (bench, x) => {
  const { g } = bench;
  const grouped = g.relu(conv(bench, x, [4, 2, 1, 1], [1, 1], 2));
  const cube = g.node("Reshape", [grouped, g.int64([0, 2, 2, 4, 4])]);
  const mixed = g.node("Reshape", [g.transpose(cube, [0, 2, 1, 3, 4]), g.int64([0, 4, 4, 4])]);
  const [left, right] = g.multi("Split", [mixed, g.int64([2, 2])], { axis: int(1) }, 2);
  const pooled = g.node("AveragePool", [x], {
    kernel_shape: ints([3, 3]),
    strides: ints([2, 2]),
    pads: ints([1, 1, 1, 1]),
  });
  const deep = conv(bench, left ?? mixed, [2, 1, 3, 3], [2, 2], 2);
  const kept = g.slice(right ?? mixed, [0, 0], [4, 4], [2, 3], [2, 2]);
  return g.concat([g.node("Sum", [deep, kept]), pooled], 1);
};

export const networks: Cases = {
  "network, residual": { inputs: [[2, 2, 6, 5]], build: residual },
  "network, residual, symbolic batch": { inputs: [["N", 2, 6, 5]], build: residual },
  "network, fire module": { inputs: [[1, 3, 9, 8]], build: fire },
  "network, fire module, symbolic batch": { inputs: [["N", 3, 9, 8]], build: fire },
  "network, squeeze and excite": { inputs: [[2, 2, 4, 3]], build: squeezeExcite },
  "network, squeeze and excite, symbolic batch": { inputs: [["N", 2, 4, 3]], build: squeezeExcite },
  "network, attention": { inputs: [[2, 4, 6]], build: attention },
  "network, attention, symbolic batch": { inputs: [["N", 4, 6]], build: attention },
  "network, channel shuffle": { inputs: [[2, 4, 4, 4]], build: shuffle },
};
