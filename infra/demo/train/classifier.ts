/**
 * @file The demo's classifier: its architecture, written once for the graph that trains and for the file that ships.
 * What a convolution is made of (free weights or finished ones) is the caller's; nothing here knows of training.
 */
import { int } from "../../../shared/graph/attributes.ts";
import { type GraphBuilder, typeOf } from "../../../shared/graph/builder.ts";
import type { Dim, Graph, Node, Value } from "../../../shared/graph/ir.ts";
import { classes } from "../classes.ts";

/**
 * Channels and depth of a stage: one convolution of stride 2, then `residuals` of stride 1, each added to its input.
 */
export interface Stage {
  readonly channels: number;
  readonly residuals: number;
}

export interface Architecture {
  /** Height and width of the input in pixels. */
  readonly size: number;
  /** Channels of the first convolution, of stride 2. */
  readonly stem: number;
  readonly stages: readonly Stage[];
  readonly classes: number;
}

/**
 * What ships. Three stages at 32, 16 and 8 locations a side, 41 million multiply-adds, 395,000 parameters, 1.6 MB: it
 * trains in about 5 ms a picture on one core.
 */
export const architecture: Architecture = {
  size: 128,
  stem: 16,
  stages: [
    { channels: 24, residuals: 1 },
    { channels: 48, residuals: 1 },
    { channels: 128, residuals: 2 },
  ],
  classes: classes.length,
};

/** A 3x3 convolution, padded so that stride alone changes the size. */
export interface ConvPlan {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
  /** Its output is added to its input. */
  readonly residual: boolean;
}

/** The side of every convolution's kernel. */
export const kernelSide = 3;

/** The convolutions in the order of the graph. */
export function convolutions({ stem, stages }: Architecture): readonly ConvPlan[] {
  const plans: ConvPlan[] = [{ name: "stem", inputs: 3, outputs: stem, stride: 2, residual: false }];
  let inputs = stem;
  for (const [i, { channels, residuals }] of stages.entries()) {
    plans.push({ name: stageName(i, 0), inputs, outputs: channels, stride: 2, residual: false });
    for (let j = 1; j <= residuals; j += 1) {
      plans.push({ name: stageName(i, j), inputs: channels, outputs: channels, stride: 1, residual: true });
    }
    inputs = channels;
  }
  return plans;
}

const stageName = (stage: number, conv: number): string => `stage${stage + 1}.conv${conv + 1}`;

/** Channels that the global average pool sees. */
export const features = ({ stem, stages }: Architecture): number => stages.at(-1)?.channels ?? stem;

/** Multiply-adds of one image's forward pass. */
export function multiplyAdds(net: Architecture): number {
  let side = net.size;
  let sum = features(net) * net.classes;
  for (const { inputs, outputs, stride } of convolutions(net)) {
    side = Math.ceil(side / stride);
    sum += inputs * outputs * kernelSide ** 2 * side ** 2;
  }
  return sum;
}

/** How layers with weights are made. */
export interface Layers {
  /** The convolution with its bias, without its activation. */
  readonly conv: (x: Value, plan: ConvPlan) => Value;
  /** Weights `[classes, features]` and bias `[classes]` of the classifier. */
  readonly head: () => readonly [weights: Value, bias: Value];
}

/** What a forward pass leaves behind: logits `[N, classes]`, and the output of each stage `[N, channels, h, w]`. */
export interface Forward {
  readonly logits: Value;
  readonly stages: readonly Value[];
}

/** Appends the forward pass on `image`, `[N, 3, size, size]`. */
export function forward(g: GraphBuilder, image: Value, net: Architecture, layers: Layers): Forward {
  let x = image;
  const ends = new Map<string, Value>();
  for (const plan of convolutions(net)) {
    const y = layers.conv(x, plan);
    x = g.relu(plan.residual ? g.add(x, y) : y);
    ends.set(plan.name.split(".")[0] ?? "", x);
  }
  ends.delete("stem");
  const pooled = g.node("Flatten", [g.node("GlobalAveragePool", [x])], { axis: int(1) });
  const logits = g.node("Gemm", [pooled, ...layers.head()], { transB: int(1) });
  return { logits, stages: [...ends.values()] };
}

/** The input of `batch` images: a number, or a name for a batch left open. */
export const imageInput = (g: GraphBuilder, net: Architecture, batch: Dim): Value =>
  g.input("image", { dtype: "float32", shape: [batch, 3, net.size, net.size] });

/** The same graph with values under other names: those a person reads in a list of layers. */
export function renamed(graph: Graph, names: ReadonlyMap<Value, string>): Graph {
  const made = new Map<Value, Value>();
  const rename = (value: Value): Value => {
    const name = names.get(value);
    if (name === undefined) return value;
    const known = made.get(value) ?? { ...value, type: typeOf(value), name };
    made.set(value, known);
    return known;
  };
  const each = (values: Node["inputs"]): Node["inputs"] => values.map((v) => (v === null ? null : rename(v)));
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({ ...node, inputs: each(node.inputs), outputs: each(node.outputs) })),
    outputs: graph.outputs.map(rename),
  };
}
