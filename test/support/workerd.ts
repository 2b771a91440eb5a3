/** @file The edge runtime inside workerd, driven from a test: models in, tensors and memory figures out. */
import path from "node:path";
import { type Stack, startStack } from "../../infra/stack/stack.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import type { ImageFormat } from "../../shared/imaging/sniff.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import type { Feeds, RunTensor } from "../../shared/runtime/runtime.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { defaultSpec, type ExplainSpec } from "../../shared/saliency/spec.ts";
import { type FixtureMemory, packTensors, unpackTensors } from "../edge/fixture/wire.ts";

export interface Workerd {
  readonly stack: Stack;
  /** Puts the files in the bucket and opens a session on them; its name is that of the model file. */
  open(name: string, model: Uint8Array, weights?: { readonly name: string; readonly bytes: Uint8Array }): Promise<void>;
  /** Runs the session, `times` times with the same feeds; the last results. */
  run(name: string, feeds: Feeds, times?: number): Promise<Record<string, RunTensor>>;
  release(name: string): Promise<void>;
  decode(bytes: Uint8Array): Promise<Decoded>;
  /** Decodes and encodes anew. */
  transcode(bytes: Uint8Array, format: ImageFormat): Promise<Uint8Array>;
  memory(): Promise<FixtureMemory>;
  stop(): Promise<void>;
}

/** A picture as decoded in workerd, its pixels as their digest; or the error's code and message. */
export type Decoded =
  | {
      readonly width: number;
      readonly height: number;
      readonly sha256: string;
      readonly notes: readonly string[];
    }
  | { readonly code: string; readonly message: string };

/** Starts workerd with a Worker that knows only the runtime and the codecs. Start it once a file, and stop it. */
export async function startWorkerd(): Promise<Workerd> {
  const stack = await startStack({ entry: path.join(import.meta.dirname, "../edge/fixture/worker.ts") });
  const call = (route: string, query: Record<string, string>, body?: Uint8Array): Promise<Response> =>
    stack.fetch(
      `${route}?${new URLSearchParams(query)}`,
      body === undefined ? {} : { method: "POST", body: new Uint8Array(body) },
    );
  const succeed = async (...request: Parameters<typeof call>): Promise<Response> => {
    const response = await call(...request);
    if (!response.ok) throw new Error(await response.text());
    return response;
  };
  return {
    stack,
    async open(name, model, weights) {
      const contentType = "application/onnx";
      await stack.store.put(name, model, { contentType });
      if (weights !== undefined) await stack.store.put(weights.name, weights.bytes, { contentType });
      await succeed("/open", { model: name, ...(weights && { weights: weights.name }) });
    },
    async run(name, feeds, times = 1) {
      const response = await succeed("/run", { model: name, times: String(times) }, packTensors(feeds));
      return unpackTensors(new Uint8Array(await response.arrayBuffer()));
    },
    release: async (name) => void (await succeed("/release", { model: name })),
    // Both shapes are what the fixture answers.
    decode: async (bytes) => (await (await call("/decode", {}, bytes)).json()) as Decoded,
    async transcode(bytes, format) {
      return new Uint8Array(await (await succeed("/transcode", { format }, bytes)).arrayBuffer());
    },
    memory: async () => (await (await succeed("/memory", {})).json()) as FixtureMemory,
    stop: () => stack.stop(),
  };
}

/** The explainer of a model; with `location` its weights are references into a file of that name. */
export function explainerOf(model: Uint8Array, location?: string, spec: Partial<ExplainSpec> = {}): Uint8Array {
  const { graph, declared } = importModel(model);
  const compiled = compileExplainer(prepare(graph, { declared }), { ...defaultSpec, ...spec }, { sha256: "" });
  return exportModel(compiled.graph, location === undefined ? {} : { externalWeights: [{ location, bytes: model }] });
}
