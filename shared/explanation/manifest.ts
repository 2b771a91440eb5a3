/** @file What an explainer's file says of itself, read back. */
import { AppError } from "../errors.ts";
import { decodeModel } from "../onnx/decode-model.ts";
import { manifestKey } from "../saliency/compile.ts";
import type { Manifest } from "../saliency/spec.ts";

/** Throws `model-malformed` where the file is no explainer. */
export function readManifest(bytes: Uint8Array): Manifest {
  const text = decodeModel(bytes).metadata_props?.find(({ key }) => key === manifestKey)?.value;
  if (text === undefined) throw new AppError("model-malformed", "the model is no explainer: it carries no manifest");
  return JSON.parse(text) as Manifest; // written by the compiler, and found by a digest that names its version
}
