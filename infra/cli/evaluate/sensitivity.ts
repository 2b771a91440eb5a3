/** @file `evaluate sensitivity`: how much maps change with the class. */
import {
  type ClassPair,
  classPairs,
  classSensitivity,
  pairTargets,
  summariseRho,
} from "../../../shared/evaluation/sensitivity.ts";
import { choicesOf } from "../args.ts";
import type { EvaluateJob, MethodRun } from "./job.ts";
import type { Cell } from "./journal.ts";
import { ask, forEachImage, measured, type OpenImage } from "./measure.ts";
import { figureOrNull, type Report } from "./report.ts";
import { Table } from "./results.ts";

export async function evaluateSensitivity(job: EvaluateJob): Promise<Report> {
  const asked = choicesOf(job.args, "pair", classPairs);
  const pairs = asked.length > 0 ? asked : (["max-min"] as const);
  const tables = new Map(pairs.map((pair) => [pair, new Table<number | null>(job.runs)]));
  await forEachImage(job, async (image, run) => {
    let computed = false;
    for (const pair of pairs) {
      const { cells, fresh } = await measured(job, image, run, { about: "sensitivity", pair }, () =>
        correlations(job, image, run, pair),
      );
      computed ||= fresh;
      for (const [layer, cell] of cells.entries()) tables.get(pair)?.add(run, layer, cell?.[0] ?? null);
    }
    return computed;
  });
  const rows = [...tables].flatMap(([pair, table]) =>
    table.map(({ method }, layer, values) => {
      const found = summariseRho(values);
      return {
        method,
        layer,
        pair,
        images: found.defined,
        flat: found.undefined,
        rho: figureOrNull(found.mean),
        "rho low": found.interval?.low ?? null,
        "rho high": found.interval?.high ?? null,
        deviation: figureOrNull(found.deviation),
      };
    }),
  );
  const [[pair, table] = []] = tables;
  const drawn = table ?? new Table<number | null>(job.runs);
  return {
    rows,
    figure: {
      title: "Class sensitivity",
      subtitle: `${job.model.name}, ${job.dataset.images.length} images, ${pair}; 1 is class-blind; 95 % intervals`,
      axis: "Spearman's rho",
      range: [-1, 1],
      ...drawn.lines((values) => {
        const { mean, interval } = summariseRho(values);
        return { value: figureOrNull(mean), interval };
      }),
    },
  };
}

/** Maps of one layer have one size, but are compared at the input's, as the protocol has it. */
async function correlations(
  job: EvaluateJob,
  image: OpenImage,
  run: MethodRun,
  pair: ClassPair,
): Promise<readonly Cell[]> {
  const [first, second] = pairTargets(pair, job.classes);
  const [a, b] = [await ask(job, image, run, first), await ask(job, image, run, second)];
  const { geometry } = await image.prepared();
  return a.maps.map((map, i) => {
    const other = b.maps[i];
    const rho = map && other ? classSensitivity(map, other, geometry.input) : null;
    return rho === null ? null : [rho];
  });
}
