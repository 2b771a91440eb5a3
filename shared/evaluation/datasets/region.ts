/** @file Annotated objects on a photo as one mask and boxes, in the photo's pixels; what did not fit is counted. */
import { AppError } from "../../errors.ts";
import type { Point, Rectangle, Size } from "../../imaging/geometry.ts";
import { addMask, clipBox, emptyMask, fillBoxes, fillPolygon, type Mask, maskBox } from "../mask.ts";
import type { AnnotatedObject } from "./annotation.ts";

export interface Region {
  /** The union of the objects. */
  readonly mask: Mask;
  /** One an object that has any part on the photo. */
  readonly boxes: readonly Rectangle[];
  /** Objects that reach beyond the photo by more than rounding: they were cut off at its edges. */
  readonly clipped: number;
  /** Objects that lie wholly outside: they were left out. */
  readonly outside: number;
}

/** Annotations are rounded: up to this many pixels beyond an edge is no mistake. */
const ROUNDING = 1;

/** Throws `dataset-invalid` for a mask that is not of the photo's size. */
export function regionOf(objects: readonly AnnotatedObject[], photo: Size): Region {
  const mask = emptyMask(photo);
  const boxes: Rectangle[] = [];
  let [clipped, outside] = [0, 0];
  for (const object of objects) {
    const box = boxOf(object, photo);
    const inside = box && clipBox(box, photo);
    if (box === null || inside === null) {
      outside += 1;
      continue;
    }
    if (reachesOut(box, photo)) clipped += 1;
    boxes.push(inside);
    draw(object, mask);
  }
  return { mask, boxes, clipped, outside };
}

const reachesOut = ({ left, top, right, bottom }: Rectangle, { width, height }: Size): boolean =>
  Math.min(left, top) < -ROUNDING || right > width + ROUNDING || bottom > height + ROUNDING;

const scaled = ({ left, top, right, bottom }: Rectangle, { width, height }: Size): Rectangle => ({
  left: left * width,
  top: top * height,
  right: right * width,
  bottom: bottom * height,
});

/** The annotated box, or the one around the outline; null for an empty mask. */
function boxOf(object: AnnotatedObject, photo: Size): Rectangle | null {
  const { outline, normalised } = object;
  const box = object.box ?? outlineBox(object);
  return box !== null && normalised && outline.kind !== "mask" ? scaled(box, photo) : box;
}

function outlineBox({ outline }: AnnotatedObject): Rectangle | null {
  if (outline.kind === "box") return outline.box;
  if (outline.kind === "mask") return maskBox(outline.mask);
  const points = outline.polygons.flat();
  const xs = points.map((p) => p.x);
  const ys = points.map((p) => p.y);
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

function draw({ outline, normalised }: AnnotatedObject, mask: Mask): void {
  const { width, height } = mask;
  switch (outline.kind) {
    case "box":
      fillBoxes(mask, [normalised ? scaled(outline.box, mask) : outline.box]);
      return;
    case "polygons": {
      const place = ({ x, y }: Point): Point => (normalised ? { x: x * width, y: y * height } : { x, y });
      for (const polygon of outline.polygons) fillPolygon(mask, polygon.map(place));
      return;
    }
    case "mask":
      if (outline.mask.width !== width || outline.mask.height !== height) {
        const given = `${outline.mask.width} x ${outline.mask.height}`;
        throw new AppError(
          "dataset-invalid",
          `cannot use a mask of ${given} pixels on a photo of ${width} x ${height}: they must be the same picture`,
        );
      }
      addMask(mask, outline.mask);
  }
}
