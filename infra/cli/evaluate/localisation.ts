/** @file `evaluate localisation`: boxes from maps, and the part of a map that lies on the object. */
import { mean } from "../../../shared/evaluation/intervals.ts";
import {
  boxOverlaps,
  energyInside,
  maskShare,
  summariseLocalisation,
  thresholds,
} from "../../../shared/evaluation/localisation.ts";
import { mapOnPhoto } from "../../../shared/evaluation/on-photo.ts";
import { sha256 } from "../files.ts";
import { type EvaluateJob, type MethodRun, noPlace, skip } from "./job.ts";
import type { Cell } from "./journal.ts";
import { ask, forEachImage, measured, type OpenImage } from "./measure.ts";
import { type Play, playsOf } from "./plays.ts";
import { figureOrNull, type Report } from "./report.ts";
import { Table } from "./results.ts";

export async function evaluateLocalisation(job: EvaluateJob): Promise<Report> {
  const trials = new Table<readonly number[]>(job.runs);
  const shares: number[] = [];
  await forEachImage(job, async (image, run) => {
    let computed = false;
    for (const play of await playsOf(job, image)) {
      const { target, region } = play;
      const about = { about: "localisation", target, boxes: region.boxes, mask: sha256(region.mask.data) };
      const { cells, fresh } = await measured(job, image, run, about, () => overlaps(job, image, run, play));
      computed ||= fresh;
      if (run === job.runs[0]) shares.push(maskShare(region.mask));
      for (const [layer, cell] of cells.entries()) {
        if (cell === null) skip(job, noPlace, `${image.source.id}: ${run.method} at ${run.layers[layer]}`);
        else trials.add(run, layer, cell);
      }
    }
    return computed;
  });
  const rows = trials.map(({ method }, layer, cells) => {
    const found = summariseLocalisation(cells.map((cell) => cell.slice(0, thresholds.length)));
    const energies = cells.flatMap((cell) => cell[thresholds.length] ?? []);
    return {
      method,
      layer,
      trials: found.trials,
      accuracy: figureOrNull(found.accuracy),
      "accuracy low": found.interval.low,
      "accuracy high": found.interval.high,
      threshold: figureOrNull(found.threshold),
      "energy inside": figureOrNull(mean(energies)),
      "object's share": figureOrNull(mean(shares)),
      "no energy": cells.length - energies.length,
    };
  });
  return {
    rows,
    figure: {
      title: "Weak localisation",
      subtitle: `${job.model.name}, ${shares.length} (image, class) pairs, IoU >= 0.5 at each one's best threshold`,
      axis: "accuracy",
      range: [0, 1],
      ...trials.lines((cells) => {
        const found = summariseLocalisation(cells.map((cell) => cell.slice(0, thresholds.length)));
        return { value: figureOrNull(found.accuracy), interval: found.interval };
      }),
    },
  };
}

/** The overlap at every threshold, then the energy inside where the map has any. */
async function overlaps(job: EvaluateJob, image: OpenImage, run: MethodRun, play: Play): Promise<readonly Cell[]> {
  const { maps } = await ask(job, image, run, play.target);
  const { geometry } = await image.prepared();
  return maps.map((map) => {
    if (map === null) return null;
    const placed = mapOnPhoto(map, geometry);
    const energy = energyInside(placed, play.region.mask);
    return [...boxOverlaps(placed, play.region.boxes), ...(energy === null ? [] : [energy])];
  });
}
