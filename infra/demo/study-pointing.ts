/**
 * @file The pointing game on scenes: each class a scene shows is explained by every method, and the largest value of
 *   every layer's map is looked up in the class's mask. Plays and collects; what it adds up to is elsewhere.
 */
import { type Mask, maskArea } from "../../shared/evaluation/mask.ts";
import { centreOf, isHit, peakOf } from "../../shared/evaluation/pointing.ts";
import type { Point } from "../../shared/imaging/geometry.ts";
import { isFlat } from "../../shared/imaging/heatmap.ts";
import { type FloatMap, resizeMap } from "../../shared/imaging/resize.ts";
import { checkCancelled, type Feeds, type Runtime, type Session, tensorNamed } from "../../shared/runtime/runtime.ts";
import { parseMethod } from "../../shared/saliency/method.ts";
import { defaultSpec, type ExplainSpec } from "../../shared/saliency/spec.ts";
import { makeExplainer, openGraph } from "../cli/explainer.ts";
import { type LoadedModel, loadModel } from "../cli/model.ts";
import { classes } from "./classes.ts";
import { makeScene } from "./scene.ts";
import { batchOf, type Sample, type SeedRange, seedGroups } from "./train/batches.ts";
import { architecture } from "./train/classifier.ts";
import type { Scenes } from "./train/measure.ts";
import type { DemoModel } from "./train/model-files.ts";

/** Scenes of the study, in either style: neither trained on, nor validated or tested on. */
export const studySeeds: SeedRange = { first: 20_000, count: 1000 };

/** Scenes are drawn at the size the classifier sees, so that maps and masks lie on the same pixels. */
export const studySize = architecture.size;

/** The protocol's 15 pixels are of photos about 500 wide; that is 3.84 of 128. */
export const scaledTolerance = 4;

/** What the layers' product is called where layers are listed. */
export const combined = "product";

/** A method's explainer, open: one run gives the maps of all layers and their product. */
export interface StudyExplainer {
  readonly method: string;
  /** Shallow to deep. */
  readonly layers: readonly string[];
  readonly session: Session;
}

/** What a map said of one (scene, class in it). */
export interface Outcome {
  readonly image: string;
  readonly class: string;
  /** It points to the object, or to less than the scaled tolerance from it. */
  readonly near: boolean;
  /** It points to the object itself. */
  readonly exact: boolean;
  /** It points to an object of another class instead. */
  readonly other: boolean;
  /** The map is the same everywhere. */
  readonly flat: boolean;
}

/** The outcomes of one method at one layer, or at the product of them all. */
export interface Column {
  readonly method: string;
  readonly layer: string;
  readonly outcomes: readonly Outcome[];
}

export interface Played {
  /** Of the baseline that always points to the middle. */
  readonly centre: readonly Outcome[];
  readonly columns: readonly Column[];
}

/** The demo's model as the compiler takes it. */
export const loadStudied = ({ file }: DemoModel): Promise<LoadedModel> => loadModel(file, { environment: {} });

/** Compiles and opens an explainer a method, at the layers and the output of the model's card. */
export async function openExplainers(
  runtime: Runtime,
  { card }: DemoModel,
  model: LoadedModel,
  methods: readonly string[],
  signal: AbortSignal,
): Promise<readonly StudyExplainer[]> {
  const base: ExplainSpec = {
    ...defaultSpec,
    layers: card.layers ?? "auto",
    layerMaps: true,
    ...(card.output !== undefined && { output: card.output }),
  };
  const opened: StudyExplainer[] = [];
  for (const method of methods) {
    const { bytes, manifest } = makeExplainer(model, { ...base, method: parseMethod(method) });
    const session = await openGraph(runtime, model, bytes, method, signal);
    opened.push({ method, layers: manifest.layers.map(({ name }) => name), session });
  }
  return opened;
}

export const closeExplainers = async (explainers: readonly StudyExplainer[]): Promise<void> => {
  for (const { session } of explainers) await session.release();
};

/** Scenes explained together; bounds the memory, and spares the engine the cost of many small runs. */
export const groupSize = 12;

