/** @file Reading the golden maps: their cases, inputs, and how close is close enough. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Tensor } from "./evaluate/tensor.ts";
import { readNpy } from "./npy.ts";
import { sharedData } from "./shared-data.ts";

export interface GoldenEntry {
  readonly layer: string;
  readonly method: string;
  readonly shape: readonly number[];
  readonly layers?: readonly string[];
  readonly layer_shape?: readonly number[];
  readonly file: string;
  readonly index: number;
  readonly storage: "full" | "avgpool";
  readonly pool?: readonly [number, number];
  readonly samples?: { readonly index: readonly number[]; readonly value: readonly number[] };
  readonly argmax: number;
  readonly argmax_margin: number;
  readonly f32_rel: number;
  readonly tie_sensitive?: boolean;
  /** SmoothGrad: the samples' noise [n, C, h, w], and how often it is repeated along each side. */
  readonly noise_file?: string;
  readonly noise_tile?: number;
}

export interface GoldenCase {
  readonly case: string;
  readonly model: { readonly file: string };
  readonly input: {
    readonly name: string;
    readonly kind: string;
    readonly layout: string;
    readonly shape: readonly number[];
    readonly u8_file: string;
    readonly float32_sha256: string;
  };
  readonly objective: {
    readonly kind: string;
    readonly tensor: string;
    readonly class: number;
    readonly value: number;
  };
  readonly maps: readonly GoldenEntry[];
}

export const goldenCases = (): readonly GoldenCase[] =>
  readdirSync(sharedData("golden", "cases"))
    .sort()
    .map((name): GoldenCase => JSON.parse(readFileSync(sharedData("golden", "cases", name), "utf8")));

const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];
/** Each formula in double, rounded once, as the oracle did: channel c of a pixel u in 0..255. */
const formulas: Readonly<Record<string, (u: number, c: number) => number>> = {
  imagenet: (u, c) => (u / 255 - (mean[c] ?? 0)) / (deviation[c] ?? 1),
  pm1: (u) => u / 127.5 - 1,
  raw_bgr_letterbox: (u) => u,
  unit: (u) => u / 255,
};

/** The case's input tensor, checked against the digest the oracle recorded. */
export function goldenInput({ input }: GoldenCase): Float32Array {
  const { dims, data } = readNpy(sharedData("golden", input.u8_file));
  const [h = 0, w = 0, channels = 0] = dims;
  const formula = formulas[input.kind];
  if (!formula) throw new RangeError(`no formula for inputs of kind ${input.kind}`);
  const out = new Float32Array(h * w * channels);
  for (let p = 0; p < h * w; p++) {
    for (let c = 0; c < channels; c++) {
      const source = input.kind.includes("bgr") ? channels - 1 - c : c;
      const at = input.layout === "nhwc" ? p * channels + c : c * h * w + p;
      out[at] = formula(data[p * channels + source] ?? 0, c);
    }
  }
  const digest = createHash("sha256").update(new Uint8Array(out.buffer)).digest("hex");
  if (digest !== input.float32_sha256)
    throw new RangeError(`the input of kind ${input.kind} differs from the oracle's`);
  return out;
}

/** The noise of a case's SmoothGrad entries at the input's size; undefined where none has any. */
export function goldenNoise(
  { input }: GoldenCase,
  entries: readonly GoldenEntry[],
): { readonly dims: readonly number[]; readonly data: Float32Array } | undefined {
  const file = entries.find((e) => e.noise_file !== undefined)?.noise_file;
  if (file === undefined) return undefined;
  const { dims, data } = readNpy(sharedData("golden", file));
  const [n = 0, channels = 0, h = 0, w = 0] = dims;
  const [, , height = 0, width = 0] = input.shape;
  const out = Float32Array.from({ length: n * channels * height * width }, (_, i) => {
    const [x, y, plane] = [i % width, Math.floor(i / width) % height, Math.floor(i / (width * height))];
    return data[(plane * h + (y % h)) * w + (x % w)] ?? Number.NaN;
  });
  return { dims: [n, channels, height, width], data: out };
}

const stacks = new Map<string, Tensor>();

