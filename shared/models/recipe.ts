/** @file How a photo becomes a model's input, as data: what a card says and what imaging carries out. */

/**
 * How a photo is fitted into the model's input.
 * - `squash`: the whole photo, its aspect given up
 * - `resize-crop`: shorter side to `resize` pixels, then the centre (torchvision's Resize and CenterCrop)
 * - `letterbox`: the whole photo, its aspect kept, the rest filled with the grey value `fill`
 */
export type Fit =
  | { readonly kind: "squash" }
  | { readonly kind: "resize-crop"; readonly resize: number }
  | { readonly kind: "letterbox"; readonly fill: number; readonly align: "top-left" | "center" };

/** value = (u / divide - mean) / std, u being 0 to 255; mean and std in the model's channel order. */
export interface Normalise {
  readonly divide: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export const layouts = ["nchw", "nhwc"] as const;
export const channelOrders = ["rgb", "bgr", "gray"] as const;
export const inputTypes = ["float32", "float16", "uint8"] as const;

/** Everything between an upright RGB photo and the model's input tensor. Sizes in pixels. */
export interface Recipe {
  readonly width: number;
  readonly height: number;
  readonly layout: (typeof layouts)[number];
  readonly channels: (typeof channelOrders)[number];
  readonly dtype: (typeof inputTypes)[number];
  readonly fit: Fit;
  readonly normalise: Normalise;
}
