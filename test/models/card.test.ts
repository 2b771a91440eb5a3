/** @file Cards: what is read, and that every mistake is named by its path. */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { checkDigest, type ModelCard, parseCard, parseCardText } from "../../shared/models/card.ts";

const minimal = { name: "net", preprocessing: { family: "imagenet" } };
const digest = "ab".repeat(32);

function messageOf(json: unknown): string {
  try {
    parseCard(json, "net.card.json");
  } catch (error) {
    if (error instanceof AppError && error.code === "card-invalid") return error.message;
    throw error;
  }
  throw new Error("the card was accepted");
}

describe("parseCard", () => {
  it("reads a full card", () => {
    const json = {
      name: "net",
      sha256: digest.toUpperCase(),
      source: "somewhere",
      licence: "MIT",
      notes: "none",
      input: "image",
      preprocessing: {
        width: 224,
        height: 192,
        layout: "nhwc",
        channels: "bgr",
        dtype: "float16",
        fit: { kind: "letterbox", fill: 114, align: "top-left" },
        normalise: { divide: 255, mean: [0, 0, 0], std: [1, 1, 1] },
      },
      labels: ["a", "b"],
      background: 0,
      output: "logits",
      layers: ["relu1", "relu2"],
    };
    expect(parseCard(json, "x")).toEqual({ ...json, sha256: digest, labels: { kind: "names", names: ["a", "b"] } });
  });

  it("takes short forms and fills their defaults", () => {
    const fitOf = (value: unknown): ModelCard["preprocessing"]["fit"] =>
      parseCard({ ...minimal, preprocessing: { family: "unit", fit: value } }, "x").preprocessing.fit;
    expect(fitOf("squash")).toEqual({ kind: "squash" });
    expect(fitOf("letterbox")).toEqual({ kind: "letterbox", fill: 0, align: "center" });
    expect(fitOf({ kind: "resize-crop", resize: 256 })).toEqual({ kind: "resize-crop", resize: 256 });
  });

  it("reads labels as a list, by index, or from a file", () => {
    const labels = (value: unknown): ModelCard["labels"] => parseCard({ ...minimal, labels: value }, "x").labels;
    expect(labels({ "0": "cat", "2": "dog" })).toEqual({ kind: "names", names: ["cat", "class 1", "dog"] });
    expect(labels({ file: "names.txt" })).toEqual({ kind: "file", file: "names.txt", skip: 0 });
    expect(labels({ file: "names.txt", skip: 1 })).toEqual({ kind: "file", file: "names.txt", skip: 1 });
  });

  it.each([
    [[], /must be an object, not \[\]/],
    [{}, /"name" must be a text/],
    [{ ...minimal, licens: "MIT" }, /"licens" is not a field; known are .*; the nearest names are "licence"/],
    [
      { name: "net", preprocessing: { family: "imagnet" } },
      /"preprocessing.family" "imagnet" is no family.*"imagenet"/,
    ],
    [{ name: "net", preprocessing: {} }, /"preprocessing" must name a "family" .* or have both "fit" and "normalise"/],
    [
      { name: "net", preprocessing: { family: "unit", width: 0 } },
      /"preprocessing.width" must be a whole number from 1/,
    ],
    [
      { name: "net", preprocessing: { family: "unit", fit: "crop" } },
      /"preprocessing.fit.kind" must be one of "squash"/,
    ],
    [
      { name: "net", preprocessing: { family: "unit", fit: { kind: "squash", resize: 9 } } },
      /fit.resize" is not a field/,
    ],
    [{ name: "net", preprocessing: { family: "unit", fit: "resize-crop" } }, /fit.resize" must be a whole number/],
    [
      { name: "net", preprocessing: { fit: "squash", normalise: { divide: 0, mean: [0], std: [1] } } },
      /normalise.divide" must not be 0/,
    ],
    [
      { name: "net", preprocessing: { fit: "squash", normalise: { divide: 1, mean: [0, 1], std: [1, 1] } } },
      /must have 1 or 3 numbers/,
    ],
    [
      { name: "net", preprocessing: { fit: "squash", normalise: { divide: 1, mean: [0, "x", 1], std: [1, 1, 1] } } },
      /"preprocessing.normalise.mean.1" must be a number, not "x"/,
    ],
    [{ ...minimal, sha256: "1234" }, /"sha256" must be 64 hexadecimal digits/],
    [{ ...minimal, labels: "cats" }, /"labels" must be a list of names/],
    [{ ...minimal, labels: ["a", 3] }, /"labels.1" must be a text, not 3/],
    [{ ...minimal, labels: { zero: "cat" } }, /"labels.zero" must be a class index/],
    [{ ...minimal, background: -1 }, /"background" must be a whole number from 0/],
    [{ ...minimal, layers: "relu" }, /"layers" must be a list/],
  ])("refuses %j", (json, message) => {
    expect(messageOf(json)).toMatch(message);
    expect(messageOf(json)).toMatch(/^cannot read the model card "net.card.json": /);
  });

  it("survives any single value of a good card being replaced by anything", () => {
    const good = { ...minimal, sha256: digest, labels: ["a"], layers: ["l"], background: 0, output: "o" };
    for (const key of Object.keys(good)) {
      for (const value of [null, 0, -1.5, "", "x", [], [null], {}, { file: 3 }, true]) {
        try {
          parseCard({ ...good, [key]: value }, "x");
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
        }
      }
    }
  });
});

describe("parseCardText", () => {
  it("names what is wrong with text that is no JSON", () => {
    expect(() => parseCardText("{ name: 1 }", "net.card.json")).toThrow(/"net.card.json": it is not JSON: /);
  });
});

describe("checkDigest", () => {
  it("passes the file the card names, and any file when it names none", () => {
    const card = parseCard({ ...minimal, sha256: digest }, "x");
    expect(() => checkDigest(card, digest)).not.toThrow();
    expect(() => checkDigest(card, digest.toUpperCase())).not.toThrow();
    expect(() => checkDigest(parseCard(minimal, "x"), digest)).not.toThrow();
  });

  it("refuses another file", () => {
    const card = parseCard({ ...minimal, sha256: digest }, "x");
    expect(() => checkDigest(card, "cd".repeat(32))).toThrow(/was written for another model file/);
  });
});
