/** @file What one `explain` command works with, made ready before the first image is read: wrong usage shows here. */
import { AppError } from "../../shared/errors.ts";
import { type CardInfo, labelNotes } from "../../shared/explanation/card-info.ts";
import type { Circumstances } from "../../shared/explanation/document.ts";
import type { Drawing } from "../../shared/explanation/picture.ts";
import type { Region } from "../../shared/explanation/region.ts";
import { readSums, type SumTarget, termsOf } from "../../shared/explanation/sums.ts";
import type { Recipe } from "../../shared/models/recipe.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import type { ExplainSpec, Method } from "../../shared/saliency/spec.ts";
import type { Args } from "./args.ts";
import { type Explainer, makeExplainer } from "./explainer.ts";
import { ExplainerPool } from "./explainer-pool.ts";
import type { LoadedModel } from "./model.ts";
import { openPhotoModel } from "./photo-model.ts";
import { readRegion, readSpec } from "./spec-args.ts";
import type { Terminal } from "./terminal.ts";
import { version } from "./version.ts";

export const writeKinds = ["overlay", "heatmap", "npy", "json"] as const;
export type WriteKind = (typeof writeKinds)[number];

export interface ExplainJob {
  readonly model: LoadedModel;
  readonly labels: CardInfo["labels"];
  /** How photos become the model's input, or why none can. */
  readonly recipe: Recipe | AppError;
  readonly circumstances: Circumstances;
  readonly spec: ExplainSpec;
  /** One a method: a single one unless methods are compared. */
  readonly explainers: readonly Explainer[];
  readonly targets: readonly SumTarget[];
  /** Where the scores of a dense output are explained; everywhere where it is left out. */
  readonly region: Region | undefined;
  readonly pool: ExplainerPool;
  readonly out: string;
  readonly write: ReadonlySet<WriteKind>;
  readonly sheet: "none" | "grid" | "compare";
  readonly drawing: Drawing;
  readonly terminal: Terminal;
}

type Chosen = Pick<ExplainJob, "out" | "write" | "sheet" | "drawing" | "terminal">;

/** Loads the model, compiles an explainer a method, and resolves the targets. */
export async function prepareJob(args: Args, chosen: Chosen): Promise<ExplainJob> {
  const { terminal } = chosen;
  const { model, card, recipe, notes, runtime } = await openPhotoModel(args, terminal, "explain");
  const layerMaps = chosen.write.has("npy") || chosen.sheet === "grid";
  const region = readRegion(args);
  const terms = termsOf(args.list("target"), card.labels);
  const base = { ...readSpec(args, layerMaps), ...(terms > 1 && { terms }) };
  const spec = withCard(region ? { ...base, objective: "region" } : base, args, card);
  const methods = chosen.sheet === "compare" ? args.list("compare").map(parseMethod) : [spec.method];
  terminal.progress(`compiling ${model.name}`);
  const explainers = methods.map((method: Method) => makeExplainer(model, { ...spec, method }));
  const [first] = explainers;
  if (first === undefined) throw new AppError("spec-invalid", "--compare needs at least one method");
  const classes = typeof first.manifest.classes === "number" ? first.manifest.classes : null;
  const targets = readSums(args.list("target"), card.labels, classes);
  const allNotes = [...notes, ...labelNotes(card, classes)];
  for (const note of allNotes) terminal.note(`note: ${note}`);
  return {
    ...chosen,
    model,
    labels: card.labels,
    recipe,
    circumstances: {
      backlight: version(),
      runtime: runtime.name,
      platform: `node ${process.version}`,
      model: { name: model.name, sha256: model.sha256, bytes: model.bytes.length },
      card: card.file,
      recipe: recipe instanceof AppError ? null : recipe,
      notes: allNotes,
    },
    spec,
    explainers,
    targets,
    region,
    pool: new ExplainerPool(runtime, model, terminal.progress),
  };
}

/** The card's objective tensor and layers, where the command line says nothing else. */
export function withCard(spec: ExplainSpec, args: Args, { card }: CardInfo): ExplainSpec {
  const output = spec.output ?? card?.output;
  const useLayers = args.text("layers") === undefined && card?.layers !== undefined;
  return {
    ...spec,
    ...(output !== undefined && { output }),
    ...(useLayers && card?.layers && { layers: card.layers }),
  };
}
