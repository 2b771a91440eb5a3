/** @file Small ONNX files made in the test, through the project's own encoder: no data files needed. */
import {
  initializer,
  modelBytes,
  modelMessage,
  node,
  type TinyModel,
  tensorInfo,
  weights,
} from "../../infra/fuzz/build.ts";
import { int, ints } from "../../shared/graph/attributes.ts";
import { volume } from "../../shared/graph/constant.ts";
import type { Dim } from "../../shared/graph/ir.ts";
import type { TensorProto } from "../../shared/onnx/schema.ts";
import { random } from "./random.ts";

export { initializer, modelBytes, modelMessage, node, type TinyModel, tensorInfo, weights };

/** Uniform in [-scale, scale), the same for the same seed. */
export function randomNumbers(seed: number, count: number, scale = 1): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length: count }, () => (2 * next() - 1) * scale);
}

export interface TinyClassifierOptions {
  readonly seed?: number;
  /** Default 1; a string makes it symbolic. */
  readonly batch?: Dim;
  /** Height and width; default 8. */
  readonly size?: number;
  readonly channels?: number;
  readonly classes?: number;
  /** Whether the output is `probabilities` after a Softmax (default) or `logits`. */
  readonly softmax?: boolean;
  /** 13 or newer; default 18. */
  readonly opset?: number;
  readonly irVersion?: number;
  /** As IR 3 files do: every initializer is listed as an input too. */
  readonly initializersAsInputs?: boolean;
}

/**
 * An image classifier, NCHW: `image` [batch, channels, size, size] -> Conv 3x3 (8) -> Relu `relu1` -> MaxPool `pool1`
 * -> Conv 3x3 (6) -> Relu `relu2` -> GlobalAveragePool -> Flatten -> Gemm `logits` -> Softmax `probabilities`.
 */
export function tinyClassifier(options: TinyClassifierOptions = {}): Uint8Array {
  const { seed = 1, batch = 1, size = 8, channels = 3, classes = 5, softmax = true } = options;
  const drawn = (name: string, dims: readonly number[], salt: number): TensorProto =>
    weights(name, dims, randomNumbers(seed * 1000 + salt, volume(dims), 0.5));
  const initializers = [
    drawn("conv1.weight", [8, channels, 3, 3], 1),
    drawn("conv1.bias", [8], 2),
    drawn("conv2.weight", [6, 8, 3, 3], 3),
    drawn("conv2.bias", [6], 4),
    drawn("fc.weight", [classes, 6], 5),
    drawn("fc.bias", [classes], 6),
  ];
  const conv = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
  const nodes = [
    node("Conv", ["image", "conv1.weight", "conv1.bias"], ["conv1"], conv, "conv1"),
    node("Relu", ["conv1"], ["relu1"], {}, "relu1"),
    node("MaxPool", ["relu1"], ["pool1"], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }, "pool1"),
    node("Conv", ["pool1", "conv2.weight", "conv2.bias"], ["conv2"], conv, "conv2"),
    node("Relu", ["conv2"], ["relu2"], {}, "relu2"),
    node("GlobalAveragePool", ["relu2"], ["gap"], {}, "gap"),
    node("Flatten", ["gap"], ["features"], {}, "flatten"),
    node("Gemm", ["features", "fc.weight", "fc.bias"], ["logits"], { transB: int(1) }, "fc"),
    ...(softmax ? [node("Softmax", ["logits"], ["probabilities"], { axis: int(-1) }, "softmax")] : []),
  ];
  const inputs = [tensorInfo("image", [batch, channels, size, size])];
  if (options.initializersAsInputs) {
    for (const t of initializers) inputs.push(tensorInfo(t.name ?? "", (t.dims ?? []).map(Number)));
  }
  return modelBytes({
    opset: options.opset ?? 18,
    irVersion: options.irVersion ?? 8,
    nodes,
    inputs,
    outputs: [tensorInfo(softmax ? "probabilities" : "logits", [batch, classes])],
    initializers,
  });
}
