/** @file The explainers of a bucket: compiled once, stored without weights, found again by digest. Runs nothing. */
import { digestOf } from "../digest.ts";
import { readManifest } from "../explanation/manifest.ts";
import type { ModelBytes } from "../explanation/model-graph.ts";
import { withScores } from "../explanation/prediction.ts";
import { exportModel } from "../onnx/export.ts";
import { compileExplainer, compilerVersion } from "../saliency/compile.ts";
import type { ExplainSpec, Manifest } from "../saliency/spec.ts";
import { readObject } from "../storage/body.ts";
import type { ObjectStore } from "../storage/store.ts";
import { explainerKey } from "./layout.ts";
import type { ServedModel } from "./models.ts";
import { readModel, servedGraph } from "./source.ts";

/** An explainer's file has operators and small constants: some 200 kB for the largest networks tried. */
const explainerBytesMax = 16_000_000;
/** Files kept by an isolate, each some 100 kB. */
const keptMax = 16;
/** The file an explainer's weights are in, as it refers to it. */
const weightsLocation = "model.onnx";

export interface ServedExplainer {
  /** Of model, compiler and spec: the same give the same explainer. */
  readonly digest: string;
  /** The ONNX file; its weights are references into the model's own file. */
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  /** How long compiling took; 0 where it was found compiled. */
  readonly compileMs: number;
}

export interface ExplainerOptions {
  /** The largest model that is compiled here: compiling holds all of it. Larger ones are compiled ahead. */
  readonly compileBytesMax: number;
}

/** The spec with what the card says where the request says nothing. */
export function specWithCard(spec: ExplainSpec, { card }: Pick<ServedModel, "card">): ExplainSpec {
  return {
    ...spec,
    ...(spec.output === undefined && card.output !== undefined && { output: card.output }),
    ...(spec.layers === "auto" && card.layers !== undefined && { layers: card.layers }),
  };
}

/** Gives explainers, compiling those that nobody compiled before. */
export class ExplainerShelf {
  readonly #store: ObjectStore;
  readonly #options: ExplainerOptions;
  /** In order of use: the first is the one used longest ago. */
  readonly #kept = new Map<string, ServedExplainer>();

  constructor(store: ObjectStore, options: ExplainerOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** @throws AppError as `compileExplainer` does, `model-unsupported` for a model too large to be compiled here */
  async get(model: ServedModel, spec: ExplainSpec, signal?: AbortSignal): Promise<ServedExplainer> {
    const digest = await explainerDigest(model, spec);
    const place = `${digest} ${model.weightsEtag}`;
    const known =
      this.#kept.get(place) ??
      (await this.#find(digest, model, signal)) ??
      (await this.#make(digest, model, spec, signal));
    this.#kept.delete(place);
    this.#kept.set(place, { ...known, compileMs: 0 });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptMax && oldest !== undefined) this.#kept.delete(oldest);
    return known;
  }

  async #find(
    digest: string,
    model: ServedModel,
    signal: AbortSignal | undefined,
  ): Promise<ServedExplainer | undefined> {
    const key = explainerKey(digest);
    const found = await this.#store.get(key, { signal });
    if (found?.outcome !== "found") return undefined;
    const bytes = await readObject(found, {
      bytesMax: explainerBytesMax,
      what: `the explainer "${key}"`,
      code: "model-malformed",
    });
    // The references are offsets: they hold for the very file they were made from.
    if (found.info.metadata["weights-etag"] !== model.weightsEtag) return undefined;
    return { digest, bytes, manifest: readManifest(bytes), compileMs: 0 };
  }

  async #make(
    digest: string,
    model: ServedModel,
    spec: ExplainSpec,
    signal: AbortSignal | undefined,
  ): Promise<ServedExplainer> {
    const source = await readModel(this.#store, model, this.#options.compileBytesMax, signal);
    const start = performance.now();
    const made = compileServed(source, spec, model);
    const compileMs = performance.now() - start;
    // Another isolate may have written the same bytes meanwhile; where the weights' ETag changed, ours is the newer.
    await this.#store.put(explainerKey(digest), made.bytes, {
      contentType: "application/onnx",
      metadata: { "weights-etag": model.weightsEtag },
      signal,
    });
    return { digest, ...made, compileMs };
  }
}

/** Digest of everything an explainer's file depends on. */
export const explainerDigest = (model: Pick<ServedModel, "sha256" | "card">, spec: ExplainSpec): Promise<string> => {
  const { width, height } = model.card.preprocessing;
  return digestOf({
    compiler: compilerVersion,
    model: model.sha256,
    spec,
    width: width ?? null,
    height: height ?? null,
  });
};

/** Compiles what is served: the explainer with the objective's scores among its outputs, its weights as references. */
export function compileServed(
  source: ModelBytes,
  spec: ExplainSpec,
  { sha256, card }: Pick<ServedModel, "sha256" | "card">,
): { readonly bytes: Uint8Array; readonly manifest: Manifest } {
  const compiled = compileExplainer(servedGraph(source, card), spec, { sha256 });
  const externalWeights = [
    { location: weightsLocation, bytes: source.bytes },
    ...source.external.map(({ path: location, data }) => ({ location, bytes: data })),
  ];
  const bytes = exportModel(withScores(compiled.graph, compiled.manifest), { externalWeights });
  return { bytes, manifest: compiled.manifest };
}
