/** @file Every map of the independent oracle but those after a training step, in wasm. */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { afterAll, describe, expect, it } from "vitest";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { defaultSpec, type ExplainSpec, type Objective } from "../../shared/saliency/spec.ts";
import {
  compareMap,
  type GoldenCase,
  type GoldenEntry,
  goldenCases,
  goldenInput,
  goldenNoise,
} from "../support/golden.ts";
import { runOnnx, tensorOf } from "../support/run-onnx.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

/** Recommended for float32 by the goldens' README: kinks may flip a few pixels, nothing else may move. */
const pixelP99Max = 5e-3;
const pixelMax = 5e-2;
const cosineMin = 0.9999;
/** Over the whole set, this share of entries agrees at every pixel as closely as float32 can. */
const exactShareMin = 0.85;
const exactFloor = 1e-4;
const exactFactor = 20;

const objectives: Readonly<Record<string, Objective>> = {
  logit: "logit",
  nll: "nll",
  log_softmax: "log-softmax",
  prob: "probability",
  pointing: "pointing",
};

/** The goldens' method names in ours. */
function ourMethod(name: string): string {
  if (name.startsWith("guided_backprop:")) return `guided:${name.slice(16).replaceAll("_", "-")}`;
  if (name.startsWith("deconvnet:")) return name.replaceAll("_", "-");
  const known: Readonly<Record<string, string>> = {
    linear_approx: "linear-approximation",
    grad_cam_pp: "grad-cam++",
    ebp: "excitation-backprop",
    contrastive_ebp: "contrastive-excitation-backprop",
    contrastive_ebp_signed: "contrastive-excitation:bias:sum",
    "smoothgrad:mean_grad:max_abs": "smooth-gradient:bias:max-abs",
    "smoothgrad:mean_grad:sum": "smooth-gradient:bias:sum",
    "smoothgrad:mean_of_max_abs": "smooth-grad",
    "integrated_gradients:sum": "integrated-gradients",
    "integrated_gradients:sum_abs": "integrated:scaling:sum-abs",
  };
  const text = (known[name] ?? name).replace("real_conv", "conv-real").replaceAll("_", "-");
  parseMethod(text); // throws for a method we do not have
  return text;
}

interface Job {
  readonly method: string;
  readonly layers: readonly string[];
  readonly entries: readonly GoldenEntry[];
  readonly combine?: Pick<ExplainSpec, "combine" | "weights">;
}

/** One explainer for all layers of a method; one for each combination. */
function jobsOf(golden: GoldenCase): readonly Job[] {
  const single = new Map<string, GoldenEntry[]>();
  const jobs: Job[] = [];
  for (const entry of golden.maps) {
    const combination = /^combine:(\w+):(sum|product):(uniform|linear)$/.exec(entry.method);
    if (combination && entry.layers) {
      const [, name = "", combine, weights] = combination;
      const method = ourMethod(name);
      const how = {
        combine: combine === "sum" ? "sum" : "product",
        weights: weights === "linear" ? "linear" : "uniform",
      } as const;
      jobs.push({ method, layers: entry.layers, entries: [entry], combine: how });
      continue;
    }
    if (entry.method.startsWith("meta:")) continue; // golden-meta.test.ts
    const method = ourMethod(entry.method);
    single.set(method, [...(single.get(method) ?? []), entry]);
  }
  for (const [method, entries] of single)
    jobs.push({ method, layers: [...new Set(entries.map((e) => e.layer))], entries });
  return jobs;
}

async function mapsOf(
  golden: GoldenCase,
  input: Float32Array,
  job: Job,
): Promise<ReadonlyMap<string, ArrayLike<number>>> {
  const imported = importModel(readFileSync(sharedData("data", "models", golden.model.file)));
  const shape = new Map([[golden.input.name, golden.input.shape]]);
  const graph = prepare(imported.graph, { declared: imported.declared, inputShapes: shape });
  // Without a combination each layer is compiled alone where it must be (tokens have no common grid), else together.
  const spec = (layers: readonly string[]): ExplainSpec => ({
    ...defaultSpec,
    ...job.combine,
    method: parseMethod(job.method),
    layers,
    objective: objectives[golden.objective.kind] ?? "logit",
    output: golden.objective.tensor,
    layerMaps: true,
  });
  const noise = goldenNoise(golden, job.entries);
  const samples = noise && { samples: { count: noise.dims[0] ?? 0, noise: "given" as const } };
  const explainer = compileExplainer(graph, { ...spec(job.layers), ...samples }, { sha256: "" });
  const outputs = await runOnnx(exportModel(explainer.graph), {
    ...(noise && { noise: tensorOf(noise.dims, noise.data) }),
    [golden.input.name]: tensorOf(golden.input.shape, input),
    target: new ort.Tensor("int64", BigInt64Array.from([BigInt(golden.objective.class)]), [1]),
  });
  const data = (name: string): ArrayLike<number> => {
    const tensor = outputs.get(name);
    if (!(tensor?.data instanceof Float32Array)) throw new RangeError(`no output ${name}`);
    return tensor.data;
  };
  if (job.combine) return new Map([[job.entries[0]?.layer ?? "", data("saliency")]]);
  return new Map(job.layers.map((layer) => [layer, data(`map/${layer}`)]));
}

describe.runIf(hasSharedData)("golden maps", () => {
  const all: { readonly name: string; readonly worst: number; readonly exact: boolean }[] = [];
  const cases = hasSharedData ? goldenCases() : [];

  it.each(cases.map((c) => [c.case, c] as const))("%s", async (name, golden) => {
    const input = goldenInput(golden);
    const wrong: string[] = [];
    for (const job of jobsOf(golden)) {
      const maps = await mapsOf(golden, input, job);
      for (const entry of job.entries) {
        const { worst, p99, cosine } = compareMap(entry, maps.get(entry.layer) ?? []);
        all.push({
          name: `${name} ${entry.layer} ${entry.method}`,
          worst,
          exact: worst <= Math.max(exactFloor, exactFactor * entry.f32_rel),
        });
        if (!(worst <= pixelMax && p99 <= pixelP99Max && cosine >= cosineMin)) {
          wrong.push(`${entry.layer} ${entry.method}: worst ${worst}, 99% within ${p99}, cosine ${cosine}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it("agrees at every pixel in at least 85 % of all entries", () => {
    const exact = all.filter((a) => a.exact).length;
    expect(all.length).toBeGreaterThan(1500);
    expect(exact / all.length).toBeGreaterThanOrEqual(exactShareMin);
  });

  afterAll(() => {
    const exact = all.filter((a) => a.exact).length;
    const worst = [...all].sort((a, b) => b.worst - a.worst).slice(0, 5);
    console.log(`golden maps: ${all.length} entries, ${exact} exact at every pixel; worst:`);
    for (const { name, worst: w } of worst) console.log(`  ${w.toExponential(2)} ${name}`);
  });
});
