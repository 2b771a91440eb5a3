/** @file What an annotation says, whatever its format: objects on an image. Formats are read in the files beside. */
import { AppError, messageOf } from "../../errors.ts";
import type { Point, Rectangle, Size } from "../../imaging/geometry.ts";
import type { Mask } from "../mask.ts";

/** An object's region. Coordinates are continuous, pixel i covering [i, i+1); see `AnnotatedObject.normalised`. */
export type Outline =
  | { readonly kind: "box"; readonly box: Rectangle }
  | { readonly kind: "polygons"; readonly polygons: readonly (readonly Point[])[] }
  | { readonly kind: "mask"; readonly mask: Mask };

export interface AnnotatedObject {
  /** The class as the annotation has it: a name, or a number as text. */
  readonly class: string;
  /** The finest region known: of a segmented object its outline. */
  readonly outline: Outline;
  /** The annotated box, where there is one beside the outline. */
  readonly box?: Rectangle;
  /** Coordinates are parts of the image's width and height rather than pixels. */
  readonly normalised: boolean;
  /** Annotated as hard to recognise: part of the mask, but no reason to play the image. */
  readonly difficult: boolean;
  /** The model's class, where the annotation itself says it. */
  readonly target?: number;
}

/** An image's objects, none where it is known to show none. */
export interface AnnotatedImage {
  /** The image's file, as the annotation names it. */
  readonly file: string;
  /** In pixels, where the annotation says it. */
  readonly size: Size | null;
  readonly objects: readonly AnnotatedObject[];
}

/** The error of every reader here: which document, where in it, and what is wrong. */
export const unreadableAnnotation = (document: string, what: string): AppError =>
  new AppError("dataset-invalid", `cannot read the annotation "${document}": ${what}`, { document });

/** A JSON document, or the error that names it. */
export function parseJson(text: string, document: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadableAnnotation(document, `it is not JSON: ${messageOf(cause)}`);
  }
}

/** An object's fields, without knowing their types. */
export function fieldsOf(value: unknown, document: string, place: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw unreadableAnnotation(document, `${place} is not an object`);
}

export function listOf(value: unknown, document: string, place: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unreadableAnnotation(document, `${place} is not a list`);
}

export function numberIn(value: unknown, document: string, place: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw unreadableAnnotation(document, `${place} is not a number`);
}

export function numbersIn(value: unknown, document: string, place: string): readonly number[] {
  return listOf(value, document, place).map((v, i) => numberIn(v, document, `${place}[${i}]`));
}

export function textIn(value: unknown, document: string, place: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw unreadableAnnotation(document, `${place} is not a text`);
}

/** A box from its corner and extents. A negative extent is a mistake, not a box. */
export function boxFrom(values: readonly number[], document: string, place: string): Rectangle {
  const [x, y, width, height] = values;
  if (values.length !== 4 || x === undefined || y === undefined || width === undefined || height === undefined) {
    throw unreadableAnnotation(document, `${place} is not a box [x, y, width, height]`);
  }
  if (width < 0 || height < 0) throw unreadableAnnotation(document, `${place} has a negative width or height`);
  return { left: x, top: y, right: x + width, bottom: y + height };
}

/** Points from x, y, x, y ...; at least three. */
export function pointsFrom(values: readonly number[], document: string, place: string): readonly Point[] {
  if (values.length < 6 || values.length % 2 !== 0) {
    throw unreadableAnnotation(document, `${place} is not a polygon: it has ${values.length} coordinates`);
  }
  return Array.from({ length: values.length / 2 }, (_, i) => ({ x: values[2 * i] ?? 0, y: values[2 * i + 1] ?? 0 }));
}
