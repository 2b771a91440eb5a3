/** @file Explains one input: for every method and class a run, its pictures, arrays and result document. */
import path from "node:path";
import { AppError, messageOf } from "../../shared/errors.ts";
import { type Explanation, explanationOf } from "../../shared/explanation/document.ts";
import { type PreparedInput, prepareInput } from "../../shared/explanation/input.ts";
import { layerMaps, mainMap, type RawMap, statistics } from "../../shared/explanation/maps.ts";
import { metaReport } from "../../shared/explanation/meta.ts";
import { drawExplanation, flatNote, views } from "../../shared/explanation/picture.ts";
import { type Prediction, readPrediction } from "../../shared/explanation/prediction.ts";
import { regionTensor, sharesOf } from "../../shared/explanation/region.ts";
import { resolvedSum, type SumTarget, sumFeeds } from "../../shared/explanation/sums.ts";
import { encodeImage } from "../../shared/imaging/encode.ts";
import type { Raster } from "../../shared/imaging/image.ts";
import { writeNpy } from "../../shared/imaging/npy.ts";
import type { Overlay } from "../../shared/imaging/overlay.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import type { Feeds } from "../../shared/runtime/runtime.ts";
import { methodName } from "../../shared/saliency/method.ts";
import { slug } from "../../shared/slug.ts";
import type { ExplainJob } from "./explain-job.ts";
import type { Explainer } from "./explainer.ts";
import { sha256, writeAtomic } from "./files.ts";
import { decoding } from "./model-input.ts";
import type { Source } from "./sources.ts";

/** An input in the model's terms, with what names and documents need of it. */
export interface ReadyInput {
  readonly source: Source;
  readonly prepared: PreparedInput;
  readonly sha256: string;
}

/** One explainer's answer for one class. */
export interface Answer {
  readonly explainer: Explainer;
  readonly prediction: Prediction;
  readonly target: Explanation["target"];
  readonly outputs: Feeds;
  readonly milliseconds: number;
}

export async function readSource(job: ExplainJob, source: Source): Promise<ReadyInput> {
  const bytes = await source.read(job.terminal.signal);
  const prepared = await prepareInput(bytes, source.array, job.model.input, job.recipe, decoding());
  return { source, prepared, sha256: sha256(bytes) };
}

export async function answer(
  job: ExplainJob,
  input: ReadyInput,
  explainer: Explainer,
  target: SumTarget,
): Promise<Answer> {
  const { signal } = job.terminal;
  const { tensor, geometry, photo } = input.prepared;
  const { spec } = explainer.manifest;
  const everything = { x: 0, y: 0, width: photo.width, height: photo.height };
  const region = spec.objective === "region" ? sharesOf(job.region ?? everything, geometry) : undefined;
  const feeds = { ...sumFeeds(target, spec.terms), ...(region && { region: regionTensor(region) }) };
  const { outputs, milliseconds } = await job.pool.run(explainer, tensor, feeds, signal);
  const prediction = readPrediction(outputs, explainer.manifest, job.labels, region);
  const found = resolvedSum(target, prediction, job.labels);
  return { explainer, prediction, target: found, outputs, milliseconds };
}

/** Explains with one explainer for one class and writes what was asked for. Returns the result document. */
export async function explainOne(
  job: ExplainJob,
  input: ReadyInput,
  explainer: Explainer,
  target: SumTarget,
): Promise<Explanation> {
  const given = await answer(job, input, explainer, target);
  const { manifest } = explainer;
  const method = methodName(manifest.spec.method);
  const map = mainMap(given.outputs, manifest);
  const { signed } = manifest.saliency;
  const measured = statistics(map, signed);
  const meta = metaReport(given.outputs, manifest);
  const layers = manifest.layers.length > 1 ? layerMaps(given.outputs, manifest) : [];
  const base = [input.source.stem, target.slug, slug(method)].join(".");
  const files = new Map<string, string>();
  const write = async (kind: string, name: string, bytes: Uint8Array | string): Promise<void> => {
    await writeAtomic(path.join(job.out, name), bytes);
    files.set(kind, name);
  };

  const pictures = draw(job, input, given, map);
  if (pictures.overlay) await write("overlay", `${base}.overlay.png`, await png(pictures.overlay.picture));
  if (pictures.heatmap) await write("heatmap", `${base}.heatmap.png`, await png(pictures.heatmap.picture));
  if (job.write.has("npy")) {
    await write("npy", `${base}.npy`, writeNpy(map.dims, map.data));
    const slugs = uniqueSlugs(layers);
    for (const [i, layer] of layers.entries()) {
      await write(`npy ${layer.layer}`, `${base}.${slugs[i]}.npy`, writeNpy(layer.dims, layer.data));
    }
  }
  const document = job.write.has("json") ? `${base}.json` : undefined;
  if (document !== undefined) files.set("json", document);
  const drawn = pictures.overlay ?? pictures.heatmap;
  const result = explanationOf(
    {
      input: {
        source: input.source.label,
        sha256: input.sha256,
        width: input.prepared.photo.width,
        height: input.prepared.photo.height,
        header: input.prepared.source,
      },
      explainer,
      prediction: given.prediction,
      target: given.target,
      map: { kind: manifest.saliency.kind, ...measured },
      ...(meta && { meta }),
      layerMaps: layers.map((l) => ({ layer: l.layer ?? "", ...statistics(l, signed) })),
      geometry: input.prepared.geometry,
      picture: drawn === undefined ? null : { colours: drawn.colours, low: drawn.scale.low, high: drawn.scale.high },
      notes: [...input.prepared.notes, ...(measured.flat ? [flatNote(measured.max)] : [])],
      timings: {
        compile: explainer.compileMs,
        decode: input.prepared.decodeMs,
        preprocess: input.prepared.preprocessMs,
        run: given.milliseconds,
      },
      files: Object.fromEntries(files),
    },
    job.circumstances,
  );
  if (document !== undefined) await writeAtomic(path.join(job.out, document), `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

/** The pictures asked for. A map without a place on the image is an error only where a picture was asked for. */
function draw(
  job: ExplainJob,
  input: ReadyInput,
  given: Answer,
  map: RawMap,
): { readonly overlay?: Overlay; readonly heatmap?: Overlay } {
  const { photo, geometry } = input.prepared;
  const { manifest } = given.explainer;
  const drawn = { photo, geometry, map, manifest, model: job.model.name, target: given.target };
  return Object.fromEntries(
    views
      .filter((view) => job.write.has(view))
      .map((view) => [view, drawExplanation(view, drawn, job.drawing)] as const),
  );
}

export const png = (picture: Raster): Promise<Uint8Array> => encodeImage(picture, "png", nodeCodecs());

/** Names of layers as parts of file names; two that look alike are numbered. */
function uniqueSlugs(layers: readonly RawMap[]): readonly string[] {
  const taken = new Set<string>();
  return layers.map(({ layer }) => {
    const wanted = slug(layer ?? "") || "layer";
    let name = wanted;
    for (let n = 2; taken.has(name); n += 1) name = `${wanted}-${n}`;
    taken.add(name);
    return name;
  });
}

/** What a failed input is listed with. */
export interface Failure {
  readonly input: string;
  readonly code: string;
  readonly message: string;
}

/** Lists what a caller can cause; a fault of ours is listed too, so that the other inputs are still explained. */
export function failureOf(source: Source, error: unknown): Failure {
  if (error instanceof AppError) return { input: source.label, code: error.code, message: error.message };
  return { input: source.label, code: "internal", message: messageOf(error) };
}
