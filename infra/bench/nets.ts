/** @file Networks to measure, in their published shapes, with random weights (layers.ts). */
import { extent } from "../../shared/graph/builder.ts";
import type { Graph, Value } from "../../shared/graph/ir.ts";
import { NetBuilder } from "./layers.ts";
import type { Marks } from "./results.ts";

export interface Net extends Marks {
  readonly graph: Graph;
}

/** Iandola et al. 2016, version 1.1. */
function squeezenet(): Net {
  const n = new NetBuilder();
  const fire = (x: Value, squeeze: number, expand: number): Value => {
    const s = n.relu(n.conv(x, squeeze, 1));
    return n.g.concat([n.relu(n.conv(s, expand, 1)), n.relu(n.conv(s, expand, 3, { pad: 1 }))], 1);
  };
  const stem = n.relu(n.conv(n.image(224), 64, 3, { stride: 2 }));
  const early = n.maxPool(stem, 3, 2, 0);
  const fire3 = fire(fire(early, 16, 64), 16, 64);
  const middle = fire(fire(n.maxPool(fire3, 3, 2, 0), 32, 128), 32, 128);
  let x = n.maxPool(middle, 3, 2, 0);
  for (const squeeze of [48, 48, 64, 64]) x = fire(x, squeeze, 4 * squeeze);
  const head = n.relu(n.conv(x, 1000, 1));
  return { graph: n.finish(n.pooled(head)), last: x.name, middle: middle.name, early: early.name };
}

/** Sandler et al. 2018, width 1.0, BatchNormalization already folded, as deployed. */
function mobilenetV2(): Net {
  const n = new NetBuilder();
  const block = (x: Value, expand: number, channels: number, stride: number): Value => {
    const inner = extent(x, 1) * expand;
    const wide = expand === 1 ? x : n.relu6(n.conv(x, inner, 1));
    const filtered = n.relu6(n.conv(wide, inner, 3, { stride, pad: 1, group: inner }));
    const narrow = n.conv(filtered, channels, 1);
    return stride === 1 && extent(x, 1) === channels ? n.g.add(x, narrow) : narrow;
  };
  // Expansion, channels, repeats, stride of the first: the paper's table 2.
  const stages: readonly (readonly [number, number, number, number])[] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ];
  let x = n.relu6(n.conv(n.image(224), 32, 3, { stride: 2, pad: 1 }));
  const ends: Value[] = [];
  for (const [expand, channels, repeats, stride] of stages) {
    for (let i = 0; i < repeats; i += 1) x = block(x, expand, channels, i === 0 ? stride : 1);
    ends.push(x);
  }
  const last = n.relu6(n.conv(x, 1280, 1));
  const graph = n.finish(n.classifier(n.pooled(last), 1000));
  return { graph, last: last.name, middle: name(ends[3]), early: name(ends[0]) };
}

/**
 * He et al. 2015; stride in the 3x3 (v1.5). BatchNormalization is folded into the convolutions, as PyTorch exports a
 * model for inference, or stands in the graph, as other exporters leave it.
 */
function resnet(blocks: readonly number[], bottleneck: boolean, explicitNorm = false): Net {
  const n = new NetBuilder();
  const convNorm = (x: Value, channels: number, kernel: number, stride = 1, scale = 1): Value => {
    const convolved = n.conv(x, channels, kernel, { stride, pad: kernel >> 1, bias: !explicitNorm });
    return explicitNorm ? n.batchNorm(convolved, scale) : convolved;
  };
  const block = (x: Value, width: number, stride: number): Value => {
    const channels = bottleneck ? 4 * width : width;
    const inner = bottleneck
      ? n.relu(convNorm(n.relu(convNorm(x, width, 1)), width, 3, stride))
      : n.relu(convNorm(x, width, 3, stride));
    // A small last scale keeps the sum of many residuals in range.
    const residual = convNorm(inner, channels, bottleneck ? 1 : 3, 1, 0.3);
    const plain = stride === 1 && extent(x, 1) === channels;
    return n.relu(n.g.add(residual, plain ? x : convNorm(x, channels, 1, stride)));
  };
  let x = n.maxPool(n.relu(convNorm(n.image(224), 64, 7, 2)), 3, 2, 1);
  const ends: Value[] = [];
  for (const [stage, count] of blocks.entries()) {
    for (let i = 0; i < count; i += 1) x = block(x, 64 << stage, stage > 0 && i === 0 ? 2 : 1);
    ends.push(x);
  }
  const graph = n.finish(n.classifier(n.pooled(x), 1000));
  return { graph, last: x.name, middle: name(ends[2]), early: name(ends[0]) };
}

/** Dosovitskiy et al. 2020 / Touvron et al. 2020: ViT-Ti/16, 12 blocks of width 192, three heads. */
function vitTiny(): Net {
  const n = new NetBuilder();
  const width = 192;
  const heads = 3;
  const patches = n.conv(n.image(224), width, 16, { stride: 16 });
  const rows = n.g.transpose(n.g.reshape(patches, [1, width, 196]), [0, 2, 1]);
  const classToken = n.weights([1, 1, width], 600);
  let x = n.g.add(n.g.concat([classToken, rows], 1), n.weights([1, 197, width], 600));
  const attention = (input: Value): Value => {
    const split = (v: Value): Value => n.g.transpose(n.g.reshape(v, [1, 197, heads, width / heads]), [0, 2, 1, 3]);
    const [q, k, v] = [0, 1, 2].map(() => split(n.linear(input, width)));
    if (q === undefined || k === undefined || v === undefined) throw new TypeError("three projections");
    const scores = n.g.div(n.g.matmul(q, n.g.transpose(k, [0, 1, 3, 2])), n.g.scalar(Math.sqrt(width / heads)));
    const mixed = n.g.matmul(n.g.node("Softmax", [scores]), v);
    return n.linear(n.g.reshape(n.g.transpose(mixed, [0, 2, 1, 3]), [1, 197, width]), width, 0.3);
  };
  const ends: Value[] = [];
  for (let i = 0; i < 12; i += 1) {
    x = n.g.add(x, attention(n.layerNorm(x)));
    x = n.g.add(x, n.linear(n.gelu(n.linear(n.layerNorm(x), 4 * width)), width, 0.3));
    ends.push(x);
  }
  const token = n.g.gather(n.layerNorm(x), n.g.scalar(0, "int64"), 1);
  // The last block's output reaches the logits through its class token alone: the block before is what one looks at.
  return {
    graph: n.finish(n.classifier(token, 1000)),
    last: name(ends[10]),
    middle: name(ends[5]),
    early: name(ends[0]),
  };
}

function name(value: Value | undefined): string {
  if (value === undefined) throw new TypeError("the network has that stage");
  return value.name;
}

/** Networks by name. */
export const nets: Readonly<Record<string, () => Net>> = {
  "squeezenet1.1": squeezenet,
  mobilenetv2: mobilenetV2,
  resnet18: () => resnet([2, 2, 2, 2], false),
  resnet50: () => resnet([3, 4, 6, 3], true),
  "resnet50-batchnorm": () => resnet([3, 4, 6, 3], true, true),
  "vit-tiny": vitTiny,
};
