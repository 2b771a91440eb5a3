/** @file The operator battery through `gradientGraph`: outputs and gradients against the oracle, in wasm. */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { afterAll, describe, expect, it } from "vitest";
import { gradientGraph } from "../../shared/autodiff/gradient.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import type { Tensor } from "../support/evaluate/tensor.ts";
import { goldenOps, readGolden, relativeError } from "../support/golden-ops.ts";
import { runOnnx } from "../support/run-onnx.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

/** Relative to the largest gradient, as the goldens' README recommends; these operators round more in float32. */
const gradientTolerance = 1e-5;
const outputTolerance = 2e-6;
const outputToleranceLoose = 1e-5;
const loose: ReadonlySet<string> = new Set(["LRN", "Softmax", "LogSoftmax", "Pow", "Gelu", "compose"]);

const float32 = ({ dims, data }: Tensor): ort.Tensor => new ort.Tensor("float32", Float32Array.from(data), [...dims]);

function floats(outputs: ReadonlyMap<string, ort.Tensor>, name: string): Float32Array {
  const data = outputs.get(name)?.data;
  if (!(data instanceof Float32Array)) throw new RangeError(`no float32 output "${name}"`);
  return data;
}

describe.runIf(hasSharedData)("operator battery", () => {
  const cases = goldenOps();
  let worst = { name: "", error: 0 };

  it.each(cases.filter((c) => c.ort_error === undefined).map((c) => [c.name, c] as const))("%s", async (name, c) => {
    const bytes = readFileSync(sharedData("golden", "ops", `${name}.onnx`));
    const { graph, declared } = importModel(bytes);
    const wrt = [...c.inputs.flatMap((i) => (i.grad ? [i.name] : [])), ...c.weights.map((w) => w.name)];
    const gradient = gradientGraph(prepare(graph, { declared }), { wrt });
    const feeds = Object.fromEntries(c.inputs.map((i) => [i.name, float32(readGolden(i.file))]));
    const cotangents = c.outputs.flatMap((o) =>
      o.cotangent ? [[`cotangent/${o.name}`, float32(readGolden(o.cotangent))] as const] : [],
    );
    expect(gradient.inputs.map((v) => v.name).sort()).toEqual(
      [...Object.keys(feeds), ...cotangents.map(([n]) => n)].sort(),
    );
    const forward = await runOnnx(bytes, feeds);
    for (const o of c.outputs) {
      const tolerance = loose.has(c.op) ? outputToleranceLoose : outputTolerance;
      expect(relativeError(floats(forward, o.name), readGolden(o.file).data), `output ${o.name}`).toBeLessThanOrEqual(
        tolerance,
      );
    }
    const outputs = await runOnnx(exportModel(gradient), { ...feeds, ...Object.fromEntries(cotangents) });
    const golden = [...c.inputs, ...c.weights].flatMap((t) => (t.grad ? [[t.name, t.grad] as const] : []));
    for (const [tensor, file] of golden) {
      const error = relativeError(floats(outputs, `gradient/${tensor}`), readGolden(file).data);
      if (error > worst.error) worst = { name: `${name} ${tensor}`, error };
      expect(error, `gradient of ${tensor}`).toBeLessThanOrEqual(gradientTolerance);
    }
  });

  it.each(cases.filter((c) => c.ort_error !== undefined).map((c) => [c.name]))(
    "%s, which the runtime cannot run, is refused with the reason",
    (name) => {
      expect(() => importModel(readFileSync(sharedData("golden", "ops", `${name}.onnx`)))).toThrowError(
        /LRN|broadcast/,
      );
    },
  );

  afterAll(() => console.log(`operator battery: worst gradient ${worst.error.toExponential(2)} (${worst.name})`));
});
