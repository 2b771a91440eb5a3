/** @file `evaluate sanity`: do the maps change when the model's weights are replaced by random ones? */
import {
  cascadeStages,
  type Randomisation,
  randomisations,
  randomiseWeights,
  weightedLayers,
} from "../../../shared/evaluation/randomise.ts";
import { mapAgreement } from "../../../shared/evaluation/rank.ts";
import { summariseRho } from "../../../shared/evaluation/sensitivity.ts";
import { choiceOf, integerOf } from "../args.ts";
import { makeExplainer } from "../explainer.ts";
import { type EvaluateJob, type MethodRun, runOf } from "./job.ts";
import type { Cell } from "./journal.ts";
import { type Answer, ask, forEachImage, measured, type OpenImage } from "./measure.ts";
import { figureOrNull, type Report } from "./report.ts";
import { Table } from "./results.ts";

const STAGES = 6;
/** More than any network has layers with weights. */
const STAGES_MAX = 10_000;
const SEED_MAX = 2 ** 31 - 1;

/** The explainer of one network with random weights. */
interface Stage {
  readonly layer: string;
  readonly run: MethodRun;
}

export async function evaluateSanity(job: EvaluateJob): Promise<Report> {
  const kind = choiceOf(job.args, "randomisation", randomisations) ?? "cascading";
  const seed = integerOf(job.args, "seed", 0, SEED_MAX) ?? 1;
  const layers = weightedLayers(job.model.graph);
  const names = cascadeStages(layers, integerOf(job.args, "stages", 1, STAGES_MAX) ?? STAGES).map((l) => l.name);
  const tables = names.map(() => new Table<Cell>(job.runs));
  let current: { readonly run: MethodRun; readonly stages: readonly Stage[] } | undefined;
  await forEachImage(
    job,
    async (image, run) => {
      // One method's stages at a time: the sessions of all methods would not fit.
      if (current?.run !== run) current = { run, stages: stagesOf(job, run, kind, names, seed) };
      let intact: Promise<Answer> | undefined;
      let computed = false;
      for (const [i, stage] of current.stages.entries()) {
        const about = { about: "sanity", randomised: stage.run.explainer.sha256 };
        const { cells, fresh } = await measured(job, image, run, about, () => {
          intact ??= ask(job, image, run, -1);
          return compare(job, image, intact, stage);
        });
        computed ||= fresh;
        for (const [layer, cell] of cells.entries()) tables[i]?.add(run, layer, cell);
      }
      return computed;
    },
    "method first",
  );
  return reportOf(job, kind, names, tables);
}

function stagesOf(
  job: EvaluateJob,
  run: MethodRun,
  kind: Randomisation,
  names: readonly string[],
  seed: number,
): readonly Stage[] {
  return names.map((layer) => {
    job.terminal.progress(`compiling ${run.method} with random weights ${kind} at ${layer}`);
    const { graph } = randomiseWeights(job.model.graph, kind, layer, seed);
    return { layer, run: runOf(run.method, makeExplainer({ ...job.model, graph }, run.explainer.manifest.spec)) };
  });
}

/** rho of each layer's map with the intact model's, for the class that the intact model says; then of magnitudes. */
async function compare(
  job: EvaluateJob,
  image: OpenImage,
  intact: Promise<Answer>,
  stage: Stage,
): Promise<readonly Cell[]> {
  const before = await intact;
  const after = await ask(job, image, stage.run, before.class);
  const { input } = (await image.prepared()).geometry;
  return before.maps.map((map, i) => {
    const other = after.maps[i];
    if (!map || !other) return null;
    const [signed, absolute] = [false, true].map((abs) => mapAgreement(map, other, input, { absolute: abs }));
    return signed == null || absolute == null ? null : [signed, absolute];
  });
}

function reportOf(
  job: EvaluateJob,
  kind: Randomisation,
  stages: readonly string[],
  tables: readonly Table<Cell>[],
): Report {
  const of = (cells: readonly Cell[], index: number) => summariseRho(cells.map((cell) => cell?.[index] ?? null));
  const rows = tables.flatMap((table, i) =>
    table.map(({ method }, layer, cells) => {
      const [signed, absolute] = [of(cells, 0), of(cells, 1)];
      return {
        method,
        layer,
        randomised: stages[i] ?? "",
        images: signed.defined,
        flat: signed.undefined,
        rho: figureOrNull(signed.mean),
        "rho low": signed.interval?.low ?? null,
        "rho high": signed.interval?.high ?? null,
        "rho of magnitudes": figureOrNull(absolute.mean),
      };
    }),
  );
  return {
    rows,
    figure: {
      title: kind === "cascading" ? "Weights random from the output down to" : "Weights random in one layer",
      subtitle: `${job.model.name}, ${job.dataset.images.length} images, the last map of each method; 95 % intervals`,
      axis: "Spearman's rho with the intact model's map",
      range: [-1, 1],
      layers: stages,
      lines: job.runs.map((run) => ({
        name: run.method,
        points: tables.map((table) => {
          const cells = table.of(run, run.layers.length - 1);
          const { mean, interval } = of(cells, 0);
          return { value: figureOrNull(mean), interval };
        }),
      })),
    },
  };
}
