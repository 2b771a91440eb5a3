/** @file The golden operator battery: its manifest, its models, its arrays. */
import { readFileSync } from "node:fs";
import type { Graph, Value } from "../../shared/graph/ir.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { importModel } from "../../shared/onnx/import.ts";
import type { Tensor } from "./evaluate.ts";
import { readNpy } from "./npy.ts";
import { hasSharedData, sharedData } from "./shared-data.ts";

export interface GoldenOp {
  readonly name: string;
  readonly op: string;
  readonly opset: number;
  readonly model: string;
  readonly inputs: readonly { readonly name: string; readonly file: string; readonly grad: string }[];
  readonly outputs: readonly { readonly name: string; readonly file: string; readonly cotangent: string }[];
  readonly weights: readonly { readonly name: string; readonly grad: string }[];
  /** Set where onnxruntime cannot run the model: a clear error is the right answer to it. */
  readonly ort_error?: string;
}

/** All cases; none where the material is not there. */
export function goldenOps(): readonly GoldenOp[] {
  if (!hasSharedData) return [];
  // The manifest is test material of known form.
  return JSON.parse(readFileSync(sharedData("golden", "ops", "manifest.json"), "utf8")) as readonly GoldenOp[];
}

export const readGolden = (file: string): Tensor => readNpy(sharedData("golden", "ops", file));

/** The case's model, imported and prepared, and its inputs. */
export function openGolden(golden: GoldenOp): { readonly graph: Graph; readonly feeds: Map<Value, Tensor> } {
  const { graph, declared } = importModel(readFileSync(sharedData("golden", "ops", golden.model)));
  const prepared = prepare(graph, { declared });
  const feeds = new Map<Value, Tensor>();
  for (const { name, file } of golden.inputs) {
    const value = prepared.inputs.find((v) => v.name === name);
    if (value !== undefined) feeds.set(value, readGolden(file));
  }
  return { graph: prepared, feeds };
}

/**
 * The largest difference, relative to the largest expected magnitude (or to `scaleMin`, if that is more); what is
 * missing or NaN is infinitely wrong.
 */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>, scaleMin = 0): number {
  const wanted = Array.from(expected);
  const scale = wanted.reduce((m, v) => Math.max(m, Math.abs(v)), scaleMin);
  const errors = wanted.map((v, i) => Math.abs(v - (found[i] ?? Number.NaN)));
  if (found.length !== wanted.length || errors.some(Number.isNaN)) return Number.POSITIVE_INFINITY;
  return errors.reduce((m, e) => Math.max(m, e), 0) / (scale || 1);
}
