/** @file Meta-saliency against the independent oracle, in wasm: every step size, both signs, both variants. */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { afterAll, describe, expect, it } from "vitest";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { metaOutputs } from "../../shared/saliency/meta/step.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { defaultSpec, type MetaSpec } from "../../shared/saliency/spec.ts";
import {
  type Agreement,
  compareMap,
  type GoldenCase,
  type GoldenEntry,
  goldenCases,
  goldenInput,
} from "../support/golden.ts";
import { runOnnx, tensorOf } from "../support/run-onnx.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

interface MetaEntry extends GoldenEntry {
  readonly eps: number;
  readonly negate: boolean;
  readonly variant: "stop_gradient" | "full";
}

interface MetaInfo {
  readonly eps: number;
  readonly negate: boolean;
  readonly ce_before: number;
  readonly ce_after: number;
  readonly grad_norm_sq: number;
}

const isMeta = (entry: GoldenEntry): entry is MetaEntry => "eps" in entry && entry.method.startsWith("meta:");
const infoOf = (golden: GoldenCase): readonly MetaInfo[] =>
  "meta_info" in golden ? (golden.meta_info as readonly MetaInfo[]) : []; // as the manifests have it

/** Nets whose losses are so flat that no tested step leaves the linear range. */
const wellConditioned = /^(cifar10|vww|mobilenetv1)/;
const exactMax = 1e-4;
/** Large steps on large nets amplify float32's rounding: what the oracle's own float32 run deviates, with slack. */
const looseMax = 5e-2;
const looseFactor = 5;
const rankMin = 0.999;
/** Ten times the limits of maps without a step. */
const smallStepMax = 1e-6;
const small = { worst: 0.5, p99: 5e-2, cosine: 0.9999 };

/**
 * A step that promises to change the loss by so many nats is far outside anything linear, and amplifies a single unit
 * that the wasm kernels put on the other side of its kink at the model's own weights. Such an entry must be close in
 * the native engine, whose kernels round otherwise; in wasm its direction must still be right.
 */
const wildNats = 100;
const wildCosineMin = 0.998;
const wildShareMax = 0.05;

function isClose(name: string, entry: MetaEntry, { worst, p99, cosine, rank }: Agreement): boolean {
  if (wellConditioned.test(name)) return worst <= exactMax;
  if (entry.eps <= smallStepMax) return worst <= small.worst && p99 <= small.p99 && cosine >= small.cosine;
  return worst <= Math.max(looseMax, looseFactor * entry.f32_rel) && rank >= rankMin;
}

const methods: Readonly<Record<string, string>> = { "meta:linear_approx": "linear-approximation" };
const methodOf = (entry: GoldenEntry): string => methods[entry.method] ?? entry.method.slice(5).replaceAll("_", "-");

interface Job {
  readonly method: string;
  readonly meta: MetaSpec;
  readonly entries: readonly MetaEntry[];
}

function jobsOf({ maps }: GoldenCase): readonly Job[] {
  const jobs = new Map<string, { method: string; meta: MetaSpec; entries: MetaEntry[] }>();
  for (const entry of maps.filter(isMeta)) {
    const meta = {
      step: entry.eps,
      sign: entry.negate ? "ascent" : "descent",
      variant: entry.variant === "full" ? "full" : "stop-gradient",
      weights: "all",
    } as const;
    const method = methodOf(entry);
    const key = JSON.stringify([method, meta]);
    const job = jobs.get(key) ?? { method, meta, entries: [] };
    job.entries.push(entry);
    jobs.set(key, job);
  }
  return [...jobs.values()];
}

type Outputs = ReadonlyMap<string, { readonly data: unknown }>;
type Run = (bytes: Uint8Array, feeds: Readonly<Record<string, ort.Tensor>>) => Promise<Outputs>;

const runNative: Run = async (bytes, feeds) => {
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const fed = Object.entries(feeds).map(([name, t]) => [name, new Tensor(t.type, t.data, t.dims)] as const);
  return new Map(Object.entries(await session.run(Object.fromEntries(fed))));
};

