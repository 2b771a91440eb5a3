/** @file Suggestions for names that do not exist. */
import { describe, expect, it } from "vitest";
import { nearest, suggest } from "../shared/nearest.ts";

describe("the nearest names", () => {
  it("are those with the fewest edits, best first", () => {
    expect(nearest("layer3", ["layer4.relu", "layer31", "layer3.", "input", "lyer33x"])).toEqual([
      "layer31",
      "layer3.",
      "lyer33x",
    ]);
  });

  it("ignore case, and names that are not near at all", () => {
    expect(nearest("GRAD-CAM", ["grad-cam", "norm-grad-selective"])).toEqual(["grad-cam"]);
    expect(nearest("zebra", ["conv1", "softmax"])).toEqual([]);
  });

  it("of long names are told apart by their ends", () => {
    const prefix = "/model/backbone/features/".repeat(4);
    expect(nearest(`${prefix}Relu_7`, [`${prefix}Relu_8_output_0_quantized`, `${prefix}Relu_1`])[0]).toBe(
      `${prefix}Relu_1`,
    );
  });

  it("are worded for a message, or left out", () => {
    expect(suggest("relu1", ["relu"])).toBe('; the nearest name is "relu"');
    expect(suggest("relu1", ["relu", "relu2"])).toBe('; the nearest names are "relu", "relu2"');
    expect(suggest("zebra", ["conv1"])).toBe("");
  });
});