/** What is stored of a map: all of it, or block means and 64 pixels. */
export function goldenMap(entry: GoldenEntry): {
  readonly values: Float64Array;
  readonly samples: ReadonlyMap<number, number>;
} {
  let stack = stacks.get(entry.file);
  if (!stack) {
    stack = readNpy(sharedData("golden", entry.file));
    stacks.set(entry.file, stack);
  }
  const size = stack.dims.slice(1).reduce((n, d) => n * d, 1);
  const values = stack.data.slice(entry.index * size, (entry.index + 1) * size);
  const { index = [], value = [] } = entry.samples ?? {};
  return { values, samples: new Map(index.map((i, k) => [i, value[k] ?? Number.NaN])) };
}

export interface Agreement {
  /** Largest deviation, and that of the 99th-percentile pixel, relative to the golden map's largest magnitude. */
  readonly worst: number;
  readonly p99: number;
  readonly cosine: number;
  /** Spearman's correlation of what is stored. */
  readonly rank: number;
}

/** A non-finite value is infinitely wrong. */
export function compareMap(entry: GoldenEntry, actual: ArrayLike<number>): Agreement {
  const { values, samples } = goldenMap(entry);
  const own =
    entry.storage === "avgpool" && entry.pool ? blockMeans(actual, entry.shape, entry.pool) : Float64Array.from(actual);
  if (own.length !== values.length)
    return { worst: Number.POSITIVE_INFINITY, p99: Number.POSITIVE_INFINITY, cosine: 0, rank: 0 };
  const pairs = [...values].map((v, i) => [v, own[i] ?? Number.NaN] as const);
  for (const [i, v] of samples) pairs.push([v, actual[i] ?? Number.NaN]);
  const largest = pairs.reduce((m, [v]) => Math.max(m, Math.abs(v)), 0) || 1;
  const deviations = pairs
    .map(([v, a]) => (Number.isFinite(a) ? Math.abs(v - a) / largest : Number.POSITIVE_INFINITY))
    .sort((a, b) => a - b);
  const dot = (f: (p: readonly [number, number]) => number): number => pairs.reduce((s, p) => s + f(p), 0);
  const norms = Math.sqrt(dot(([v]) => v * v) * dot(([, a]) => a * a));
  return {
    worst: deviations.at(-1) ?? 0,
    p99: deviations[Math.ceil(deviations.length * 0.99) - 1] ?? 0,
    cosine: norms === 0 ? (largest === 1 && (deviations.at(-1) ?? 0) === 0 ? 1 : 0) : dot(([v, a]) => v * a) / norms,
    rank: rankCorrelation(values, own),
  };
}

/** Spearman, ties at their average rank; 0 where one of them is constant. */
function rankCorrelation(a: Float64Array, b: Float64Array): number {
  const [ra, rb] = [averageRanks(a), averageRanks(b)];
  const middle = (a.length - 1) / 2;
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [(ra[i] ?? 0) - middle, (rb[i] ?? 0) - middle];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  // Two constant maps agree.
  if (aa === 0 && bb === 0) return 1;
  return aa * bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

function averageRanks(values: Float64Array): Float64Array {
  const order = [...values.keys()].sort((i, j) => (values[i] ?? 0) - (values[j] ?? 0));
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end] ?? 0] === values[order[start] ?? 0]) end++;
    for (let k = start; k < end; k++) ranks[order[k] ?? 0] = (start + end - 1) / 2;
    start = end;
  }
  return ranks;
}

function blockMeans(
  map: ArrayLike<number>,
  [h = 0, w = 0]: readonly number[],
  [ph, pw]: readonly [number, number],
): Float64Array {
  const [rows, columns] = [Math.floor(h / ph), Math.floor(w / pw)];
  const out = new Float64Array(rows * columns);
  for (let y = 0; y < rows * ph; y++) {
    for (let x = 0; x < columns * pw; x++) {
      const block = Math.floor(y / ph) * columns + Math.floor(x / pw);
      out[block] = (out[block] ?? 0) + (map[y * w + x] ?? Number.NaN) / (ph * pw);
    }
  }
  return out;
}