/** Plays all scenes with all explainers; `played` is called after each group of scenes. */
export async function playScenes(
  explainers: readonly StudyExplainer[],
  { seeds, styles, sprites }: Scenes,
  signal: AbortSignal,
  played: () => void = () => undefined,
): Promise<Played> {
  const centre: Outcome[] = [];
  const columns = explainers.map(({ method, layers }) =>
    [...layers, combined].map((layer) => {
      const outcomes: Outcome[] = [];
      return { method, layer, outcomes };
    }),
  );
  for (const group of seedGroups(seeds, groupSize)) {
    checkCancelled(signal, "the study");
    const trials = group.flatMap((seed) => trialsOf(seed, { styles, sprites }));
    for (const trial of trials) centre.push(outcomeOf(trial, centreOf(trial.mask), false));
    const feeds = feedsOf(trials);
    for (const [i, { layers, session }] of explainers.entries()) {
      const outputs = await session.run(feeds, signal);
      for (const { layer, outcomes } of columns[i] ?? []) {
        const maps = mapsAt(outputs, layer);
        const parts = (layer === combined ? layers : [layer]).map((name) => mapsAt(outputs, name));
        for (const [n, trial] of trials.entries()) {
          // The product with a constant map is 0 everywhere; up to rounding, which would point somewhere.
          const flat = parts.some((of) => isFlat(of[n]?.data ?? []));
          outcomes.push(pointed(trial, flat ? null : (maps[n] ?? null)));
        }
      }
    }
    played();
  }
  return { centre, columns: columns.flat() };
}

/** One (scene, class in it); no scene has a class twice. */
export interface Trial {
  readonly image: string;
  readonly sample: Sample;
  readonly classIndex: number;
  readonly mask: Mask;
  /** Of the scene's other objects, which hide no pixel of this one. */
  readonly others: readonly Mask[];
}

/** The trials of a scene: one an object of which a pixel is seen. */
export function trialsOf(seed: number, { styles, sprites }: Omit<Scenes, "seeds">): readonly Trial[] {
  const { image, objects } = makeScene(seed, { size: studySize, styles, sprites });
  const sample = { size: image.width, data: image.data, objects };
  const masks = objects.map(({ mask }): Mask => ({ width: studySize, height: studySize, data: mask }));
  return objects.flatMap(({ classIndex }, i) => {
    const mask = masks[i];
    if (mask === undefined || maskArea(mask) === 0) return [];
    return [{ image: String(seed), sample, classIndex, mask, others: masks.filter((each) => each !== mask) }];
  });
}

/** Scenes and classes of the trials as one batch for an explainer. */
export function feedsOf(trials: readonly Trial[]): Feeds {
  const { images } = batchOf(
    trials.map(({ sample }) => sample),
    classes.length,
  );
  const target = BigInt64Array.from(trials, ({ classIndex }) => BigInt(classIndex));
  return {
    image: { dtype: "float32", dims: [trials.length, 3, studySize, studySize], data: images },
    target: { dtype: "int64", dims: [trials.length], data: target },
  };
}

/** A layer's maps, or the products of all layers', in the order of the batch. */
export function mapsAt(outputs: Feeds, layer: string): readonly FloatMap[] {
  const { dims, data } = tensorNamed(outputs, layer === combined ? "saliency" : `map/${layer}`, "float32");
  const [count = 0, , height = 1, width = 1] = dims;
  const size = height * width;
  return Array.from({ length: count }, (_, n) => ({ width, height, data: data.subarray(n * size, (n + 1) * size) }));
}

/** Where a map points: to its first largest value, at the scene's size. A flat one, null, points to the first pixel. */
function pointed(trial: Trial, map: FloatMap | null): Outcome {
  if (map === null) return outcomeOf(trial, { x: 0, y: 0 }, true);
  return outcomeOf(trial, peakOf(map.width === studySize ? map : resizeMap(map, studySize, studySize)), false);
}

function outcomeOf({ image, classIndex, mask, others }: Trial, point: Point | null, flat: boolean): Outcome {
  const hits = (of: Mask, tolerance: number): boolean => point !== null && isHit(of, point, tolerance);
  const near = hits(mask, scaledTolerance);
  return {
    image,
    class: classes[classIndex]?.name ?? "",
    near,
    exact: hits(mask, 0),
    other: !near && others.some((each) => hits(each, 0)),
    flat,
  };
}
