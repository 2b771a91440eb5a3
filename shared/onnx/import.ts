/**
 * @file Bytes to graph: decodes, checks, and lifts to the one dialect the rest knows. Nothing is folded here
 * (shared/graph/prepare.ts does that), and no weight is copied.
 */
import { AppError } from "../errors.ts";
import { opsetMax } from "../graph/builder.ts";
import type { Graph, TensorType } from "../graph/ir.ts";
import { buildGraph } from "./build-graph.ts";
import { decodeModel } from "./decode-model.ts";
import type { ExternalFiles } from "./external.ts";
import { lift, opsetOldest } from "./lift.ts";
import type { ModelProto } from "./schema.ts";
import { typeOfValueInfo } from "./value-info.ts";

export interface ImportOptions {
  /** Files beside the model that hold weights; `externalLocations` lists which. */
  readonly external?: ExternalFiles;
}

export interface ImportedModel {
  /** Lifted: `graph.opset` is 18 to 24. Types are known of inputs, constants, and what lifting needed to infer. */
  readonly graph: Graph;
  /** Types the file declares for inner tensors and outputs, by name: for where inference cannot tell. */
  readonly declared: ReadonlyMap<string, TensorType>;
  /** As they stand in the file. */
  readonly irVersion: number;
  readonly opset: number;
  readonly producer: { readonly name: string; readonly version: string };
}

/**
 * The model as a graph whose constants are views on `bytes`, which must not be written after. Throws `model-malformed`,
 * `model-missing-data` or `model-unsupported`.
 */
export function importModel(bytes: Uint8Array, options: ImportOptions = {}): ImportedModel {
  const model = decodeModel(bytes);
  const opsets = operatorSets(model);
  const opset = opsets.get("") ?? 0;
  const declared = declaredTypes(model);
  const files = options.external ?? (() => undefined);
  return {
    graph: lift(buildGraph(model, opset, opsets, files), declared),
    declared,
    irVersion: Number(model.ir_version ?? 0n),
    opset,
    producer: { name: model.producer_name ?? "", version: model.producer_version ?? "" },
  };
}

/** Versions by domain, "" for ai.onnx. */
function operatorSets(model: ModelProto): ReadonlyMap<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of model.opset_import ?? []) {
    const key = domain === undefined || domain === "ai.onnx" ? "" : domain;
    const number = Number(version ?? 0n);
    const other = opsets.get(key);
    if (other !== undefined && other !== number) {
      const name = key === "" ? "ai.onnx" : key;
      throw new AppError("model-malformed", `the model imports "${name}" in two versions, ${other} and ${number}`);
    }
    opsets.set(key, number);
  }
  const version = opsets.get("");
  if (version === undefined) {
    if (opsets.size === 0) throw new AppError("model-malformed", "the model does not say which opset it is written in");
    opsets.set("", opsetMax); // only other domains: no ai.onnx node in it
  } else if (version < opsetOldest || version > opsetMax) {
    throw new AppError(
      "model-unsupported",
      `the model is written in ai.onnx opset ${version}; supported are ${opsetOldest} to ${opsetMax}: ` +
        "convert it with onnx.version_converter or export it anew",
      { opset: version },
    );
  }
  return opsets;
}

function declaredTypes(model: ModelProto): ReadonlyMap<string, TensorType> {
  const declared = new Map<string, TensorType>();
  let serial = 0;
  const fresh = (hint: string): string => `?${hint}.${++serial}`;
  for (const info of [...(model.graph?.value_info ?? []), ...(model.graph?.output ?? [])]) {
    const type = typeOfValueInfo(info, fresh);
    if (type !== undefined) declared.set(info.name ?? "", type);
  }
  return declared;
}
