/** @file The operator battery through `gradientGraph`: outputs and gradients against the oracle, in wasm. */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { afterAll, describe, expect, it } from "vitest";
import { gradientGraph } from "../../shared/autodiff/gradient.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import type { Tensor } from "../support/evaluate/tensor.ts";
import { readNpy } from "../support/npy.ts";
import { runOnnx } from "../support/run-onnx.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

interface OpCase {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly { readonly name: string; readonly file: string; readonly grad?: string }[];
  readonly outputs: readonly { readonly name: string; readonly file: string; readonly cotangent?: string }[];
  readonly weights: readonly { readonly name: string; readonly grad: string }[];
  readonly ort_error?: string;
}

const ops = (...parts: readonly string[]): string => sharedData("golden", "ops", ...parts);
const load = (file: string): Tensor => readNpy(ops(file));

/** Relative to the largest gradient, as the goldens' README recommends; these operators round more in float32. */
const gradientTolerance = 1e-5;
const outputTolerance = 2e-6;
const outputToleranceLoose = 1e-5;
const loose: ReadonlySet<string> = new Set(["LRN", "Softmax", "LogSoftmax", "Pow", "Gelu", "compose"]);

function deviation(actual: ArrayLike<number>, golden: Tensor): number {
  if (actual.length !== golden.data.length) return Number.POSITIVE_INFINITY;
  const largest = golden.data.reduce((m, v) => Math.max(m, Math.abs(v)), 0) || 1;
  return golden.data.reduce((worst, v, i) => {
    const d = Math.abs(v - (actual[i] ?? Number.NaN)) / largest;
    return Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(worst, d);
  }, 0);
}

const float32 = ({ dims, data }: Tensor): ort.Tensor => new ort.Tensor("float32", Float32Array.from(data), [...dims]);

function floats(outputs: ReadonlyMap<string, ort.Tensor>, name: string): Float32Array {
  const data = outputs.get(name)?.data;
  if (!(data instanceof Float32Array)) throw new RangeError(`no float32 output "${name}"`);
  return data;
}

describe.runIf(hasSharedData)("operator battery", () => {
  const cases: readonly OpCase[] = hasSharedData ? JSON.parse(readFileSync(ops("manifest.json"), "utf8")) : [];
  let worst = { name: "", error: 0 };

  it.each(cases.filter((c) => c.ort_error === undefined).map((c) => [c.name, c] as const))("%s", async (name, c) => {
    const bytes = readFileSync(ops(`${name}.onnx`));
    const { graph, declared } = importModel(bytes);
    const wrt = [...c.inputs.flatMap((i) => (i.grad ? [i.name] : [])), ...c.weights.map((w) => w.name)];
    const gradient = gradientGraph(prepare(graph, { declared }), { wrt });
    const feeds = Object.fromEntries(c.inputs.map((i) => [i.name, float32(load(i.file))]));
    const cotangents = c.outputs.flatMap((o) =>
      o.cotangent ? [[`cotangent/${o.name}`, float32(load(o.cotangent))] as const] : [],
    );
    expect(gradient.inputs.map((v) => v.name).sort()).toEqual(
      [...Object.keys(feeds), ...cotangents.map(([n]) => n)].sort(),
    );
    const forward = await runOnnx(bytes, feeds);
    for (const o of c.outputs) {
      const tolerance = loose.has(c.op) ? outputToleranceLoose : outputTolerance;
      expect(deviation(floats(forward, o.name), load(o.file)), `output ${o.name}`).toBeLessThanOrEqual(tolerance);
    }
    const outputs = await runOnnx(exportModel(gradient), { ...feeds, ...Object.fromEntries(cotangents) });
    const golden = [...c.inputs, ...c.weights].flatMap((t) => (t.grad ? [[t.name, t.grad] as const] : []));
    for (const [tensor, file] of golden) {
      const error = deviation(floats(outputs, `gradient/${tensor}`), load(file));
      if (error > worst.error) worst = { name: `${name} ${tensor}`, error };
      expect(error, `gradient of ${tensor}`).toBeLessThanOrEqual(gradientTolerance);
    }
  });

  it.each(cases.filter((c) => c.ort_error !== undefined).map((c) => [c.name]))(
    "%s, which the runtime cannot run, is refused with the reason",
    (name) => {
      expect(() => importModel(readFileSync(ops(`${name}.onnx`)))).toThrowError(/LRN|broadcast/);
    },
  );

  afterAll(() => console.log(`operator battery: worst gradient ${worst.error.toExponential(2)} (${worst.name})`));
});
