/**
 * @file The graph that trains: forward pass, loss and the gradient of the loss by every parameter, in standard
 * operators. Parameters are inputs, so one session serves all steps.
 */

import { backward } from "../../../shared/autodiff/backward.ts";
import { ints } from "../../../shared/graph/attributes.ts";
import { emptyGraph, GraphBuilder, opsetMin } from "../../../shared/graph/builder.ts";
import type { Graph, Value } from "../../../shared/graph/ir.ts";
import { type Architecture, forward, imageInput, kernelSide, type Layers } from "./classifier.ts";
import {
  biasName,
  directionName,
  gainName,
  headBias,
  headWeights,
  parametersOf,
  standardisingEpsilon,
} from "./parameters.ts";

/** Padding of 1 on each side keeps the size under a 3x3 kernel. */
export const convAttributes = (stride: number) => ({
  kernel_shape: ints([kernelSide, kernelSide]),
  strides: ints([stride, stride]),
  pads: ints([1, 1, 1, 1]),
});

export const gradientName = (parameter: string): string => `gradient/${parameter}`;

/**
 * Inputs: `image` [batch, 3, size, size], `labels` [batch, classes] of 0 and 1, and every parameter under its name.
 * Outputs: `loss` (a scalar) and `gradient/<parameter>` of each parameter's shape.
 */
export function trainingGraph(net: Architecture, batch: number): Graph {
  const g = new GraphBuilder(emptyGraph(opsetMin));
  const image = imageInput(g, net, batch);
  const labels = g.input("labels", { dtype: "float32", shape: [batch, net.classes] });
  const inputs = new Map(
    parametersOf(net).map(({ name, dims }) => [name, g.input(name, { dtype: "float32", shape: dims })]),
  );
  const { logits } = forward(g, image, net, freeLayers(g, inputs));
  const loss = crossEntropy(g, logits, labels);
  const gradients = backward(g, new Map([[loss, g.scalar(1)]]), [...inputs.values()]);
  return g.build([
    g.named(loss, "loss"),
    ...[...inputs.keys()].map((name, i) => g.named(gradients[i] ?? loss, gradientName(name))),
  ]);
}

function freeLayers(g: GraphBuilder, inputs: ReadonlyMap<string, Value>): Layers {
  const parameter = (name: string): Value => {
    const value = inputs.get(name);
    if (value === undefined) throw new TypeError(`the classifier has no parameter "${name}"`);
    return value;
  };
  return {
    conv: (x, { name, stride }) => {
      const weights = standardisedInGraph(g, parameter(directionName(name)), parameter(gainName(name)));
      return g.node("Conv", [x, weights, parameter(biasName(name))], convAttributes(stride));
    },
    head: () => [parameter(headWeights), parameter(headBias)],
  };
}

/** parameters.ts has the same in numbers, with the equation. */
function standardisedInGraph(g: GraphBuilder, direction: Value, gain: Value): Value {
  const perChannel = [1, 2, 3];
  const centred = g.sub(direction, g.mean(direction, perChannel));
  const square = g.sum(g.mul(centred, centred), perChannel);
  return g.mul(centred, g.div(gain, g.sqrt(g.add(square, g.scalar(standardisingEpsilon)))));
}

/**
 * Binary cross-entropy of independent classes, -y log p - (1 - y) log(1 - p) with p = sigmoid(z), averaged over batch
 * and classes, in the form that overflows nowhere: max(z, 0) - y z + log(1 + exp(-|z|)).
 */
function crossEntropy(g: GraphBuilder, logits: Value, labels: Value): Value {
  const linear = g.sub(g.relu(logits), g.mul(labels, logits));
  return g.mean(g.add(linear, g.node("Softplus", [g.neg(g.abs(logits))])), [0, 1], false);
}
