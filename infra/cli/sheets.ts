/**
 * @file Many maps of one input as one picture: the paper's grid of phase 1 and phase 2, or several methods side by
 * side.
 */
import path from "node:path";
import { AppError } from "../../shared/errors.ts";
import { asPlane, layerMaps, mainMap, type RawMap } from "../../shared/explanation/maps.ts";
import { drawingOptions, targetText } from "../../shared/explanation/picture.ts";
import type { SumTarget } from "../../shared/explanation/sums.ts";
import type { Raster } from "../../shared/imaging/image.ts";
import { renderOverlay } from "../../shared/imaging/overlay.ts";
import { composeSheet } from "../../shared/imaging/sheet.ts";
import { aggregates } from "../../shared/saliency/aggregate.ts";
import { isSigned, methodName } from "../../shared/saliency/method.ts";
import { type Extract, extracts, type Method } from "../../shared/saliency/spec.ts";
import type { ExplainJob } from "./explain-job.ts";
import { answer, png, type ReadyInput } from "./explain-one.ts";
import { type Explainer, makeExplainer } from "./explainer.ts";
import { writeAtomic } from "./files.ts";

/** Tiles of a grid are many, so they are small; a comparison's are looked at singly. */
const gridTileSide = 200;
const compareTileSide = 360;

/** A row of the grid: an extract, and its explainer for every aggregate. */
export interface GridRow {
  readonly extract: Extract;
  readonly explainers: readonly Explainer[];
}

/**
 * Compiles all points of the grid. An extract the layers do not allow (conv-real away from convolutions) has no row;
 * why is noted.
 */
export function compileGrid(job: ExplainJob): readonly GridRow[] {
  const { rules } = job.spec.method;
  return extracts.flatMap((extract) => {
    job.terminal.progress(`compiling ${extract}`);
    try {
      const methods = aggregates.map((aggregate): Method => ({ rules, head: { kind: "grid", extract, aggregate } }));
      return [{ extract, explainers: methods.map((method) => makeExplainer(job.model, { ...job.spec, method })) }];
    } catch (error) {
      if (!(error instanceof AppError) || extract !== "conv-real") throw error;
      job.terminal.note(`the grid has no row ${extract}: ${error.message}`);
      return [];
    }
  });
}

/**
 * Draws the grid of one input and class, a row an extract, the layers' columns side by side; returns the file's name.
 */
export async function writeGrid(
  job: ExplainJob,
  rows: readonly GridRow[],
  input: ReadyInput,
  target: SumTarget,
): Promise<string> {
  // conv-real reads the convolution before a layer; its maps belong to the layer all the same.
  const layers = rows[0]?.explainers[0]?.manifest.layers ?? [];
  const tiles: (readonly (Raster | null)[])[] = [];
  let title = "";
  for (const { extract, explainers } of rows) {
    const byAggregate: (readonly Raster[])[] = [];
    for (const [i, explainer] of explainers.entries()) {
      job.terminal.progress(`${input.source.label}: ${extract} x ${aggregates[i]}`);
      const given = await answer(job, input, explainer, target);
      title = targetText(given.target);
      const maps = layerMaps(given.outputs, explainer.manifest);
      byAggregate.push(maps.map((map, layer) => tile(job, input, explainer, map, layer)));
    }
    tiles.push(layers.flatMap((_, layer) => byAggregate.map((maps) => maps[layer] ?? null)));
  }
  const name = `${input.source.stem}.${target.slug}.grid.png`;
  const picture = composeSheet({
    title: `${title}: extract (rows) x aggregate (columns)`,
    subtitle: `${input.source.stem}, ${job.model.name}, each map on its own scale`,
    columns: layers.flatMap((layer) => aggregates.map((aggregate) => `${layer.name} ${aggregate}`)),
    rows: rows.map((row) => row.extract),
    tiles,
    tileSide: gridTileSide,
  });
  await writeAtomic(path.join(job.out, name), await png(picture));
  return name;
}

/** Draws all methods side by side, a row a class; returns the file's name. */
export async function writeComparison(job: ExplainJob, input: ReadyInput): Promise<string> {
  const rows: string[] = [];
  const tiles: (readonly (Raster | null)[])[] = [];
  for (const target of job.targets) {
    const row: (Raster | null)[] = [];
    let label = target.text;
    for (const explainer of job.explainers) {
      job.terminal.progress(`${input.source.label}: ${methodName(explainer.manifest.spec.method)}, ${target.text}`);
      const given = await answer(job, input, explainer, target);
      label = targetText(given.target);
      row.push(tile(job, input, explainer, mainMap(given.outputs, explainer.manifest), 0));
    }
    rows.push(label);
    tiles.push(row);
  }
  const name = `${input.source.stem}.compare.png`;
  const picture = composeSheet({
    title: input.source.stem,
    subtitle: `${job.model.name}, each map on its own scale`,
    columns: job.explainers.map((e) => methodName(e.manifest.spec.method)),
    rows,
    tiles,
    tileSide: compareTileSide,
  });
  await writeAtomic(path.join(job.out, name), await png(picture));
  return name;
}

/** The map of a layer, or of all (`map.layer` null), over the input, without words. */
export function tile(job: ExplainJob, input: ReadyInput, explainer: Explainer, map: RawMap, layer: number): Raster {
  const { manifest } = explainer;
  const signed = map.layer === null ? manifest.saliency.signed : isSigned(manifest.spec.method);
  const plane = asPlane(map, manifest.layers[layer]);
  const { photo, geometry } = input.prepared;
  return renderOverlay(photo, plane, geometry, { ...drawingOptions(job.drawing), signed }).picture;
}
