/** @file The models of a bucket: cards, class names and weights under `models/<name>/`. Compiles nothing. */
import { sha256Hex } from "../digest.ts";
import { AppError } from "../errors.ts";
import { type CardInfo, readCard } from "../explanation/card-info.ts";
import type { ModelCard } from "../models/card.ts";
import { parseCardText } from "../models/card.ts";
import { readObject } from "../storage/body.ts";
import type { ListPage, ObjectStore } from "../storage/store.ts";
import { modelFolder, modelPrefix } from "./layout.ts";

/** A card with 20,000 class names has some 600 kB. */
const cardBytesMax = 4_000_000;

/** How long an isolate believes what it read of a model: a replaced model is noticed within this time. */
export const modelFreshMilliseconds = 30_000;

/** What is known of a model without its weights. */
export interface ServedModel {
  readonly name: string;
  readonly sha256: string;
  readonly card: ModelCard;
  readonly labels: CardInfo["labels"];
  /** Digest of card and class names: a changed card gives other results. */
  readonly cardSha256: string;
  /** Of its weights file: the size, and the ETag by which a replaced file is noticed. */
  readonly bytes: number;
  readonly weightsEtag: string;
}

/** Where a model's weights are. */
export const weightsKey = (name: string): string => `${modelFolder(name)}model.onnx`;

/** Reads models of a store and keeps what it read for a while. */
export class ModelCatalogue {
  readonly #store: ObjectStore;
  readonly #known = new Map<string, { readonly until: number; readonly model: Promise<ServedModel> }>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** Names of all models, in order. */
  async names(signal?: AbortSignal): Promise<readonly string[]> {
    const names: string[] = [];
    let cursor: string | null = null;
    do {
      const page: ListPage = await this.#store.list({
        prefix: modelPrefix,
        delimiter: "/",
        cursor: cursor ?? undefined,
        signal,
      });
      names.push(...page.prefixes.map((p) => p.slice(modelPrefix.length, -1)));
      cursor = page.cursor;
    } while (cursor !== null);
    return names;
  }

  /** Throws `not-found` with the models there are, `card-invalid` for a card that cannot be served. */
  get(name: string, signal?: AbortSignal): Promise<ServedModel> {
    const known = this.#known.get(name);
    if (known !== undefined && known.until > Date.now()) return known.model;
    const model = this.#read(name, signal);
    this.#known.set(name, { until: Date.now() + modelFreshMilliseconds, model });
    model.catch(() => this.#known.delete(name));
    return model;
  }

  /** Forgets what was read, for a model that turns out to be another. */
  forget(name: string): void {
    this.#known.delete(name);
  }

  async #read(name: string, signal: AbortSignal | undefined): Promise<ServedModel> {
    const folder = modelFolder(name);
    const text = await this.#text(`${folder}card.json`, signal);
    if (text === null) {
      const names = (await this.names(signal)).map((n) => `"${n}"`).join(", ");
      throw new AppError("not-found", `there is no model "${name}"; there are ${names === "" ? "none" : names}`, {
        name,
      });
    }
    const file = `${folder}card.json`;
    const { sha256 } = parseCardText(text, file);
    if (sha256 === undefined) {
      throw new AppError(
        "card-invalid",
        `cannot serve the model "${name}": its card ${file} has no "sha256"; \`backlight models add\` writes it`,
        { name },
      );
    }
    const labelTexts: string[] = [];
    const read = async (label: string): Promise<string> => {
      const found = await this.#text(`${folder}${label}`, signal);
      if (found === null)
        throw new AppError("not-found", `the class names "${label}" of the model "${name}" are not there`);
      labelTexts.push(found);
      return found;
    };
    const { card, labels } = await readCard({ file, text }, sha256, read);
    if (card === null) throw new TypeError("a card that was given is read");
    const weights = await this.#store.head(weightsKey(name), { signal });
    if (weights === null) {
      throw new AppError(
        "model-missing-data",
        `the model "${name}" has a card and no weights: ${weightsKey(name)} is not there`,
        { name },
      );
    }
    const cardSha256 = await sha256Hex([text, ...labelTexts].join("\n"));
    return { name, sha256, card, labels, cardSha256, bytes: weights.size, weightsEtag: weights.etag };
  }

  async #text(key: string, signal: AbortSignal | undefined): Promise<string | null> {
    const found = await this.#store.get(key, { signal });
    if (found?.outcome !== "found") return null;
    return new TextDecoder().decode(
      await readObject(found, { bytesMax: cardBytesMax, what: `"${key}"`, code: "card-invalid" }),
    );
  }
}
