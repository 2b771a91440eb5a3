/** @file YOLO's label files: a line an object, `class cx cy w h` or `class x1 y1 x2 y2 ...`, as parts of the image. */
import { type AnnotatedObject, pointsFrom, unreadableAnnotation } from "./annotation.ts";

/**
 * An image's objects. `names` are the dataset's class names by number; without them a class is its number. Throws
 * `dataset-invalid`.
 */
export function parseYolo(text: string, document: string, names: readonly string[] | null): readonly AnnotatedObject[] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === "") return [];
    const [id = Number.NaN, ...values] = line.trim().split(/\s+/).map(Number);
    const place = `line ${i + 1}`;
    if (!Number.isInteger(id) || id < 0 || values.some((v) => !Number.isFinite(v))) {
      throw unreadableAnnotation(document, `${place} is not a class number followed by coordinates`);
    }
    const name = names === null ? String(id) : names[id];
    if (name === undefined) {
      throw unreadableAnnotation(document, `${place} is of class ${id}, and there are ${names?.length} class names`);
    }
    return [{ class: name, normalised: true, difficult: false, ...shapeOf(values, document, place) }];
  });
}

function shapeOf(values: readonly number[], document: string, place: string): Pick<AnnotatedObject, "outline" | "box"> {
  const [x = 0, y = 0, width = 0, height = 0] = values;
  if (values.length !== 4) return { outline: { kind: "polygons", polygons: [pointsFrom(values, document, place)] } };
  if (width <= 0 || height <= 0) throw unreadableAnnotation(document, `${place} has a box without extent`);
  const box = { left: x - width / 2, top: y - height / 2, right: x + width / 2, bottom: y + height / 2 };
  return { outline: { kind: "box", box }, box };
}
