/** @file What one `evaluate` works with, made ready before the first image is read: wrong usage shows here. */
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import type { CardInfo } from "../../../shared/explanation/card-info.ts";
import type { Recipe } from "../../../shared/models/recipe.ts";
import type { Runtime } from "../../../shared/runtime/runtime.ts";
import { methodName, parseMethod } from "../../../shared/saliency/method.ts";
import type { ExplainSpec } from "../../../shared/saliency/spec.ts";
import { type Args, integerOf } from "../args.ts";
import { isBucketAddress } from "../buckets.ts";
import { withCard } from "../explain-job.ts";
import { type Explainer, makeExplainer } from "../explainer.ts";
import { ExplainerPool } from "../explainer-pool.ts";
import type { LoadedModel } from "../model.ts";
import { openPhotoModel } from "../photo-model.ts";
import { readSpec } from "../spec-args.ts";
import type { Terminal } from "../terminal.ts";
import { type ClassFinder, classFinder } from "./classes.ts";
import { type Dataset, openDataset, type Problem, problemOf } from "./dataset.ts";
import { type FileTree, openTrees } from "./file-tree.ts";
import type { Needed } from "./find-annotations.ts";
import { type Journal, openJournal } from "./journal.ts";

/** One method's explainer, and the maps it gives: one a layer, and their combination where there are several. */
export interface MethodRun {
  readonly method: string;
  readonly explainer: Explainer;
  readonly layers: readonly string[];
}

export interface EvaluateJob {
  readonly model: LoadedModel;
  readonly labels: CardInfo["labels"];
  readonly classes: number;
  readonly recipe: Recipe;
  readonly runtime: Runtime;
  readonly pool: ExplainerPool;
  readonly runs: readonly MethodRun[];
  readonly spec: ExplainSpec;
  readonly dataset: Dataset;
  readonly classOf: ClassFinder;
  readonly journal: Journal;
  readonly out: string;
  readonly args: Args;
  readonly terminal: Terminal;
  /** What failed so far: methods that cannot run on this model, annotations and images that cannot be read. */
  readonly problems: Problem[];
  /** What was left out on purpose: why, and of what. */
  readonly skipped: Map<string, string[]>;
}

/** The methods the paper compares. */
export const defaultMethods = ["gradient", "linear-approximation", "norm-grad-selective", "norm-grad", "grad-cam"];

/** More images than any dataset this is meant for. */
const LIMIT_MAX = 10_000_000;
/** Ranks up to here are read: no classifier has more classes. */
const RANK_MAX = 1_000_000;

/** Loads model and dataset, compiles the methods, opens the journal. `annotated`: what images show must be known. */
export async function prepareEvaluation(args: Args, terminal: Terminal, annotated: Needed): Promise<EvaluateJob> {
  const out = args.text("out") ?? path.join("out", "evaluation");
  if (isBucketAddress(out)) {
    throw new AppError("spec-invalid", `--out is a folder of this machine, where the journal grows, not "${out}"`);
  }
  const { model, card, recipe, notes, runtime } = await openPhotoModel(args, terminal, "evaluate");
  if (recipe instanceof AppError) throw recipe;
  for (const note of notes) terminal.note(`note: ${note}`);
  const spec = withCard(readSpec(args, true), args, card);
  const problems: Problem[] = [];
  const methods = args.list("methods");
  const wanted = (methods.length > 0 ? methods : defaultMethods).map((text) => {
    const method = parseMethod(text);
    return { name: methodName(method), spec: { ...spec, method } };
  });
  const runs = compileRuns({ model, terminal, problems }, wanted);
  const classes = classCount(runs);
  const files = openTrees(terminal);
  const dataset = await readDataset(args, card, annotated, files, terminal);
  problems.push(...dataset.problems);
  return {
    model,
    labels: card.labels,
    classes,
    recipe,
    runtime,
    pool: new ExplainerPool(runtime, model, terminal.progress),
    runs,
    spec,
    dataset,
    classOf: await classFinder(args.text("classes"), files, card.labels, classes),
    journal: await openJournal(path.join(out, "journal.jsonl")),
    out,
    args,
    terminal,
    problems,
    skipped: new Map(),
  };
}

function readDataset(
  args: Args,
  { card }: CardInfo,
  annotated: Needed,
  files: FileTree,
  terminal: Terminal,
): Promise<Dataset> {
  const rankBelow = integerOf(args, "rank-below", 1, RANK_MAX);
  // Pairs count ImageNet's classes from 0; a model whose class 0 is the background has them one further on.
  const offset = integerOf(args, "class-offset", -RANK_MAX, RANK_MAX) ?? (card?.background === 0 ? 1 : 0);
  const options = {
    annotations: args.text("annotations"),
    images: args.text("images"),
    names: args.text("names"),
    pairs: { offset, ...(rankBelow !== undefined && { rankBelow }) },
    needed: annotated,
    limit: integerOf(args, "limit", 1, LIMIT_MAX),
  };
  return openDataset(args.positionals.at(-1) ?? "", options, files, terminal);
}

/** A method that this model does not allow is listed with the reason; only where none is left nothing can be done. */
export function compileRuns(
  { model, terminal, problems }: Pick<EvaluateJob, "model" | "terminal" | "problems">,
  wanted: readonly { readonly name: string; readonly spec: ExplainSpec }[],
): readonly MethodRun[] {
  const runs: MethodRun[] = [];
  for (const { name, spec } of wanted) {
    terminal.progress(`compiling ${name}`);
    try {
      runs.push(runOf(name, makeExplainer(model, spec)));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (wanted.length === 1) throw error;
      problems.push(problemOf(`method ${name}`, error));
      terminal.warn(`FAILED method ${name}: ${error.message}`);
    }
  }
  if (runs.length === 0) throw new AppError("spec-invalid", "none of the methods can run on this model: see above");
  return runs;
}

export const runOf = (method: string, explainer: Explainer): MethodRun => {
  const { layers, spec } = explainer.manifest;
  const names = layers.map((l) => l.name);
  return { method, explainer, layers: names.length > 1 ? [...names, `combined (${spec.combine})`] : names };
};

function classCount(runs: readonly MethodRun[]): number {
  const classes = runs[0]?.explainer.manifest.classes;
  if (typeof classes === "number") return classes;
  throw new AppError("model-unsupported", "cannot evaluate a model whose number of classes is only known when it runs");
}

/** Why a map of a method is left out: tokens that are no grid of patches, or an image of which nothing was seen. */
export const noPlace = "maps without a place on their image";

/** Counts something left out, with what it was. */
export function skip(job: Pick<EvaluateJob, "skipped">, why: string, what: string): void {
  const list = job.skipped.get(why) ?? [];
  job.skipped.set(why, list);
  list.push(what);
}
