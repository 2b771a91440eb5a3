/**
 * @file The service: an image, a model and a spec to a result, found in the bucket or computed and kept there. Knows
 * neither HTTP nor queues.
 */
import { digestOf, sha256Hex } from "../digest.ts";
import { AppError } from "../errors.ts";
import { type Explanation, resultSchema, type Timings } from "../explanation/document.ts";
import type { Region } from "../explanation/region.ts";
import { readSums, type SumTarget, termsOf } from "../explanation/sums.ts";
import { checkBytes } from "../imaging/limits.ts";
import type { ExplainSpec } from "../saliency/spec.ts";
import type { ObjectStore } from "../storage/store.ts";
import { type Explained, type Explaining, explainImage, type ImageBytes } from "./explain.ts";
import { type ExplainerShelf, explainerDigest, specWithCard } from "./explainers.ts";
import type { Gate } from "./gate.ts";
import { type ExplanationId, type ImageId, idText } from "./layout.ts";
import type { ModelCatalogue, ServedModel } from "./models.ts";
import type { Question } from "./question.ts";
import { type Artefact, decodeDocument, encodeDocument, readArtefact, writeArtefact } from "./results.ts";

export interface Answer {
  readonly id: ExplanationId;
  readonly bytes: Uint8Array;
  /** Whether it was in the bucket. */
  readonly cached: boolean;
  /** What is at hand where it was computed. */
  readonly made?: Made;
}

interface Made {
  /** Milliseconds by stage. */
  readonly timings: Timings;
  /** The raw map as it is in the bucket, an .npy file. */
  readonly map: Uint8Array;
}

/** What one computation gives beside what it wrote. */
interface Computed {
  readonly bytes: Uint8Array;
  readonly made: Made;
}

export interface ServiceOptions extends Explaining {
  readonly store: ObjectStore;
  readonly models: ModelCatalogue;
  readonly explainers: ExplainerShelf;
  /**
   * Decoding, inference and encoding together: one at a time, because all are CPU-bound on one thread and each needs a
   * good part of the memory.
   */
  readonly gate: Gate;
}

/** How long a request waits for the same work of another one before it does the work itself. */
const sharedWorkMilliseconds = 60_000;

/** Pictures and maps are always made; others on request. */
const usual: readonly Artefact[] = [{ kind: "map" }, { kind: "picture", view: "overlay", format: "png" }];

export class ExplanationService {
  readonly #options: ServiceOptions;
  /** Work under way in this isolate, by the id of its result. */
  readonly #underWay = new Map<string, Promise<Computed>>();

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  get options(): ServiceOptions {
    return this.#options;
  }

