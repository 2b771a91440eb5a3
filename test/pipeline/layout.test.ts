/** @file Keys of the bucket: ids there and back, and that nothing we write is an image of a user's. */
import { describe, expect, it } from "vitest";
import {
  documentKey,
  explainerKey,
  failureKey,
  idText,
  imageIdOfBytes,
  imageOf,
  isDocumentKey,
  isFailureKey,
  isImageKey,
  layersKey,
  mapKey,
  modelFolder,
  parseId,
  pictureKey,
  reconciliationKey,
  strayFailureKey,
} from "../../shared/pipeline/layout.ts";

const result = "0123456789abcdef".repeat(4);
const images = ["images/a.png", "images/a b/ü/c.jpg", "images/x.json", imageIdOfBytes("f".repeat(64))];

describe("the bucket's layout", () => {
  it("reads back the ids it writes", () => {
    for (const image of images) {
      const id = { image, result };
      expect(parseId(idText(id))).toEqual(id);
      expect(imageOf(documentKey(id))).toBe(image);
    }
  });

  it.each([
    "",
    "x",
    result,
    `models/a/${result}`,
    `images/${result}`,
    `images/a.png/${result.slice(1)}`,
    `sha256/zz/${result}`,
  ])("takes %j for no id", (text) => {
    expect(() => parseId(text)).toThrowError(/there is no explanation/);
  });

  it("never writes where uploads are watched", () => {
    const id = { image: "images/a.png", result };
    const ours = [
      documentKey(id),
      mapKey(id),
      pictureKey(id, "overlay", "png"),
      failureKey(id.image, "e"),
      strayFailureKey("images/a.png"),
      explainerKey(result),
      layersKey(result),
      `${modelFolder("m")}model.onnx`,
      reconciliationKey,
    ];
    expect(ours.filter(isImageKey)).toEqual([]);
  });

  it("tells documents and failures from the rest", () => {
    const id = { image: "images/a.png", result };
    expect([documentKey(id), mapKey(id), failureKey("images/a.png", 'W/"1-2"')].map(isDocumentKey)).toEqual([
      true,
      false,
      false,
    ]);
    expect([documentKey(id), failureKey("images/a.png", 'W/"1-2"')].map(isFailureKey)).toEqual([false, true]);
    expect(failureKey("images/a.png", 'W/"1"')).not.toBe(failureKey("images/a.png", 'W"/1"'));
  });

  it.each(["", "..", "a/b", ".hidden", "a b", "x".repeat(65)])("has no model %j", (name) => {
    expect(() => modelFolder(name)).toThrowError(/there is no model/);
  });
});
