/**
 * @file A linear probe (Alain and Bengio 2016): how well a linear classifier tells classes by a layer's features. Least
 * squares with a ridge, judged by leaving out each image in turn, both in closed form: no epochs, no random split.
 */
import { AppError } from "../errors.ts";

/** One row of features an image, all of one length. */
export type Features = readonly ArrayLike<number>[];

export interface ProbeAccuracy {
  /** Of images that were left out of training, each by itself. */
  readonly accuracy: number;
  /** Images judged, and those left out because no other image shows their class. */
  readonly images: number;
  readonly alone: number;
  readonly classes: number;
  /** What always saying the most frequent class gives. */
  readonly chance: number;
}

/** The time grows with the cube of the images: this many take about a minute. */
const IMAGES_MAX = 4000;
/** The ridge in units of the standardised features' mean square: enough to hold where features outnumber images. */
const RIDGE = 0.1;

/**
 * Features are standardised and scores fitted to one-hot labels. With G = Z Z'/d + 1 1' + ridge I and A = G^-1 Y, the
 * score of image i by the classifier trained on all others is y_i - A_i / (G^-1)_ii (the PRESS identity). Classes of a
 * single image cannot be told when it is left out: such images are counted and not used.
 * @throws AppError `dataset-invalid` for fewer than two classes with two images each, or more images than fit
 */
export function probeAccuracy(features: Features, labels: readonly (string | number)[]): ProbeAccuracy {
  const counts = new Map<string | number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const used = labels.flatMap((label, i) => ((counts.get(label) ?? 0) > 1 ? [i] : []));
  const own = used.map((i) => labels[i] ?? 0);
  const classes = [...new Set(own)];
  if (classes.length < 2) {
    throw new AppError(
      "dataset-invalid",
      "cannot train a linear probe: it needs two classes with two images each, and " +
        `of ${labels.length} images ${used.length} share their class with another, ${classes.length} classes in all`,
    );
  }
  if (used.length > IMAGES_MAX) {
    throw new AppError(
      "dataset-invalid",
      `cannot train a linear probe on ${used.length} images: ${IMAGES_MAX} are the most; take the first with --limit`,
    );
  }
  const inverse = inverted(gram(standardised(used.map((i) => features[i] ?? []))));
  const right = own.filter((label, i) => bestClass(inverse, own, classes, i) === label).length;
  return {
    accuracy: right / own.length,
    images: own.length,
    alone: labels.length - own.length,
    classes: classes.length,
    chance: Math.max(...classes.map((c) => counts.get(c) ?? 0)) / own.length,
  };
}

/** The class of the highest score for image i by the others; of equal ones the first seen. */
function bestClass(
  inverse: readonly Float64Array[],
  labels: readonly (string | number)[],
  classes: readonly (string | number)[],
  i: number,
): string | number | undefined {
  const row = inverse[i] ?? new Float64Array();
  const fitted = new Map<string | number, number>();
  for (const [j, label] of labels.entries()) fitted.set(label, (fitted.get(label) ?? 0) + row[j]!);
  let [best, found]: [number, string | number | undefined] = [Number.NEGATIVE_INFINITY, undefined];
  for (const name of classes) {
    const score = (labels[i] === name ? 1 : 0) - (fitted.get(name) ?? 0) / row[i]!;
    if (score > best) [best, found] = [score, name];
  }
  return found;
}

/** Each feature with mean 0 and deviation 1 over the images; features that do not vary become 0. */
function standardised(rows: Features): readonly Float64Array[] {
  const out = rows.map((row) => Float64Array.from(row));
  const width = out[0]?.length ?? 0;
  for (let k = 0; k < width; k += 1) {
    let [sum, squares] = [0, 0];
    for (const row of out) sum += row[k]! / out.length;
    for (const row of out) squares += (row[k]! - sum) ** 2 / out.length;
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (const row of out) row[k] = (row[k]! - sum) * scale;
  }
  return out;
}

/** Z Z'/d + 1 1' (the intercept) + ridge I. */
function gram(rows: readonly Float64Array[]): readonly Float64Array[] {
  return rows.map((a, i) =>
    Float64Array.from(rows, (b, j) => {
      let dot = 0;
      for (let k = 0; k < a.length; k += 1) dot += a[k]! * b[k]!;
      return dot / a.length + 1 + (i === j ? RIDGE : 0);
    }),
  );
}

/** The inverse of a symmetric positive definite matrix, by Gauss and Jordan; pivots need no search. */
function inverted(matrix: readonly Float64Array[]): readonly Float64Array[] {
  const a = matrix.map((row) => row.slice());
  for (const [p, pivotRow] of a.entries()) {
    const pivot = 1 / pivotRow[p]!;
    pivotRow[p] = 1;
    for (let j = 0; j < pivotRow.length; j += 1) pivotRow[j]! *= pivot;
    for (const [i, row] of a.entries()) {
      const factor = row[p]!;
      if (i === p || factor === 0) continue;
      row[p] = 0;
      for (let j = 0; j < row.length; j += 1) row[j]! -= factor * pivotRow[j]!;
    }
  }
  return a;
}
