/** @file Class names from files, and the class a person means. */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { labelOf, loadLabels, parseLabels, resolveTarget } from "../../shared/models/labels.ts";

const labels = [
  "tench, Tinca tinca",
  "tiger cat",
  "tiger, Panthera tigris",
  "tabby, tabby cat",
  "bull mastiff",
  "container_ship",
  "crane",
  "crane",
];

describe("parseLabels", () => {
  it("reads one name a line up to the first empty one", () => {
    expect(parseLabels("cat\r\ndog\r\n\r\nand a remark\r\n", "x.txt")).toEqual(["cat", "dog"]);
    expect(parseLabels("cat\ndog", "x.txt")).toEqual(["cat", "dog"]);
  });

  it("reads JSON lists, lists of objects, and objects of index to name", () => {
    expect(parseLabels('["cat", "dog"]', "x.json")).toEqual(["cat", "dog"]);
    expect(parseLabels('[{"i": 0, "name": "cat"}, {"name": "dog"}]', "x.json")).toEqual(["cat", "dog"]);
    expect(parseLabels('{"1": "dog", "0": "cat", "3": "cow"}', "x.json")).toEqual(["cat", "dog", "class 2", "cow"]);
  });

  it.each([
    ["", "x.txt", /it is empty/],
    ["[1]", "x.json", /entry 0 is neither/],
    ["3", "x.json", /must be a list of names/],
    ["[", "x.json", /not JSON/],
    ['{"cat": "0"}', "x.json", /"cat" is not a class index/],
  ])("refuses %j of %s", (text, file, message) => {
    expect(() => parseLabels(text, file)).toThrow(message);
  });

  it("skips the names a card says", async () => {
    const read = async (file: string): Promise<string> => `background\n${file}\n`;
    expect(await loadLabels({ kind: "file", file: "cat", skip: 1 }, read)).toEqual(["cat"]);
    expect(await loadLabels({ kind: "names", names: ["a"] }, read)).toEqual(["a"]);
  });
});

describe("labelOf", () => {
  it("shows the first of several names, and the index where there is none", () => {
    expect(labelOf(labels, 0)).toBe("tench");
    expect(labelOf(labels, 99)).toBe("class 99");
    expect(labelOf(null, 3)).toBe("class 3");
  });
});

describe("resolveTarget", () => {
  it.each([
    ["3", 3],
    ["top1", -1],
    ["TOP5", -5],
    ["tench", 0],
    ["Tinca Tinca", 0],
    ["tiger", 2],
    ["Tiger_Cat", 1],
    ["tabby cat", 3],
    ["bull", 4],
    ["mastiff", 4],
    ["container ship", 5],
    ["panthera", 2],
  ])("takes %s for %i", (text, target) => {
    expect(resolveTarget(text, labels, 8)).toBe(target);
  });

  it.each([
    ["cat", /several classes do: "tiger cat" \(1\), "tabby" \(3\)/],
    ["crane", /several classes do: "crane" \(6\), "crane" \(7\)/],
    ["t", /several classes do: .*"tench" \(0\)/],
    ["tenhc", /no class has such a name; the nearest names? (is|are) "tench"/],
    ["8", /the model has 8 classes, 0 to 7/],
    ["top0", /ranks run from top1 to top8/],
    ["top9", /ranks run from top1 to top8/],
    ["", /it is empty/],
    ["-3", /no class has such a name/],
  ])("refuses %j", (text, message) => {
    expect(() => resolveTarget(text, labels, 8)).toThrow(AppError);
    expect(() => resolveTarget(text, labels, 8)).toThrow(message);
  });

  it("knows indices and ranks without names, and says where names belong", () => {
    expect(resolveTarget("17", null, 1000)).toBe(17);
    expect(resolveTarget("top2", null, null)).toBe(-2);
    expect(() => resolveTarget("cat", null, 1000)).toThrow(/no class names; they stand in its card/);
  });

  it("refuses a named class the model does not have", () => {
    expect(() => resolveTarget("bull mastiff", labels, 3)).toThrow(/the model has 3 classes, the card names 8/);
  });
});
