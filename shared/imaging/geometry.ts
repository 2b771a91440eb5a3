/** @file Which part of the photo a model sees and where: the fit modes as affine maps, and their inverse. No pixels. */
import { AppError } from "../errors.ts";
import type { Fit } from "../models/recipe.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * Where input pixels lie on the upright photo. Continuous coordinates, pixel i covering [i, i+1):
 * input = photo * scale + offset on each axis.
 */
export interface Geometry {
  readonly photo: Size;
  readonly input: Size;
  /** What the photo is resized to before it is cropped or padded. */
  readonly resized: Size;
  readonly scaleX: number;
  readonly scaleY: number;
  /** Whole pixels: minus what is cropped, plus what is padded. */
  readonly offsetX: number;
  readonly offsetY: number;
  /** The part of the photo the model sees, in photo pixels. */
  readonly covered: Rectangle;
}

/** Python's `round`: halves go to the even neighbour. torchvision's crop position depends on it. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function place(photo: Size, input: Size, resized: Size, offsetX: number, offsetY: number): Geometry {
  const scaleX = resized.width / photo.width;
  const scaleY = resized.height / photo.height;
  // Decided on whole pixels: (input - offset) / scale may miss the photo's edge by rounding.
  const covered: Rectangle = {
    left: offsetX >= 0 ? 0 : -offsetX / scaleX,
    top: offsetY >= 0 ? 0 : -offsetY / scaleY,
    right: offsetX + resized.width <= input.width ? photo.width : (input.width - offsetX) / scaleX,
    bottom: offsetY + resized.height <= input.height ? photo.height : (input.height - offsetY) / scaleY,
  };
  // Copies: callers pass whole pictures, whose pixels must not live on in a result.
  const size = ({ width, height }: Size): Size => ({ width, height });
  return { photo: size(photo), input: size(input), resized: size(resized), scaleX, scaleY, offsetX, offsetY, covered };
}

/** The geometry of a fit. Throws `card-invalid` when a crop is larger than what it is cut from. */
export function fitGeometry(photo: Size, input: Size, fit: Fit): Geometry {
  switch (fit.kind) {
    case "squash":
      return place(photo, input, input, 0, 0);
    case "resize-crop": {
      const shorter = Math.min(photo.width, photo.height);
      const side = (length: number): number =>
        length === shorter ? fit.resize : Math.trunc((fit.resize * length) / shorter);
      const resized = { width: side(photo.width), height: side(photo.height) };
      if (resized.width < input.width || resized.height < input.height) {
        throw new AppError(
          "card-invalid",
          `cannot cut ${input.width} x ${input.height} from a photo resized to ${resized.width} x ${resized.height}; ` +
            `"resize" must be at least ${Math.max(input.width, input.height)}`,
        );
      }
      const left = roundHalfEven((resized.width - input.width) / 2);
      const top = roundHalfEven((resized.height - input.height) / 2);
      return place(photo, input, resized, -left, -top);
    }
    case "letterbox": {
      const ratio = Math.min(input.width / photo.width, input.height / photo.height);
      // A very long photo would shrink to nothing; one pixel is the least there is.
      const resized = {
        width: Math.max(1, Math.trunc(photo.width * ratio)),
        height: Math.max(1, Math.trunc(photo.height * ratio)),
      };
      if (fit.align === "top-left") return place(photo, input, resized, 0, 0);
      const left = Math.floor((input.width - resized.width) / 2);
      const top = Math.floor((input.height - resized.height) / 2);
      return place(photo, input, resized, left, top);
    }
  }
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where a point of the photo lies in the model's input. */
export function toInput(geometry: Geometry, point: Point): Point {
  return {
    x: point.x * geometry.scaleX + geometry.offsetX,
    y: point.y * geometry.scaleY + geometry.offsetY,
  };
}

/** Where a point of the model's input lies on the photo; outside the photo for a padded one. */
export function toPhoto(geometry: Geometry, point: Point): Point {
  return {
    x: (point.x - geometry.offsetX) / geometry.scaleX,
    y: (point.y - geometry.offsetY) / geometry.scaleY,
  };
}

/** Whether the model saw the whole photo. */
export function coversAll({ photo, covered }: Geometry): boolean {
  return covered.left <= 0 && covered.top <= 0 && covered.right >= photo.width && covered.bottom >= photo.height;
}
