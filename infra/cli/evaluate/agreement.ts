/**
 * @file `evaluate agreement`: how alike the first method's maps are to the others', layer by layer. With norm-grad and
 * norm-grad-real it says what the virtual identity layer changes (paper, section 3.1).
 */
import { AppError } from "../../../shared/errors.ts";
import { mapAgreement } from "../../../shared/evaluation/rank.ts";
import { summariseRho } from "../../../shared/evaluation/sensitivity.ts";
import type { EvaluateJob, MethodRun } from "./job.ts";
import type { Cell } from "./journal.ts";
import { type Answer, ask, forEachImage, measured, type OpenImage } from "./measure.ts";
import { figureOrNull, type Report } from "./report.ts";
import { Table } from "./results.ts";

export async function evaluateAgreement(job: EvaluateJob): Promise<Report> {
  const [reference, ...others] = job.runs;
  if (reference === undefined || others.length === 0) {
    throw new AppError("spec-invalid", "agreement compares the first of --methods with the others: give two or more");
  }
  const table = new Table<number | null>(others);
  const answers = new WeakMap<OpenImage, Promise<Answer>>();
  await forEachImage(job, async (image, run) => {
    if (run === reference) return false;
    const about = { about: "agreement", with: reference.explainer.sha256 };
    const { cells, fresh } = await measured(job, image, run, about, async () => {
      const first = answers.get(image) ?? ask(job, image, reference, -1);
      answers.set(image, first);
      return compare(job, image, await first, run);
    });
    for (const [layer, cell] of cells.entries()) table.add(run, layer, cell?.[0] ?? null);
    return fresh;
  });
  const rows = table.map(({ method }, layer, values) => {
    const found = summariseRho(values);
    return {
      method,
      layer,
      with: reference.method,
      images: found.defined,
      flat: found.undefined,
      rho: figureOrNull(found.mean),
      "rho low": found.interval?.low ?? null,
      "rho high": found.interval?.high ?? null,
    };
  });
  return {
    rows,
    figure: {
      title: `Agreement with ${reference.method}`,
      subtitle: `${job.model.name}, ${job.dataset.images.length} images, the most probable class; 95 % intervals`,
      axis: "Spearman's rho",
      range: [-1, 1],
      ...table.lines((values) => {
        const { mean, interval } = summariseRho(values);
        return { value: figureOrNull(mean), interval };
      }),
    },
  };
}

/** Layers by their places: a method that reads real convolutions may name another tensor of the same place. */
async function compare(
  job: EvaluateJob,
  image: OpenImage,
  reference: Answer,
  run: MethodRun,
): Promise<readonly Cell[]> {
  const { maps } = await ask(job, image, run, reference.class);
  const { input } = (await image.prepared()).geometry;
  return maps.map((map, i) => {
    const other = reference.maps[i];
    const rho = map && other ? mapAgreement(map, other, input) : null;
    return rho === null ? null : [rho];
  });
}
