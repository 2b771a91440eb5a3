/**
 * @file A list of (image, class) pairs that already says which classes of the model to explain: JSON rows of `file`,
 * `w`, `h`, `name`, `boxes_xywh` in pixels, `best_idx`, and `best_rank` where rows are chosen by it.
 */
import {
  type AnnotatedImage,
  type AnnotatedObject,
  boxFrom,
  fieldsOf,
  listOf,
  numberIn,
  numbersIn,
  parseJson,
  textIn,
  unreadableAnnotation,
} from "./annotation.ts";

export interface PairsOptions {
  /** Only rows whose class ranks better than this in the prediction they were made with (0 is the best). */
  readonly rankBelow?: number;
  /** Added to every class: 1 for a model whose class 0 is the background. */
  readonly offset?: number;
}

/** Images in the order of their first row. Throws `dataset-invalid`. */
export function parsePairs(text: string, document: string, options: PairsOptions = {}): readonly AnnotatedImage[] {
  const images = new Map<string, { readonly image: Omit<AnnotatedImage, "objects">; objects: AnnotatedObject[] }>();
  for (const [i, each] of listOf(parseJson(text, document), document, "it").entries()) {
    const place = `row ${i}`;
    const row = fieldsOf(each, document, place);
    const file = textIn(row["file"], document, `${place}.file`);
    const rank = row["best_rank"];
    if (options.rankBelow !== undefined) {
      if (numberIn(rank, document, `${place}.best_rank`) >= options.rankBelow) continue;
    }
    const size = {
      width: numberIn(row["w"], document, `${place}.w`),
      height: numberIn(row["h"], document, `${place}.h`),
    };
    const found = images.get(file) ?? { image: { file, size }, objects: [] };
    images.set(file, found);
    const target = numberIn(row["best_idx"], document, `${place}.best_idx`) + (options.offset ?? 0);
    const boxes = listOf(row["boxes_xywh"], document, `${place}.boxes_xywh`);
    if (boxes.length === 0) throw unreadableAnnotation(document, `${place} has no box`);
    for (const [k, values] of boxes.entries()) {
      const at = `${place}.boxes_xywh[${k}]`;
      const box = boxFrom(numbersIn(values, document, at), document, at);
      const name = textIn(row["name"], document, `${place}.name`);
      const outline = { kind: "box", box } as const;
      found.objects.push({ class: name, outline, box, normalised: false, difficult: false, target });
    }
  }
  return [...images.values()].map(({ image, objects }) => ({ ...image, objects }));
}
