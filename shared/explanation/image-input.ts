/** @file The input a picture goes to, as the compiler sees it. */
import { typeOf } from "../graph/builder.ts";
import type { DType, Graph, Shape } from "../graph/ir.ts";
import { imageInput, imageLayout } from "../saliency/layers.ts";

/** The input a picture goes to. */
export interface ImageInput {
  readonly name: string;
  /** null where it is no picture's shape: such a model takes .npy inputs alone. */
  readonly layout: "nchw" | "nhwc" | null;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** What the picture goes to, as the compiler sees it. */
export function imageInputOf(graph: Graph): ImageInput {
  const value = imageInput(graph);
  const { dtype, shape } = typeOf(value);
  const layout = imageLayout(value);
  return { name: value.name, layout: layout === "nchw" || layout === "nhwc" ? layout : null, dtype, shape };
}
