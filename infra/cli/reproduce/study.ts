/**
 * @file The paper's comparison, run: methods x layers, with and without the step of meta-saliency, every combination of
 * layers, and steps of several sizes. Composes the evaluations of `backlight evaluate`; writing it up is elsewhere.
 */
import { AppError } from "../../../shared/errors.ts";
import { weightStrategies } from "../../../shared/evaluation/weights.ts";
import { normalisedWeights } from "../../../shared/saliency/combine.ts";
import { parseMethod } from "../../../shared/saliency/method.ts";
import type { ExplainSpec, MetaSpec } from "../../../shared/saliency/spec.ts";
import type { Problem } from "../evaluate/dataset.ts";
import { compileRuns, type EvaluateJob, type MethodRun } from "../evaluate/job.ts";
import { evaluatePointing } from "../evaluate/pointing.ts";
import type { Report, Row } from "../evaluate/report.ts";
import { evaluateSensitivity } from "../evaluate/sensitivity.ts";
import { evaluateCombinations, UNIFORM, type Weighting } from "./combined.ts";
import { FeatureStore, type LayerWeights, layerWeights } from "./layer-weights.ts";
import { META } from "./paper.ts";

/** All methods that the authors have figures of. */
export const studyMethods = [
  "contrastive-excitation-backprop",
  "excitation-backprop",
  "grad-cam",
  "gradient",
  "gradient-sum",
  "guided-backprop",
  "guided:bias:sum",
  "linear-approximation",
  "norm-grad",
  "norm-grad-selective",
];

/** Those that the paper puts the step of meta-saliency before. */
const metaMethods = ["norm-grad", "norm-grad-selective"];

export type Step = MetaSpec["step"];
/** The authors' sweep, and the step that suits each image. */
export const defaultSteps: readonly Step[] = [1e-4, 5e-4, 1e-3, 5e-3, 1e-2, "auto"];

export interface Study {
  readonly job: EvaluateJob;
  readonly pointing: Report;
  readonly sensitivity: Report;
  /** One a method and weighting; a method of a single layer has none. */
  readonly weights: readonly (LayerWeights & { readonly method: string })[];
  readonly combined: readonly Row[];
  /** A row a method and size of step, at the last layer. */
  readonly sweep: readonly Row[];
}

export async function runStudy(plain: EvaluateJob, steps: readonly Step[]): Promise<Study> {
  const { terminal } = plain;
  const stepped = tryRuns(
    plain,
    metaMethods.map((name) => ({ name: `${name}${META}`, spec: metaSpec(plain.spec, name, "auto") })),
  );
  const runs = [...plain.runs, ...stepped];
  const job = { ...plain, runs, problems: [...plain.problems, ...leftOut(runs)] };
  terminal.note("pointing game, every method at every layer");
  const pointing = await evaluatePointing(job);
  const later = { ...job, skipped: new Map<string, string[]>() }; // what is left out was counted once
  terminal.note("class sensitivity");
  const sensitivity = await evaluateSensitivity(later);
  terminal.note("weights of layers and their combinations");
  const { weights, combined } = await studyCombinations(later);
  terminal.note("meta-saliency, steps of several sizes");
  const sweep = await studySteps(later, steps);
  return {
    job: { ...job, problems: distinct(job.problems) },
    pointing,
    sensitivity,
    weights,
    combined,
    sweep,
  };
}

/** What the model or the dataset does not allow: a result of the comparison, not a failure of it. */
export const isRefusal = ({ what }: Problem): boolean => what.startsWith("method ") || what.startsWith("weighting ");

const refusal = (what: string, { code, message }: AppError): Problem => ({ what, code, message });

/** A method is measured only where it says something: contrastive excitation backprop not above the last weights. */
function leftOut(runs: readonly MethodRun[]): readonly Problem[] {
  const layersOf = ({ explainer }: MethodRun): readonly string[] => explainer.manifest.layers.map(({ name }) => name);
  const all = [...new Set(runs.flatMap(layersOf))];
  return runs.flatMap((run) => {
    const has = layersOf(run);
    const without = all.filter((layer) => !has.includes(layer)).map((layer) => `"${layer}"`);
    const message = `it says nothing at ${without.join(", ")}, and was measured at its other layers alone`;
    return without.length === 0 ? [] : [{ what: `method ${run.method}`, code: "spec-invalid", message }];
  });
}

/** Each pass meets the same unreadable images again. */
const distinct = (problems: readonly Problem[]): Problem[] => [
  ...new Map(problems.map((p) => [JSON.stringify([p.what, p.message]), p])).values(),
];

const metaSpec = (spec: ExplainSpec, method: string, step: Step): ExplainSpec => ({
  ...spec,
  method: parseMethod(method),
  meta: { step, sign: "descent", variant: "stop-gradient", weights: "all" },
});

/** A model that allows no step at all is no reason to stop: the refusals are listed. */
function tryRuns(job: EvaluateJob, wanted: Parameters<typeof compileRuns>[1]): readonly MethodRun[] {
  try {
    return compileRuns(job, wanted);
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}

async function studyCombinations(job: EvaluateJob): Promise<Pick<Study, "weights" | "combined">> {
  const features = new FeatureStore();
  const weights: (LayerWeights & { readonly method: string })[] = [];
  const combined: Row[] = [];
  for (const run of job.runs) {
    const count = run.explainer.manifest.layers.length;
    if (count < 2) continue;
    const weightings: Weighting[] = [
      { name: UNIFORM, weights: normalisedWeights("uniform", count) },
      { name: "linear", weights: normalisedWeights("linear", count) },
    ];
    for (const strategy of weightStrategies) {
      try {
        const found = await layerWeights(job, run, strategy, features);
        weights.push({ ...found, method: run.method });
        weightings.push({ name: strategy, weights: found.weights });
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "dataset-invalid") throw error;
        job.problems.push(refusal(`weighting ${strategy}`, error));
      }
    }
    combined.push(...(await evaluateCombinations(job, run, weightings)));
  }
  return { weights, combined };
}

async function studySteps(job: EvaluateJob, steps: readonly Step[]): Promise<readonly Row[]> {
  const [stepped] = job.runs.filter((run) => run.method.endsWith(META));
  const last = stepped?.explainer.manifest.layers.at(-1)?.name;
  if (last === undefined || steps.length === 0) return [];
  const spec = { ...job.spec, layers: [last] };
  const asked = metaMethods.flatMap((method) => [
    { method, step: "none", spec: { ...spec, method: parseMethod(method) } },
    ...steps.map((step) => ({ method, step: String(step), spec: metaSpec(spec, method, step) })),
  ]);
  const runs = tryRuns(
    job,
    asked.map(({ method, step, spec: own }) => ({ name: `${method}, step ${step}`, spec: own })),
  );
  if (runs.length === 0) return [];
  const pointing = await evaluatePointing({ ...job, runs });
  const sensitivity = await evaluateSensitivity({ ...job, runs });
  return asked.flatMap(({ method, step }) => {
    const name = `${method}, step ${step}`;
    const hits = pointing.rows.find((row) => row["method"] === name && row["subset"] === "all");
    const rho = sensitivity.rows.find((row) => row["method"] === name);
    if (hits === undefined || rho === undefined) return [];
    const pick = (row: Row, key: string): Row => ({
      [key]: row[key] ?? null,
      [`${key} low`]: row[`${key} low`] ?? null,
      [`${key} high`]: row[`${key} high`] ?? null,
    });
    return [{ method, layer: last, step, ...pick(hits, "accuracy"), ...pick(rho, "rho") }];
  });
}
