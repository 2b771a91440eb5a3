/** @file Served models: compiled once, found again, noticed when replaced, refused when altered or too large. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ExplainerShelf } from "../../shared/pipeline/explainers.ts";
import { ModelCatalogue, weightsKey } from "../../shared/pipeline/models.ts";
import { publishModel } from "../../shared/pipeline/publish.ts";
import { readQuestion } from "../../shared/pipeline/question.ts";
import type { Feeds } from "../../shared/runtime/runtime.ts";
import { defaultSpec } from "../../shared/saliency/spec.ts";
import { modelName, picture, publishTiny, type Rig, startRig } from "../support/service.ts";
import { tinyClassifier } from "../support/tiny-models.ts";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const roomy = { compileBytesMax: 1e9 };
/** Knows nothing yet, as a new isolate. */
const fresh = () => ({ models: new ModelCatalogue(rig.store), shelf: new ExplainerShelf(rig.store, roomy) });
const explainerKeys = () => rig.keys("explainers/");

describe("an explainer", () => {
  it("is compiled by who needs it first, and found by everybody after", async () => {
    const first = fresh();
    const made = await first.shelf.get(await first.models.get(modelName), defaultSpec);
    expect(made.compileMs).toBeGreaterThan(0);
    expect(await explainerKeys()).toEqual([`explainers/${made.digest}.onnx`]);
    const second = fresh();
    const found = await second.shelf.get(await second.models.get(modelName), defaultSpec);
    expect([found.digest, found.compileMs]).toEqual([made.digest, 0]);
    expect(found.bytes).toEqual(made.bytes);
  });

  it("holds none of the model's weights", async () => {
    const { models, shelf } = fresh();
    const big = tinyClassifier({ size: 32, classes: 5000 });
    const card = { name: "big", preprocessing: { family: "unit" } };
    await publishModel(
      rig.store,
      { name: "big", bytes: big, external: [], card: { text: JSON.stringify(card), labels: null } },
      [],
    );
    const made = await shelf.get(await models.get("big"), defaultSpec);
    expect(big.length).toBeGreaterThan(130_000);
    expect(made.bytes.length).toBeLessThan(40_000);
  });

  it("too large a model has only where it was compiled ahead", async () => {
    const tight = new ExplainerShelf(rig.store, { compileBytesMax: 100 });
    const { models } = fresh();
    const model = await models.get(modelName);
    await expect(tight.get(model, defaultSpec)).rejects.toMatchObject({
      code: "model-unsupported",
      message: expect.stringContaining("ahead"),
    });
    await fresh().shelf.get(model, defaultSpec);
    expect((await tight.get(model, defaultSpec)).compileMs).toBe(0);
  });
});

describe("a model", () => {
  it("that is replaced gives other results within the time a card is believed", async () => {
    const before = await fresh().models.get(modelName);
    await publishTiny(rig.store, modelName, 2);
    const after = await fresh().models.get(modelName);
    expect(after.sha256).not.toBe(before.sha256);
    const { deps } = rig;
    const image = await deps.service.image(await picture(1), "x");
    const asked = await deps.service.identify("sha256/x", image.sha256, readQuestion({}, { model: modelName }));
    expect(asked.model.sha256).toBe(after.sha256);
  });

  it("whose file is not the card's is refused, and says which digests", async () => {
    await rig.store.put(weightsKey(modelName), tinyClassifier({ size: 32, seed: 9 }), {
      contentType: "application/onnx",
    });
    const { models, shelf } = fresh();
    await expect(shelf.get(await models.get(modelName), defaultSpec)).rejects.toMatchObject({
      code: "card-invalid",
      message: expect.stringMatching(/names SHA-256 [0-9a-f]{64}, the file .* has [0-9a-f]{64}/),
    });
  });

  it("replaced while an isolate is about to load it is noticed, not mixed", async () => {
    const { models, shelf } = fresh();
    const model = await models.get(modelName);
    const explainer = await shelf.get(model, defaultSpec);
    await rig.store.put(weightsKey(modelName), tinyClassifier({ size: 32, seed: 9 }), {
      contentType: "application/onnx",
    });
    const feeds: Feeds = {
      image: { dtype: "float32", dims: [1, 3, 32, 32], data: new Float32Array(3 * 32 * 32) },
      target: { dtype: "int64", dims: [1], data: BigInt64Array.of(-1n) },
    };
    await expect(rig.deps.service.options.engine.run(explainer, model, feeds)).rejects.toMatchObject({
      code: "stale",
    });
  });

  it("without a digest in its card is not served", async () => {
    const card = { name: "bare", preprocessing: { family: "unit" } };
    await rig.store.put("models/bare/card.json", new TextEncoder().encode(JSON.stringify(card)), {
      contentType: "application/json",
    });
    await expect(fresh().models.get("bare")).rejects.toMatchObject({
      code: "card-invalid",
      message: expect.stringContaining("models add"),
    });
  });

  it("that is not there is missing by name, with those that are", async () => {
    await expect(fresh().models.get("absent")).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining(`"${modelName}"`),
    });
  });
});

describe("a result's id", () => {
  it("depends on the image, the question, the model and its card, and on nothing else", async () => {
    const { service } = rig.deps;
    const idOf = async (sha256: string, words: Record<string, string>) =>
      (await service.identify("images/a.png", sha256, readQuestion(words, { model: modelName }))).id.result;
    const base = await idOf("a".repeat(64), {});
    expect(await idOf("a".repeat(64), { target: "top1", method: "norm-grad-selective", layers: "auto" })).toBe(base);
    const others = await Promise.all([
      idOf("b".repeat(64), {}),
      idOf("a".repeat(64), { target: "dog" }),
      idOf("a".repeat(64), { method: "norm-grad" }),
      idOf("a".repeat(64), { layers: "relu1" }),
    ]);
    expect(new Set([base, ...others]).size).toBe(5);
  });
});
