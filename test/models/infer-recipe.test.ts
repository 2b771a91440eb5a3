/** @file The recipe of a model: from card and input tensor, guessed without a card, refused where neither fits. */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { parseCard } from "../../shared/models/card.ts";
import { inferRecipe, type ModelInput } from "../../shared/models/infer-recipe.ts";

const input = (shape: ModelInput["shape"], dtype = "float32"): ModelInput => ({ name: "image", shape, dtype });
const card = (preprocessing: Readonly<Record<string, unknown>>) => parseCard({ name: "net", preprocessing }, "net");

describe("inferRecipe without a card", () => {
  it("guesses torchvision's preprocessing, and says loudly that it does", () => {
    const { recipe, notes } = inferRecipe(input(["N", 3, 224, 224]), null);
    expect(recipe).toEqual({
      width: 224,
      height: 224,
      layout: "nchw",
      channels: "rgb",
      dtype: "float32",
      fit: { kind: "resize-crop", resize: 256 },
      normalise: { divide: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    });
    expect(notes.join()).toMatch(/no model card: preprocessing is a guess/);
  });

  it("tells the layouts apart, and prefers planes where both fit", () => {
    expect(inferRecipe(input([1, 64, 96, 3]), null).recipe).toMatchObject({ layout: "nhwc", width: 96, height: 64 });
    expect(inferRecipe(input([1, 3, 96, 3]), null).recipe).toMatchObject({ layout: "nchw", width: 3, height: 96 });
  });

  it("makes one channel grey and averages the statistics", () => {
    const { recipe } = inferRecipe(input([1, 1, 28, 28]), null);
    expect(recipe.channels).toBe("gray");
    expect(recipe.normalise.mean).toEqual([(0.485 + 0.456 + 0.406) / 3]);
  });

  it("feeds bytes as they are to a uint8 input", () => {
    const { recipe } = inferRecipe(input([1, 224, 224, 3], "uint8"), null);
    expect(recipe.normalise).toEqual({ divide: 1, mean: [0, 0, 0], std: [1, 1, 1] });
  });

  it("takes 224 where the model leaves its size open, and says so", () => {
    const { recipe, notes } = inferRecipe(input(["N", 3, "H", "W"]), null);
    expect([recipe.width, recipe.height]).toEqual([224, 224]);
    expect(notes.join()).toMatch(/input size open: 224 x 224/);
  });

  it.each([
    [input([1, 4, 224, 224]), /it has 4 channels, a photo has 3 \(colour\) or 1 \(grey\).*\.npy/],
    [input([1, 2, 8, 8]), /it has 2 channels/],
    [input([1, 3, 224]), /four dimensions/],
    [input([1, 3, 224, 224], "float64"), /its type is float64; float32, float16, uint8 are fed/],
  ])("refuses %j", (each, message) => {
    expect(() => inferRecipe(each, null)).toThrow(AppError);
    expect(() => inferRecipe(each, null)).toThrow(message);
  });
});

describe("inferRecipe with a card", () => {
  it("takes the family in the model's size and lets the card override it", () => {
    const { recipe, notes } = inferRecipe(input([1, 3, 160, 160]), card({ family: "inception" }));
    expect(recipe).toMatchObject({ fit: { kind: "resize-crop", resize: 183 }, channels: "rgb" });
    expect(recipe.normalise).toEqual({ divide: 127.5, mean: [1, 1, 1], std: [1, 1, 1] });
    expect(notes).toEqual([]);
    const squashed = inferRecipe(
      input([1, 3, 160, 160]),
      card({ family: "inception", fit: "squash", channels: "bgr" }),
    );
    expect(squashed.recipe).toMatchObject({ fit: { kind: "squash" }, channels: "bgr" });
  });

  it("spreads one number over all channels", () => {
    const normalise = { divide: 255, mean: [0.5], std: [0.5] };
    const { recipe } = inferRecipe(input([1, 3, 8, 8]), card({ fit: "squash", normalise }));
    expect(recipe.normalise).toEqual({ divide: 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] });
  });

  it("takes the size from the card where the model leaves it open", () => {
    const { recipe, notes } = inferRecipe(input([1, 3, "H", "W"]), card({ family: "unit", width: 320, height: 200 }));
    expect([recipe.width, recipe.height]).toEqual([320, 200]);
    expect(notes).toEqual([]);
  });

  it("settles an ambiguous layout", () => {
    const { recipe } = inferRecipe(input([1, 3, 96, 3]), card({ family: "unit", layout: "nhwc" }));
    expect(recipe).toMatchObject({ layout: "nhwc", width: 96, height: 3 });
  });

  it.each([
    [{ family: "unit", width: 200 }, /its width is 224, the card says 200/],
    [{ family: "unit", layout: "nhwc" }, /it has 224 channels/],
    [{ family: "unit", dtype: "float16" }, /its type is float32, the card says float16/],
    [{ family: "unit", channels: "gray" }, /it has 3 channels, the card says "gray"/],
  ])("refuses %j for a float32 [1, 3, 224, 224]", (preprocessing, message) => {
    expect(() => inferRecipe(input([1, 3, 224, 224]), card(preprocessing))).toThrow(message);
  });
});
