/** @file The explainers of one command: their sessions opened when first needed and kept while they fit. */

import { withScores } from "../../shared/explanation/prediction.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { bytesPerWeightByte, SessionPool } from "../../shared/runtime/pool.ts";
import type { Feeds, RunTensor, Runtime } from "../../shared/runtime/runtime.ts";
import { type Explainer, openGraph, weightFiles } from "./explainer.ts";
import type { LoadedModel } from "./model.ts";

/** The wasm heap ends at 4 GB and grows in steps of a fifth; this leaves room for the runs themselves. */
const sessionBytesMax = 1.5e9;
/** One run of an explainer for one class. */
export interface ExplainerRun {
  readonly outputs: Readonly<Record<string, RunTensor>>;
  readonly milliseconds: number;
}

/** Runs explainers of one model on one runtime. */
export class ExplainerPool {
  readonly #runtime: Runtime;
  readonly #model: LoadedModel;
  readonly #pool: SessionPool;

  constructor(runtime: Runtime, model: LoadedModel, progress: (text: string) => void) {
    this.#runtime = runtime;
    this.#model = model;
    this.#pool = new SessionPool({
      bytesMax: sessionBytesMax,
      onEvent: ({ kind }) => {
        if (kind === "creating") progress(`loading the explainer of ${model.name}`);
      },
    });
  }

  /**
   * `asked` is a class or a negative rank, or all inputs beside the image. The outputs hold the objective's tensor too.
   */
  run(explainer: Explainer, image: RunTensor, asked: number | Feeds, signal: AbortSignal): Promise<ExplainerRun> {
    const target = (of: number): RunTensor => ({ dtype: "int64", dims: [1], data: BigInt64Array.of(BigInt(of)) });
    const feeds: Feeds = {
      [explainer.manifest.input.name]: image,
      ...(typeof asked === "number" ? { target: target(asked) } : asked),
    };
    const open = async () => {
      const graph = withScores(explainer.graph, explainer.manifest);
      const bytes = exportModel(graph, { externalWeights: weightFiles(this.#model) });
      const label = `the explainer of ${this.#model.name}`;
      const session = await openGraph(this.#runtime, this.#model, bytes, label, signal);
      const weightBytes = weightFiles(this.#model).reduce((sum, file) => sum + file.bytes.length, 0);
      return { session, bytes: bytesPerWeightByte * weightBytes };
    };
    return this.#pool.use(
      explainer.sha256,
      open,
      async (session) => {
        const start = performance.now();
        const outputs = await session.run(feeds, signal);
        return { outputs, milliseconds: performance.now() - start };
      },
      signal,
    );
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
