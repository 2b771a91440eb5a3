/**
 * @file A model's activations at the layers of a method, pooled over the image: a row of numbers an image and layer.
 */
import { AppError } from "../../../shared/errors.ts";
import { regionOf } from "../../../shared/evaluation/datasets/region.ts";
import { maskArea } from "../../../shared/evaluation/mask.ts";
import { groupBy } from "../../../shared/evaluation/pointing.ts";
import { readPrediction, withScores } from "../../../shared/explanation/prediction.ts";
import { halfToFloat } from "../../../shared/float16.ts";
import { volume } from "../../../shared/graph/constant.ts";
import { namedValues } from "../../../shared/graph/walk.ts";
import { exportModel } from "../../../shared/onnx/export.ts";
import type { RunTensor } from "../../../shared/runtime/runtime.ts";
import { axesOf } from "../../../shared/saliency/layout.ts";
import type { LayerRecord } from "../../../shared/saliency/spec.ts";
import type { EvaluateJob, MethodRun } from "../evaluate/job.ts";
import { forEachImage, type OpenImage } from "../evaluate/measure.ts";
import { openGraph, weightFiles } from "../explainer.ts";

export interface LayerFeatures {
  /** By layer, in the order of the run's manifest; then a row an image, one number a channel. */
  readonly layers: readonly (readonly Float64Array[])[];
  /** What each image shows, as `labelled` says. */
  readonly labels: readonly (string | number)[];
  readonly labelled: "by annotation" | "by the model itself";
}

/**
 * One forward pass an image. Labels are the class that covers most of each image; where an image has no annotation, all
 * labels are the model's own predictions. Images that cannot be read are listed among the job's problems.
 */
export async function layerFeatures(job: EvaluateJob, run: MethodRun): Promise<LayerFeatures> {
  const { manifest } = run.explainer;
  const values = namedValues(job.model.graph);
  const layers = manifest.layers.flatMap(({ name }) => values.get(name) ?? []);
  const graph = withScores(job.model.graph, manifest);
  const outputs = [...graph.outputs, ...layers.filter((v) => !graph.outputs.includes(v))];
  const bytes = exportModel({ ...graph, outputs }, { externalWeights: weightFiles(job.model) });
  const session = await openGraph(job.runtime, job.model, bytes, job.model.name, job.terminal.signal);
  const rows = manifest.layers.map((): Float64Array[] => []);
  const annotated: (string | null)[] = [];
  const predicted: number[] = [];
  try {
    await forEachImage({ ...job, runs: [run] }, async (image) => {
      const { tensor } = await image.prepared();
      const found = await session.run({ [manifest.input.name]: tensor }, job.terminal.signal);
      const pooled = manifest.layers.map((layer) => pooledFeatures(found[layer.name], layer));
      predicted.push(readPrediction(found, manifest, job.labels).ranking[0]?.class ?? 0);
      annotated.push(largestClass(image));
      for (const [i, row] of pooled.entries()) rows[i]?.push(row);
      return true;
    });
  } finally {
    await session.release();
  }
  const known = annotated.filter((name) => name !== null);
  return known.length === annotated.length
    ? { layers: rows, labels: known, labelled: "by annotation" }
    : { layers: rows, labels: predicted, labelled: "by the model itself" };
}

/** The mean over all locations, one number a channel. */
function pooledFeatures(tensor: RunTensor | undefined, { name, layout }: LayerRecord): Float64Array {
  if (tensor === undefined) throw new AppError("runtime-failed", `the model returned no "${name}"`);
  const numbers = numbersOf(tensor, name);
  const { channel } = axesOf[layout];
  const channels = tensor.dims[channel] ?? 1;
  const inner = volume(tensor.dims.slice(channel + 1));
  const sums = new Float64Array(channels);
  for (const [i, value] of numbers.entries()) sums[Math.floor(i / inner) % channels]! += value;
  return sums.map((sum) => (sum * channels) / numbers.length);
}

function numbersOf(tensor: RunTensor, name: string): Float64Array {
  switch (tensor.dtype) {
    case "float32":
    case "float64":
      return Float64Array.from(tensor.data);
    case "float16":
      return Float64Array.from(tensor.data, halfToFloat);
    default:
      throw new AppError("runtime-failed", `the layer "${name}" is ${tensor.dtype}, not floating point`);
  }
}

/** The annotated class that covers most of the image; null where there is none. */
function largestClass({ source, size }: OpenImage): string | null {
  const groups = groupBy(source.objects ?? [], (object) => object.class);
  const areas = [...groups].map(([name, group]) => ({ name, area: maskArea(regionOf(group, size).mask) }));
  return areas.sort((a, b) => b.area - a.area)[0]?.name ?? null;
}
