/** @file Bytes to the ModelProto message, or an error that says what the bytes are instead. */
import { AppError } from "../errors.ts";
import { decode } from "./decode.ts";
import { type ModelProto, modelProto } from "./schema.ts";
import { sniff } from "./sniff.ts";

/** Throws `model-malformed` where the bytes are not a model with a graph. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  const instead = (cause: unknown): AppError => {
    const kind = sniff(bytes);
    if (kind === undefined && cause instanceof AppError) return cause;
    const why = kind === undefined ? "it has no graph" : kind === "empty" ? "it is empty" : `it looks like ${kind}`;
    return new AppError("model-malformed", `the file is not an ONNX model: ${why}`, {}, { cause });
  };
  let model: ModelProto;
  try {
    model = decode(modelProto, bytes);
  } catch (error) {
    throw instead(error);
  }
  if (model.graph === undefined) throw instead(undefined);
  return model;
}
