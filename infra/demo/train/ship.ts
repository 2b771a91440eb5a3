/**
 * @file The trained classifier as an ordinary ONNX model with its card: convolutions, ReLUs, a pool, a linear layer.
 */
import { emptyGraph, GraphBuilder, opsetMin } from "../../../shared/graph/builder.ts";
import { constantOf } from "../../../shared/graph/constant.ts";
import type { Graph } from "../../../shared/graph/ir.ts";
import type { ModelCard } from "../../../shared/models/card.ts";
import { exportModel } from "../../../shared/onnx/export.ts";
import { sha256 } from "../../cli/files.ts";
import { version } from "../../cli/version.ts";
import { classes } from "../classes.ts";
import { normalisation } from "./batches.ts";
import { type Architecture, features, forward, imageInput, renamed } from "./classifier.ts";
import { biasName, convWeights, headBias, headWeights, named, parametersOf } from "./parameters.ts";
import { convAttributes } from "./training-graph.ts";

/** The model's name: its files are `<name>.onnx` and `<name>.card.json`. */
export const modelName = "everyday-24";

/** The names layers have in the file. */
export const stageNames = (net: Architecture): readonly string[] => net.stages.map((_, i) => `stage${i + 1}`);

/**
 * The classifier for use: `image` [N, 3, size, size] to `probabilities` [N, classes], with the standardisation worked
 * into the convolutions' weights. The tensors `stage1` … and `logits` have these names.
 */
export function inferenceGraph(net: Architecture, flat: Float32Array): Graph {
  const parameters = parametersOf(net);
  const g = new GraphBuilder(emptyGraph(opsetMin), "");
  const constant = (name: string, dims: readonly number[], values: Float32Array) =>
    g.constant(constantOf("float32", dims, values), name);
  const image = imageInput(g, net, "N");
  const { logits, stages } = forward(g, image, net, {
    conv: (x, plan) => {
      const { name, inputs, outputs, stride } = plan;
      const weights = constant(`${name}.weight`, [outputs, inputs, 3, 3], convWeights(flat, parameters, plan));
      const bias = constant(`${name}.bias`, [outputs], named(flat, parameters, biasName(name)));
      return g.node("Conv", [x, weights, bias], convAttributes(stride));
    },
    head: () => [
      constant("head.weight", [net.classes, features(net)], named(flat, parameters, headWeights)),
      constant("head.bias", [net.classes], named(flat, parameters, headBias)),
    ],
  });
  const probabilities = g.node("Sigmoid", [logits]);
  const names = new Map([
    [logits, "logits"],
    [probabilities, "probabilities"],
    ...stages.map((stage, i) => [stage, stageNames(net)[i] ?? ""] as const),
  ]);
  return renamed({ ...g.build([probabilities]), name: modelName }, names);
}

/** The file's bytes and its card. */
export function shippedModel(net: Architecture, flat: Float32Array) {
  const bytes = exportModel(inferenceGraph(net, flat), { producer: { name: "backlight", version: version() } });
  return { bytes, card: cardOf(net, sha256(bytes)) };
}

function cardOf(net: Architecture, digest: string) {
  const { divide, mean, std } = normalisation;
  return {
    name: modelName,
    sha256: digest,
    source: "this repository: npm run demo:train",
    licence: "MIT",
    notes: "Which of 24 everyday things a drawn scene shows. Each class has its own probability; several may be high.",
    input: "image",
    preprocessing: {
      width: net.size,
      height: net.size,
      layout: "nchw",
      channels: "rgb",
      dtype: "float32",
      fit: { kind: "squash" },
      normalise: { divide, mean: [mean], std: [std] },
    },
    labels: classes.map(({ name }) => name),
    output: "logits",
    layers: stageNames(net),
  } as const satisfies Omit<ModelCard, "labels"> & { readonly labels: readonly string[] };
}
