/** @file COCO's object annotations (instances_*.json): boxes, polygons, and run-length masks, plain or compressed. */
import type { Size } from "../../imaging/geometry.ts";
import type { Mask } from "../mask.ts";
import {
  type AnnotatedImage,
  type AnnotatedObject,
  boxFrom,
  fieldsOf,
  listOf,
  numberIn,
  numbersIn,
  type Outline,
  parseJson,
  pointsFrom,
  textIn,
  unreadableAnnotation,
} from "./annotation.ts";

/** All images of the document, those without an object too. Throws `dataset-invalid`. */
export function parseCoco(text: string, document: string): readonly AnnotatedImage[] {
  const root = fieldsOf(parseJson(text, document), document, "it");
  const names = new Map<number, string>();
  for (const [i, each] of listOf(root["categories"], document, '"categories"').entries()) {
    const { id, name } = fieldsOf(each, document, `categories[${i}]`);
    names.set(numberIn(id, document, `categories[${i}].id`), textIn(name, document, `categories[${i}].name`));
  }
  const images = new Map<number, { readonly file: string; readonly size: Size; readonly objects: AnnotatedObject[] }>();
  for (const [i, each] of listOf(root["images"], document, '"images"').entries()) {
    const place = `images[${i}]`;
    const { id, file_name, width, height } = fieldsOf(each, document, place);
    images.set(numberIn(id, document, `${place}.id`), {
      file: textIn(file_name, document, `${place}.file_name`),
      size: {
        width: numberIn(width, document, `${place}.width`),
        height: numberIn(height, document, `${place}.height`),
      },
      objects: [],
    });
  }
  for (const [i, each] of listOf(root["annotations"], document, '"annotations"').entries()) {
    const place = `annotations[${i}]`;
    const { image_id, category_id, bbox, segmentation } = fieldsOf(each, document, place);
    const image = images.get(numberIn(image_id, document, `${place}.image_id`));
    if (image === undefined) throw unreadableAnnotation(document, `${place} is of an image it does not list`);
    const name = names.get(numberIn(category_id, document, `${place}.category_id`));
    if (name === undefined) throw unreadableAnnotation(document, `${place} is of a category it does not list`);
    const box = boxFrom(numbersIn(bbox, document, `${place}.bbox`), document, `${place}.bbox`);
    const outline = outlineOf(segmentation, document, `${place}.segmentation`) ?? { kind: "box", box };
    image.objects.push({ class: name, outline, box, normalised: false, difficult: false });
  }
  return [...images.values()];
}

/** Polygons as a list of lists, or runs as { counts, size }; null where there is none. */
function outlineOf(value: unknown, document: string, place: string): Outline | null {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) {
    const polygons = value.map((each: unknown, i) =>
      pointsFrom(numbersIn(each, document, `${place}[${i}]`), document, `${place}[${i}]`),
    );
    return polygons.length === 0 ? null : { kind: "polygons", polygons };
  }
  const { counts, size } = fieldsOf(value, document, place);
  const [height = 0, width = 0] = numbersIn(size, document, `${place}.size`);
  const runs = typeof counts === "string" ? decompressRuns(counts) : numbersIn(counts, document, `${place}.counts`);
  return { kind: "mask", mask: maskFromRuns(runs, { width, height }, document, place) };
}

/** Runs go down the columns, from the left, and begin with a run of 0 that may be empty. */
function maskFromRuns(runs: readonly number[], { width, height }: Size, document: string, place: string): Mask {
  const total = runs.reduce((sum, run) => sum + run, 0);
  if (total !== width * height || runs.some((run) => run < 0 || !Number.isInteger(run))) {
    throw unreadableAnnotation(document, `${place} has runs of ${total} pixels for ${width} x ${height}`);
  }
  const data = new Uint8Array(total);
  let at = 0;
  for (const [i, run] of runs.entries()) {
    for (let k = 0; k < run; k += 1, at += 1) {
      if (i % 2 === 1) data[(at % height) * width + Math.floor(at / height)] = 1;
    }
  }
  return { width, height, data };
}

/**
 * COCO's compressed runs: each number in digits of 5 bits, lowest first, in characters from "0" (48) on; a sixth bit
 * says that more follow, and the last digit's fifth is the sign. From the fourth run on a number is the difference to
 * the run before last.
 */
function decompressRuns(text: string): readonly number[] {
  const runs: number[] = [];
  for (let at = 0; at < text.length; ) {
    let value = 0;
    let shift = 0;
    for (let more = true; more; at += 1, shift += 5) {
      const digit = text.charCodeAt(at) - 48; // NaN past the end: ends the number
      value |= (digit & 0x1f) << shift;
      more = (digit & 0x20) !== 0;
      if (!more && (digit & 0x10) !== 0) value |= -1 << (shift + 5);
    }
    runs.push(runs.length > 2 ? value + (runs[runs.length - 2] ?? 0) : value);
  }
  return runs;
}