  /** Work that holds a good part of the memory, alone in this isolate. */
  exclusive<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#options.gate.pass(work, signal);
  }

  /** Reads and digests an image; throws `image-too-large` before anything is decoded. */
  async image(bytes: Uint8Array, source: string): Promise<ImageBytes> {
    checkBytes(bytes.length, this.#options.decoding.limits);
    return { bytes, sha256: await sha256Hex(bytes), source };
  }

  /** The id under which the answer to a question about an image is, or will be, kept. */
  async identify(image: ImageId, sha256: string, question: Question, signal?: AbortSignal): Promise<Identified> {
    const model = await this.#options.models.get(question.model, signal);
    const terms = termsOf([question.target], model.labels);
    const spec = specWithCard({ ...question.spec, ...(terms > 1 && { terms }) }, model);
    const [target] = readSums([question.target], model.labels, model.labels?.length ?? null);
    if (target === undefined) throw new TypeError("one text gives one target");
    const { region } = question;
    const result = await digestOf({
      schema: resultSchema,
      image: sha256,
      explainer: await explainerDigest(model, spec),
      card: model.cardSha256,
      target: target.terms.map(({ target: { value }, coefficient }) => [value, coefficient]),
      region: region ?? null,
      pictures: this.#options.pictureSide,
    });
    return { id: { image, result }, model, spec, target, region };
  }

  /** A file of a result, or null where the result was never computed. */
  read(id: ExplanationId, artefact: Artefact, signal?: AbortSignal): Promise<Uint8Array | null> {
    return readArtefact(this.#options.store, id, artefact, signal);
  }

  async document(id: ExplanationId, signal?: AbortSignal): Promise<Explanation | null> {
    const bytes = await this.read(id, { kind: "document" }, signal);
    return bytes && decodeDocument(bytes, id);
  }

  /** The file asked for: from the bucket, or computed with all that belongs to it. Concurrent equals compute once. */
  async answer(identified: Identified, image: ImageBytes, artefact: Artefact, signal?: AbortSignal): Promise<Answer> {
    const { id } = identified;
    const key = idText(id);
    for (;;) {
      const known = await this.read(id, artefact, signal);
      if (known !== null) return { id, bytes: known, cached: true };
      const shared = this.#underWay.get(key);
      if (shared === undefined) break;
      // Whatever it makes, the usual files among it: looked for again when it is done.
      if (!(await settled(shared, sharedWorkMilliseconds))) break;
    }
    const work = this.exclusive(() => this.#compute(identified, image, artefact, signal), signal);
    this.#underWay.set(key, work);
    try {
      return { id, ...(await work), cached: false };
    } finally {
      if (this.#underWay.get(key) === work) this.#underWay.delete(key);
    }
  }

  async #compute(
    { id, model, spec, target, region }: Identified,
    image: ImageBytes,
    artefact: Artefact,
    signal: AbortSignal | undefined,
  ): Promise<Computed> {
    const { store, explainers } = this.#options;
    const explainer = await explainers.get(model, spec, signal);
    const files = { map: `${id.result}.npy`, overlay: `${id.result}.overlay.png` };
    const made = await explainImage(this.#options, model, explainer, { image, target, region, files }, signal);
    let wanted: Uint8Array | undefined;
    for (const each of [...usual.filter((u) => !sameArtefact(u, artefact)), artefact]) {
      if (each.kind === "document") continue;
      const bytes = await encode(made, each);
      if (bytes === null) continue;
      await writeArtefact(store, id, each, bytes, signal);
      if (sameArtefact(each, artefact)) wanted = bytes;
    }
    const document = encodeDocument({ ...made.document, id: idText(id) });
    const atHand = { timings: made.document.timings, map: made.map };
    await writeArtefact(store, id, { kind: "document" }, document, signal);
    if (artefact.kind !== "document") {
      if (wanted !== undefined) return { bytes: wanted, made: atHand };
      throw new AppError(
        "spec-invalid",
        `there is no picture of "${idText(id)}": the map's tokens have no known places on the image; ask for its map`,
      );
    }
    // Timings differ from run to run: what everybody reads is the document that was written first.
    const kept = await this.read(id, artefact, signal);
    return { bytes: kept ?? document, made: atHand };
  }
}

/** A question about an image, resolved against the model. */
export interface Identified {
  readonly id: ExplanationId;
  readonly model: ServedModel;
  readonly spec: ExplainSpec;
  readonly target: SumTarget;
  readonly region: Region | undefined;
}

const sameArtefact = (a: Artefact, b: Artefact): boolean => JSON.stringify(a) === JSON.stringify(b);

function encode(
  made: Explained,
  artefact: Exclude<Artefact, { kind: "document" }>,
): Promise<Uint8Array> | Uint8Array | null {
  if (artefact.kind === "map") return made.map;
  return made.picture === null ? null : made.picture(artefact.view, artefact.format);
}

/**
 * Waits for another request's work; false where it takes too long. The request it belongs to may have been given up
 * with its isolate's I/O, and then its promise is never settled.
 */
async function settled(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const done = work.then(
    () => true as const,
    () => true as const,
  );
  try {
    return await Promise.race([done, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
