/** @file Class-index masks: a picture whose pixels are class numbers, 0 the background and 255 "do not care". */
import type { NumberPicture } from "../../imaging/png.ts";
import { emptyMask, type Mask } from "../mask.ts";
import { type AnnotatedObject, unreadableAnnotation } from "./annotation.ts";

/** The number of what is neither background nor an object: borders in VOC, unlabelled things elsewhere. */
const VOID = 255;

/**
 * One object a class that is there. `names` are by number, the first one the background's; without them a class is its
 * number. Throws `dataset-invalid`.
 */
export function objectsOfMask(
  picture: NumberPicture,
  document: string,
  names: readonly string[] | null,
): readonly AnnotatedObject[] {
  const masks = new Map<number, Mask>();
  for (const [i, index] of picture.data.entries()) {
    if (index === 0 || index === VOID) continue;
    const mask = masks.get(index) ?? emptyMask(picture);
    masks.set(index, mask);
    mask.data[i] = 1;
  }
  return [...masks].map(([index, mask]) => {
    const name = names === null ? String(index) : names[index];
    if (name === undefined) {
      throw unreadableAnnotation(document, `it has class ${index}, and there are ${names?.length} class names`);
    }
    return { class: name, outline: { kind: "mask", mask }, normalised: false, difficult: false };
  });
}
