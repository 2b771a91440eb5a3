/** @file The cards of the real models: they fit their files, and with them the models recognise photos. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { halfToFloat } from "../../shared/float16.ts";
import { decodeImage } from "../../shared/imaging/decode.ts";
import { NODE_LIMITS } from "../../shared/imaging/limits.ts";
import { type Preprocessed, preprocess } from "../../shared/imaging/preprocess.ts";
import { checkDigest, type ModelCard, parseCardText } from "../../shared/models/card.ts";
import { inferRecipe, type ModelInput } from "../../shared/models/infer-recipe.ts";
import { type Labels, labelOf, loadLabels } from "../../shared/models/labels.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

const folder = path.join(import.meta.dirname, "cards");
const names = readdirSync(folder).map((file) => file.replace(".card.json", ""));

const cardOf = (name: string): ModelCard =>
  parseCardText(readFileSync(path.join(folder, `${name}.card.json`), "utf8"), name);

const labelsOf = async (card: ModelCard): Promise<Labels> =>
  card.labels === undefined ? [] : loadLabels(card.labels, (file) => readFile(path.resolve(folder, file), "utf8"));

function inputOf(session: ort.InferenceSession): ModelInput {
  const tensor = session.inputMetadata.find((each) => each.isTensor);
  if (tensor?.isTensor !== true) throw new Error("the model has no tensor input");
  return { name: tensor.name, shape: tensor.shape, dtype: tensor.type };
}

function tensorOf({ data, dims }: Preprocessed): ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor("float32", data, dims);
  if (data instanceof Uint16Array) return new ort.Tensor("float16", data, dims);
  return new ort.Tensor("uint8", data, dims);
}

async function run(
  name: string,
  photo: readonly string[],
): Promise<{ readonly card: ModelCard; top: number; count: number }> {
  const card = cardOf(name);
  const session = await ort.InferenceSession.create(sharedData("data", "models", `${name}.onnx`));
  const input = inputOf(session);
  const image = await decodeImage(readFileSync(sharedData("data", ...photo)), nodeCodecs(), NODE_LIMITS);
  const { recipe } = inferRecipe(input, card);
  const results = await session.run({ [input.name]: tensorOf(preprocess(image, recipe)) });
  const output = results[card.output ?? session.outputNames[0] ?? ""];
  if (output === undefined) throw new Error(`${name} has no output "${card.output}"`);
  const raw = output.data;
  const scores =
    raw instanceof Uint16Array
      ? Array.from(raw, halfToFloat)
      : Array.from(raw, Number).map((score, i) =>
          // Detectors of several classes count "background" highest; the question is for an object.
          i === card.background ? Number.NEGATIVE_INFINITY : score,
        );
  return { card, top: scores.indexOf(Math.max(...scores)), count: scores.length };
}

const zebra = ["images", "imagenet", "n02391049_zebra.JPEG"];
const tench = ["images", "imagenet", "n01440764_tench.JPEG"];
const plane = ["voc", "000067.jpg"];
const bus = ["voc", "000456.jpg"];

/** The predictions the material's README lists. */
const predictions: readonly (readonly [string, readonly string[], string])[] = [
  ...names
    .filter((name) => /^(squeezenet|mobilenet|resnet50)/.test(name))
    .flatMap((name) => [[name, zebra, "zebra"] as const, [name, tench, "tench"] as const]),
  ["deeplabv3_mnv2_voc_513_fp32", plane, "aeroplane"],
  ["deeplabv3_mnv2_voc_513_fp32", bus, "bus"],
  ["yolox_nano_coco80_multilabel", plane, "airplane"],
  ["yolox_nano_coco80_multilabel", bus, "bus"],
  ["vww_96_mobilenetv1_025", zebra, "no person"],
  ["cifar10_resnet20", plane, "airplane"],
  ["cifar10_resnet32", plane, "airplane"],
  ["cifar10_vit_pgd_2_3_16", plane, "airplane"],
];

describe("the cards", () => {
  it("are there for every real model", () => {
    expect(names.length).toBe(15);
  });

  it.each(names)("%s parses", (name) => {
    expect(cardOf(name).name).toBe(name);
  });
});

describe.runIf(hasSharedData)("the cards, with their models", () => {
  it.each(names)("%s names its file's digest and as many classes as the model has", async (name) => {
    const card = cardOf(name);
    const digest = createHash("sha256")
      .update(readFileSync(sharedData("data", "models", `${name}.onnx`)))
      .digest("hex");
    expect(() => checkDigest(card, digest)).not.toThrow();
    expect(card.sha256).toBe(digest);
    const { count } = await run(name, zebra);
    expect((await labelsOf(card)).length).toBe(count);
  });

  it.each(predictions)("%s takes %s for what it is: %s", async (name, photo, wanted) => {
    const { card, top } = await run(name, photo);
    expect(labelOf(await labelsOf(card), top)).toBe(wanted);
  });
});
