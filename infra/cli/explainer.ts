/** @file From a loaded model and a spec to an explainer's file and session. Knows nothing of pictures. */
import path from "node:path";
import type { Graph } from "../../shared/graph/ir.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import type { Runtime, Session } from "../../shared/runtime/runtime.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import type { ExplainSpec, Manifest } from "../../shared/saliency/spec.ts";
import { sha256 } from "./files.ts";
import type { LoadedModel, ModelFile } from "./model.ts";

export interface Explainer {
  readonly graph: Graph;
  readonly manifest: Manifest;
  /** The file, its weights as references into the model's own bytes: small whatever the model's size. */
  readonly bytes: Uint8Array;
  /** Of `bytes`: the same model and spec give the same. */
  readonly sha256: string;
  readonly compileMs: number;
}

export function makeExplainer(model: LoadedModel, spec: ExplainSpec): Explainer {
  const start = performance.now();
  const { graph, manifest } = compileExplainer(model.graph, spec, { sha256: model.sha256 });
  const bytes = exportModel(graph, { externalWeights: weightFiles(model) });
  return { graph, manifest, bytes, sha256: sha256(bytes), compileMs: performance.now() - start };
}

/** A session over weights that stay in the model's own bytes: no second copy outside the engine's heap. */
export function openGraph(
  runtime: Runtime,
  model: ModelFile,
  bytes: Uint8Array,
  label: string,
  signal: AbortSignal,
): Promise<Session> {
  const external = weightFiles(model).map(({ location, bytes: data }) => ({ path: location, data }));
  return runtime.create(bytes, { external, label, signal });
}

/** What an exported graph may refer to: the model file itself and its own weights files. */
export function weightFiles(model: ModelFile): readonly { readonly location: string; readonly bytes: Uint8Array }[] {
  return [
    { location: path.basename(model.file), bytes: model.bytes },
    ...model.external.map(({ path: location, data }) => ({ location, bytes: data })),
  ];
}
