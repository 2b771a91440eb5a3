/**
 * @file onnxruntime-node, about four times as fast as wasm, where the user has installed it: Backlight does not depend
 * on it. Node only.
 */
import type * as ort from "onnxruntime-web";
import { AppError } from "../errors.ts";
import { wrapSession } from "./onnxruntime.ts";
import type { Runtime } from "./runtime.ts";

export interface NativeRuntimeOptions {
  /** Threads inside an operator; 1 by default. */
  readonly threads?: number;
}

/** onnxruntime-node as a runtime. Throws `runtime-failed` with how to install it where it is not. */
export async function nativeRuntime(options: NativeRuntimeOptions = {}): Promise<Runtime> {
  const engine = await load();
  const name = `onnxruntime-node ${engine.env.versions.node ?? engine.env.versions.common}`;
  const threads = options.threads ?? 1;
  return {
    name,
    create: (model, createOptions) =>
      wrapSession(
        name,
        engine.Tensor,
        () =>
          engine.InferenceSession.create(model, {
            executionProviders: ["cpu"],
            graphOptimizationLevel: "all",
            logSeverityLevel: 4,
            intraOpNumThreads: threads,
            interOpNumThreads: 1,
            ...(createOptions?.external && {
              externalData: createOptions.external.map(({ path, data }) => ({ path, data })),
            }),
          }),
        createOptions,
      ),
  };
}

/** True where onnxruntime-node can be loaded on this machine. */
export async function hasNativeRuntime(): Promise<boolean> {
  return load().then(
    () => true,
    () => false,
  );
}

async function load(): Promise<typeof ort> {
  try {
    // Both packages have the types of onnxruntime-common; this one's own would make it a dependency of ours.
    const loaded: { readonly default?: typeof ort } & typeof ort = await import("onnxruntime-node");
    return loaded.default ?? loaded;
  } catch (cause) {
    throw new AppError(
      "runtime-failed",
      'the native runtime needs the package "onnxruntime-node", which cannot be loaded here: ' +
        "npm install onnxruntime-node, or use --runtime wasm",
      {},
      { cause },
    );
  }
}
