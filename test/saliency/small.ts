/** @file The small classifier of the tests, compiled and run: what several files of tests here begin with. */
import * as ort from "onnxruntime-web";
import { expect } from "vitest";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { defaultSpec, type ExplainSpec } from "../../shared/saliency/spec.ts";
import { runOnnx, tensorOf } from "../support/run-onnx.ts";
import { randomNumbers, type TinyClassifierOptions, tinyClassifier } from "../support/tiny-models.ts";

export const size = 8;
export const classes = 5;

export const image = (seed: number, batch = 1, channels = 3): ort.Tensor =>
  tensorOf([batch, channels, size, size], randomNumbers(seed, batch * channels * size * size));

export const targets = (...ids: readonly number[]): ort.Tensor =>
  new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [ids.length]);

/** Of one layer, the last, and without a Softmax, unless said otherwise. */
export function compiled(
  { method, ...spec }: Partial<Omit<ExplainSpec, "method">> & { readonly method: string },
  options: TinyClassifierOptions = {},
) {
  const { graph, declared } = importModel(tinyClassifier({ softmax: false, ...options }));
  const prepared = prepare(graph, { declared });
  const whole = { ...defaultSpec, layers: "last", ...spec, method: parseMethod(method) } as const;
  const explainer = compileExplainer(prepared, whole, { sha256: "" });
  return { ...explainer, bytes: exportModel(explainer.graph) };
}

/** An output of float32 numbers. */
export async function outputOf(
  bytes: Uint8Array,
  feeds: Readonly<Record<string, ort.Tensor>>,
  name = "saliency",
): Promise<Float32Array> {
  const data = (await runOnnx(bytes, feeds)).get(name)?.data;
  if (!(data instanceof Float32Array)) throw new TypeError(`"${name}" is float32`);
  return data;
}

/** The same, up to `tolerance` of the largest expected magnitude. */
export function expectClose(a: ArrayLike<number>, b: ArrayLike<number>, tolerance = 1e-5): void {
  expect(a.length).toBe(b.length);
  const scale = Array.from(b).reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
  const worst = Array.from(a, (v, i) => Math.abs(v - (b[i] ?? Number.NaN))).reduce((m, e) => Math.max(m, e), 0);
  expect(worst / scale).toBeLessThan(tolerance);
}

export const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
