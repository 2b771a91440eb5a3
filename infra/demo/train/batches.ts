/**
 * @file Scenes as batches of input tensors and labels, each from its number alone. Which seeds are for training and
 * which for testing is decided here. batch-thread.ts makes them beside the training.
 */
import type { Atlas } from "../atlas.ts";
import { type Random, randomFrom } from "../random.ts";
import { type Box, makeScene, type SceneOptions } from "../scene.ts";
import { augment } from "./augment.ts";
import { phaseAt, picturesIn, type TrainingPlan } from "./plan.ts";

export interface Batch {
  /** `[N, 3, size, size]`, normalised. */
  readonly images: Float32Array<ArrayBuffer>;
  /** `[N, classes]`: 1 where the class is in the scene. */
  readonly labels: Float32Array<ArrayBuffer>;
}

/** Gives the batch of a step. */
export type BatchSource = (step: number) => Promise<Batch>;

export interface SeedRange {
  readonly first: number;
  readonly count: number;
}

/** Scenes below this seed are never trained on. */
export const firstTrainingSeed = 1_000_000;
/** The unseen scenes of the report, in either style. */
export const testSeeds: SeedRange = { first: 0, count: 1000 };
/** Unseen scenes looked at during training, to see where it stands. */
export const validationSeeds: SeedRange = { first: 10_000, count: 250 };

/** value = (u / divide - mean) / std of a byte u, in all channels: the card says the same. */
export const normalisation = { divide: 255, mean: 0.5, std: 0.25 } as const;

const normalised = Float32Array.from({ length: 256 }, (_, u) => {
  const { divide, mean, std } = normalisation;
  return (u / divide - mean) / std;
});

/** A square RGB picture and what is in it. */
export interface Sample {
  readonly size: number;
  readonly data: Uint8Array;
  readonly objects: readonly { readonly classIndex: number; readonly box: Box }[];
}

/** The scene of a seed. */
export function sampleOf(seed: number, options: SceneOptions): Sample {
  const { image, objects } = makeScene(seed, options);
  // Without the masks, which would be most of the memory.
  return { size: image.width, data: image.data, objects: objects.map(({ classIndex, box }) => ({ classIndex, box })) };
}

/** Samples of one size as tensors. */
export function batchOf(samples: readonly Sample[], classes: number): Batch {
  const size = samples[0]?.size ?? 0;
  const images = new Float32Array(samples.length * 3 * size ** 2);
  const labels = new Float32Array(samples.length * classes);
  for (const [n, { data, objects }] of samples.entries()) {
    writePlanes(data, images.subarray(n * data.length, (n + 1) * data.length));
    for (const { classIndex, box } of objects) {
      labels[n * classes + classIndex] = Math.min(1, shareInside(box, size) / wholeShare);
    }
  }
  return { images, labels };
}

/** An object of which this part is in the picture is in it; of which less is, is so in part. */
const wholeShare = 0.5;

/** How much of a box lies in a picture. */
function shareInside({ x, y, width, height }: Box, size: number): number {
  const inside = (from: number, length: number): number =>
    Math.max(0, Math.min(size, from + length) - Math.max(0, from)) / length;
  return inside(x, width) * inside(y, height);
}

function writePlanes(rgb: Uint8Array, planes: Float32Array): void {
  const plane = planes.length / 3;
  for (let i = 0, from = 0; i < plane; i += 1, from += 3) {
    planes[i] = normalised[rgb[from]!]!;
    planes[plane + i] = normalised[rgb[from + 1]!]!;
    planes[2 * plane + i] = normalised[rgb[from + 2]!]!;
  }
}

/** The seeds of a range in groups of at most `size`. */
export function* seedGroups({ first, count }: SeedRange, size: number): Generator<readonly number[]> {
  for (let at = 0; at < count; at += size)
    yield Array.from({ length: Math.min(size, count - at) }, (_, i) => first + at + i);
}

/**
 * How often a scene is drawn on average: to draw one takes as long as to train on it, and with other changes each time
 * it teaches nearly as much as a new one.
 */
const drawsPerScene = 10;
/** Scenes a batch is drawn from: so many that the same one comes back only after hundreds of steps. 200 MB. */
const windowMax = 4096;
/** Keeps the stream of a step's draws away from those of the scenes. */
const drawOffset = 0x51ed270b;

/**
 * Training batches of a plan: each drawn from the newest scenes of an endless row, moved on with every step, and
 * changed at random. A batch depends on its step alone; scenes drawn lately are kept.
 */
export function trainingBatches(plan: TrainingPlan, sprites: Atlas): (step: number) => Batch {
  const { net, seed } = plan;
  const kept = new Map<number, Sample>();
  const sceneOf = (index: number): Sample => {
    const known = kept.get(index);
    if (known !== undefined) return known;
    const sample = sampleOf(firstTrainingSeed + index, { size: net.size, styles: "seen", sprites });
    kept.set(index, sample);
    return sample;
  };
  return (step) => {
    const { batch, size, changes } = phaseAt(plan, step);
    const random = randomFrom(Math.imul(seed + 1, drawOffset) + step);
    const end = batch + Math.floor(picturesIn(plan, step) / drawsPerScene);
    const begin = Math.max(0, end - windowMax);
    for (const index of kept.keys()) if (index < begin) kept.delete(index);
    const draw = (): Sample => {
      const part = cropped(sceneOf(begin + random.below(end - begin)), size, random);
      return changed(part, changes, random);
    };
    return batchOf(Array.from({ length: batch }, draw), net.classes);
  };
}

/** Parts of a scene lie around one of its objects, whose middle is up to this far from theirs, of the part's side. */
const cropSpread = 0.25;

/** A part of the sample, at its own scale: what is small in the whole is then most of the picture. */
function cropped(sample: Sample, size: number, random: Random): Sample {
  if (size === sample.size || sample.objects.length === 0) return sample;
  const { box } = random.pick(sample.objects);
  const start = (middle: number): number => {
    const wanted = middle - size / 2 + random.between(-cropSpread, cropSpread) * size;
    return Math.max(0, Math.min(sample.size - size, Math.round(wanted)));
  };
  const left = start(box.x + box.width / 2);
  const top = start(box.y + box.height / 2);
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y += 1) {
    const from = ((top + y) * sample.size + left) * 3;
    data.set(sample.data.subarray(from, from + size * 3), y * size * 3);
  }
  const moved = ({ x, y, width, height }: Box): Box => ({ x: x - left, y: y - top, width, height });
  const objects = sample.objects.map(({ classIndex, box: whole }) => ({ classIndex, box: moved(whole) }));
  return { size, data, objects };
}

function changed({ data, ...rest }: Sample, strength: number, random: Random): Sample {
  const copy = data.slice();
  augment(copy, rest.size, strength, random);
  return { ...rest, data: copy };
}