async function run(golden: GoldenCase, input: Float32Array, job: Job, engine: Run = runOnnx): Promise<Outputs> {
  const imported = importModel(readFileSync(sharedData("data", "models", golden.model.file)));
  const shape = new Map([[golden.input.name, golden.input.shape]]);
  const graph = prepare(imported.graph, { declared: imported.declared, inputShapes: shape });
  const spec = {
    ...defaultSpec,
    method: parseMethod(job.method),
    layers: [...new Set(job.entries.map((e) => e.layer))],
    output: golden.objective.tensor,
    layerMaps: true,
    meta: job.meta,
  };
  const explainer = compileExplainer(graph, spec, { sha256: "" });
  return engine(exportModel(explainer.graph), {
    [golden.input.name]: tensorOf(golden.input.shape, input),
    target: new ort.Tensor("int64", BigInt64Array.from([BigInt(golden.objective.class)]), [1]),
  });
}

const numbersOf = (outputs: Outputs, name: string): ArrayLike<number> => {
  const data = outputs.get(name)?.data;
  if (!(data instanceof Float32Array)) throw new RangeError(`no output ${name}`);
  return data;
};

describe.runIf(hasSharedData)("golden meta-saliency", () => {
  const cases = (hasSharedData ? goldenCases() : []).filter((c) => c.maps.some(isMeta));
  const all: { readonly name: string; readonly worst: number }[] = [];
  let wild = 0;

  it.each(cases.map((c) => [c.case, c] as const))("%s", async (name, golden) => {
    const input = goldenInput(golden);
    const wrong: string[] = [];
    for (const job of jobsOf(golden)) {
      const outputs = await run(golden, input, job);
      const info = infoOf(golden).find((i) => i.eps === job.meta.step && i.negate === (job.meta.sign === "ascent"));
      const isWild = info !== undefined && info.eps * info.grad_norm_sq > wildNats;
      let native: Outputs | undefined;
      for (const entry of job.entries) {
        let agreement = compareMap(entry, numbersOf(outputs, `map/${entry.layer}`));
        if (isWild && !isClose(name, entry, agreement) && agreement.cosine >= wildCosineMin) {
          native ??= await run(golden, input, job, runNative);
          agreement = compareMap(entry, numbersOf(native, `map/${entry.layer}`));
          wild += 1;
        }
        const what = `${entry.layer} ${job.method} ${job.meta.variant} ${job.meta.sign} ${job.meta.step}`;
        all.push({ name: `${name} ${what}`, worst: agreement.worst });
        if (!isClose(name, entry, agreement)) wrong.push(`${what}: ${JSON.stringify(agreement)}`);
      }
      if (info === undefined) continue;
      const reported = Object.values(metaOutputs).map((output) => numbersOf(outputs, output)[0] ?? Number.NaN);
      const expected = [info.eps, info.ce_before, info.ce_after, info.grad_norm_sq];
      for (const [i, value] of expected.entries()) {
        const error = Math.abs((reported[i] ?? Number.NaN) - value) / Math.max(Math.abs(value), 1e-4);
        if (!(error <= 1e-2)) wrong.push(`${JSON.stringify(job.meta)}: reported ${reported}, expected ${expected}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("covers every entry", () => {
    expect(all.length).toBe(cases.flatMap((c) => c.maps.filter(isMeta)).length);
    expect(all.length).toBeGreaterThan(350);
    expect(wild / all.length).toBeLessThanOrEqual(wildShareMax);
  });

  afterAll(() => {
    const worst = [...all].sort((a, b) => b.worst - a.worst).slice(0, 5);
    console.log(`golden meta-saliency: ${all.length} entries, ${wild} of them judged in the native engine; worst:`);
    for (const { name, worst: w } of worst) console.log(`  ${w.toExponential(2)} ${name}`);
  });
});
