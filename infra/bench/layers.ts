/**
 * @file The blocks networks are made of, with seeded random weights, for measuring: real shapes without a download.
 * Predictions of such a network mean nothing.
 */
import { float, int, ints } from "../../shared/graph/attributes.ts";
import { emptyGraph, extent, GraphBuilder, rankOf } from "../../shared/graph/builder.ts";
import type { Graph, Value } from "../../shared/graph/ir.ts";
import { uniformNumbers } from "../cli/uniform.ts";

/** A builder with the blocks of convolutional networks and transformers. */
export class NetBuilder {
  readonly g = new GraphBuilder(emptyGraph(18), "");
  readonly #random = uniformNumbers(20);

  image(size: number): Value {
    return this.g.input("image", { dtype: "float32", shape: [1, 3, size, size] });
  }

  finish(logits: Value): Graph {
    return this.g.build([this.g.named(logits, "logits")]);
  }

  /** Uniform weights of He's variance: activations keep their scale through ReLUs, so no ReLU dies. */
  weights(dims: readonly number[], fanIn: number): Value {
    const data = new Float32Array(dims.reduce((n, d) => n * d, 1));
    const bound = Math.sqrt(6 / fanIn);
    for (let i = 0; i < data.length; i += 1) data[i] = (2 * this.#random() - 1) * bound;
    return this.g.constant({ dtype: "float32", dims, bytes: new Uint8Array(data.buffer) }, "weight");
  }

  vector(length: number, low: number, high: number): Value {
    const data = Float32Array.from({ length }, () => low + (high - low) * this.#random());
    return this.g.constant({ dtype: "float32", dims: [length], bytes: new Uint8Array(data.buffer) }, "vector");
  }

  conv(x: Value, channels: number, kernel: number, options: ConvOptions = {}): Value {
    const { stride = 1, pad = 0, group = 1, bias = true } = options;
    const perGroup = extent(x, 1) / group;
    const weight = this.weights([channels, perGroup, kernel, kernel], perGroup * kernel * kernel);
    return this.g.node("Conv", [x, weight, ...(bias ? [this.vector(channels, -0.1, 0.1)] : [])], {
      kernel_shape: ints([kernel, kernel]),
      strides: ints([stride, stride]),
      pads: ints([pad, pad, pad, pad]),
      dilations: ints([1, 1]),
      group: int(group),
    });
  }

  /** As PyTorch exports it, in inference form. */
  batchNorm(x: Value, scale = 1): Value {
    const c = extent(x, 1);
    const parameters = [
      this.vector(c, 0.9 * scale, 1.1 * scale),
      this.vector(c, -0.1, 0.1),
      this.vector(c, -0.1, 0.1),
      this.vector(c, 0.9, 1.1),
    ];
    return this.g.node("BatchNormalization", [x, ...parameters], { epsilon: float(1e-5) });
  }

  relu = (x: Value): Value => this.g.relu(x);
  relu6 = (x: Value): Value => this.g.node("Clip", [x, this.g.scalar(0), this.g.scalar(6)]);

  maxPool(x: Value, kernel: number, stride: number, pad: number, ceil = 0): Value {
    return this.g.node("MaxPool", [x], {
      kernel_shape: ints([kernel, kernel]),
      strides: ints([stride, stride]),
      pads: ints([pad, pad, pad, pad]),
      ceil_mode: int(ceil),
    });
  }

  /** Global average pool, flattened to [1, C]. */
  pooled(x: Value): Value {
    return this.g.node("Flatten", [this.g.node("GlobalAveragePool", [x])], { axis: int(1) });
  }

  classifier(x: Value, classes: number): Value {
    const features = extent(x, 1);
    const weight = this.weights([classes, features], features);
    return this.g.node("Gemm", [x, weight, this.vector(classes, -0.1, 0.1)], { transB: int(1) });
  }

  /** x W + b over the last axis. */
  linear(x: Value, width: number, gain = 1): Value {
    const features = extent(x, rankOf(x) - 1);
    const product = this.g.matmul(x, this.weights([features, width], (6 * features) / (3 * gain)));
    return this.g.add(product, this.vector(width, -0.02, 0.02));
  }

  layerNorm(x: Value): Value {
    const width = extent(x, rankOf(x) - 1);
    return this.g.node("LayerNormalization", [x, this.vector(width, 0.9, 1.1), this.vector(width, -0.1, 0.1)], {
      axis: int(-1),
      epsilon: float(1e-6),
    });
  }

  /** x (1 + erf(x / sqrt 2)) / 2, in the five nodes exporters write it in. */
  gelu(x: Value): Value {
    const inner = this.g.add(this.g.node("Erf", [this.g.div(x, this.g.scalar(Math.SQRT2))]), this.g.scalar(1));
    return this.g.mul(this.g.mul(x, inner), this.g.scalar(0.5));
  }
}

interface ConvOptions {
  readonly stride?: number;
  readonly pad?: number;
  readonly group?: number;
  readonly bias?: boolean;
}
