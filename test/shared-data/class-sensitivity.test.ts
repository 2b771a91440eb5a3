/** @file Class sensitivity of maps computed in wasm, against the oracle's figures. */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { mapAgreement, spearman } from "../../shared/evaluation/rank.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import type { FloatMap } from "../../shared/imaging/resize.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { defaultSpec } from "../../shared/saliency/spec.ts";
import { goldenCases, goldenInput } from "../support/golden.ts";
import { runOnnx, tensorOf } from "../support/run-onnx.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

type ByLayer<T> = Readonly<Record<string, Readonly<Record<string, T>>>>;

interface Sensitivity {
  readonly model: string;
  readonly image: string;
  readonly logits: string;
  /** Maps resized to the input; null where one is constant. */
  readonly rho: ByLayer<{ readonly f64: number | null; readonly f32: number | null } | null>;
  readonly rho_native: ByLayer<number | null>;
}

/** Ranks of nearly equal values may change places in float32. */
const rhoTolerance = 1e-3;
/** How much further ours may be from float64 than another float32 implementation is. */
const float32Factor = 5;

const names: Readonly<Record<string, string>> = { linear_approx: "linear-approximation" };
const ours = (name: string): string => names[name] ?? name.replaceAll("_", "-");

describe.runIf(hasSharedData)("class sensitivity", () => {
  const all: readonly Sensitivity[] = hasSharedData
    ? JSON.parse(readFileSync(sharedData("golden", "class_sensitivity.json"), "utf8"))
    : [];

  it.each(all.map((s) => [`${s.model}, ${s.image}`, s] as const))("%s", async (_name, expected) => {
    const golden = goldenCases().find((c) => c.case.startsWith(`${expected.model}__${expected.image}__`));
    if (golden === undefined) throw new RangeError(`no case of ${expected.model} and ${expected.image}`);
    const { graph, declared } = importModel(readFileSync(sharedData("data", "models", golden.model.file)));
    const { name, shape } = golden.input;
    const prepared = prepare(graph, { declared, inputShapes: new Map([[name, shape]]) });
    const image = tensorOf(shape, goldenInput(golden));
    const layers = Object.keys(expected.rho);
    const size = { height: shape[2] ?? 0, width: shape[3] ?? 0 };
    const wrong: string[] = [];
    const few: string[] = [];
    for (const method of Object.keys(expected.rho[layers[0] ?? ""] ?? {})) {
      const spec = {
        ...defaultSpec,
        method: parseMethod(ours(method)),
        layers,
        output: expected.logits,
        layerMaps: true,
      };
      const { graph: explainer, manifest } = compileExplainer(prepared, spec, { sha256: "" });
      const bytes = exportModel(explainer);
      const run = async (target: number): Promise<ReadonlyMap<string, FloatMap>> => {
        const feed = new ort.Tensor("int64", BigInt64Array.of(BigInt(target)), [1]);
        const outputs = await runOnnx(bytes, { [name]: image, target: feed });
        return new Map(layers.map((layer) => [layer, mapOf(outputs.get(`map/${layer}`))]));
      };
      const [most, least] = [await run(-1), await run(-Number(manifest.classes))];
      for (const layer of layers) {
        const [a, b] = [most.get(layer), least.get(layer)];
        if (!a || !b) throw new RangeError(`no map of ${layer}`);
        const { f64 = null, f32 = null } = expected.rho[layer]?.[method] ?? {};
        const slack = rhoTolerance + float32Factor * Math.abs((f64 ?? 0) - (f32 ?? 0));
        const check = (what: string, found: number | null, want: number | null): void => {
          const same = found === null || want === null ? found === want : Math.abs(found - want) <= slack;
          if (!same) wrong.push(`${layer} ${method} ${what}: ${found} instead of ${want}`);
        };
        const native = expected.rho_native[layer]?.[method] ?? null;
        check("at its own size", spearman(a.data, b.data), native);
        // Of a map of one or two values (a gradient that a ReLU lets through or not) resizing makes ties that rounding
        // breaks: the oracle's own figures in float32 and float64 differ there.
        if (Math.min(levels(a.data), levels(b.data)) > 2) check("at the input's size", mapAgreement(a, b, size), f64);
        else few.push(`${layer} ${method}`);
      }
    }
    expect(wrong).toEqual([]);
    // The gradient where it is the class's weights, all of them or none.
    expect(few.filter((at) => !at.endsWith(" gradient"))).toEqual([]);
    expect(few.length).toBeLessThanOrEqual(2);
  });
});

/** How many values there are, up to rounding. */
function levels(values: Float32Array): number {
  const sorted = values.toSorted();
  const step = 1e-5 * Math.max(Math.abs(sorted[0] ?? 0), Math.abs(sorted.at(-1) ?? 0));
  return sorted.reduce((n, v, i) => (i === 0 || v - (sorted[i - 1] ?? v) > step ? n + 1 : n), 0);
}

function mapOf(tensor: ort.Tensor | undefined): FloatMap {
  if (!(tensor?.data instanceof Float32Array)) throw new TypeError("maps are float32");
  return { height: tensor.dims[2] ?? 0, width: tensor.dims[3] ?? 0, data: tensor.data };
}
