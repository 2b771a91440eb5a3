/** @file `npm run demo:dataset` as a process in an empty folder, and the pointing game on what it wrote. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadAtlas } from "../../infra/demo/atlas.ts";
import { classes } from "../../infra/demo/classes.ts";
import { makeScene } from "../../infra/demo/scene.ts";
import { sceneSize } from "../../infra/demo/showcase.ts";
import { studySeeds } from "../../infra/demo/study-pointing.ts";
import { modelFile, modelFolder } from "../../infra/demo/train/model-files.ts";
import { parseCoco } from "../../shared/evaluation/datasets/coco.ts";
import { decodeImage } from "../../shared/imaging/decode.ts";
import { NODE_LIMITS } from "../../shared/imaging/limits.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { type Document, find } from "../cli/evaluate-place.ts";
import { type Workplace, workplace } from "../cli/workplace.ts";

const script = path.resolve(import.meta.dirname, "../../infra/demo/dataset.ts");
const count = 12;
let place: Workplace;
let said: string;

/** Runs the script in the workplace and gives what it prints; fails with what it says went wrong. */
function draw(...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), script, ...args], {
    cwd: place.folder,
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (data) => {
    out += data;
  });
  child.stderr.on("data", (data) => {
    err += data;
  });
  return new Promise((resolve, reject) =>
    child.on("close", (code) => (code === 0 ? resolve(out) : reject(new Error(`exit ${code}: ${err}`)))),
  );
}

beforeAll(async () => {
  place = workplace();
  said = await draw("--scenes", String(count));
});
afterAll(() => place.remove());

describe("the demo's dataset", () => {
  it("has the scenes of demo:study with their classes and boxes, and says what to do with them", async () => {
    const sprites = await loadAtlas();
    const file = place.at("out/scenes/instances.json");
    const images = parseCoco(readFileSync(file, "utf8"), file);
    expect(images).toHaveLength(count);
    expect(place.list("out/scenes/images")).toEqual(images.map((image) => image.file));
    for (const [i, { file: name, size, objects }] of images.entries()) {
      const scene = makeScene(studySeeds.first + i, { size: sceneSize, styles: "seen", sprites });
      expect(size).toEqual({ width: sceneSize, height: sceneSize });
      expect(objects.map((o) => [o.class, o.box])).toEqual(
        scene.objects.map(({ classIndex, box: { x, y, width, height } }) => [
          classes[classIndex]?.name,
          { left: x, top: y, right: x + width, bottom: y + height },
        ]),
      );
      const { data } = await decodeImage(readFileSync(place.at("out/scenes/images", name)), nodeCodecs(), NODE_LIMITS);
      expect(Buffer.from(data).equals(scene.image.data)).toBe(true);
    }
    expect(said).toContain("evaluate pointing out/scenes --model");
  });

  it("lets evaluate find that maps point far better than the centre, and where the gradient fails", async () => {
    const argv = [
      "evaluate",
      "pointing",
      place.at("out/scenes"),
      "--model",
      modelFile(modelFolder),
      "--json",
      "--quiet",
    ];
    const methods = ["--methods", "norm-grad-selective,gradient", "--out", place.at("figures")];
    const { code, out, err } = await place.run(...argv, ...methods);
    expect(code, err).toBe(0);
    const { rows, skipped, failures } = JSON.parse(out) as Document; // the command's own document
    expect([skipped, failures]).toEqual([{}, []]);
    const accuracy = (method: string, layer = "") =>
      Number(find(rows, { method, layer, subset: "all" })?.["accuracy"] ?? Number.NaN);
    expect(accuracy("centre")).toBeLessThan(0.6);
    for (const layer of ["stage1", "stage2", "stage3", "combined (product)"]) {
      expect(accuracy("norm-grad-selective", layer), layer).toBeGreaterThan(0.85);
    }
    expect(accuracy("gradient", "stage3")).toBeLessThan(accuracy("centre"));
  });

  it("in the held-out style has other pictures of the same kind, and no more than the study's", async () => {
    await draw("--scenes", "2", "--styles", "held-out", "--out", "other");
    expect(place.list("other/images")).toEqual([`${studySeeds.first}.png`, `${studySeeds.first + 1}.png`]);
    const first = (folder: string) => readFileSync(place.at(folder, "images", `${studySeeds.first}.png`));
    expect(first("other").equals(first("out/scenes"))).toBe(false);
    await expect(draw("--scenes", String(studySeeds.count + 1))).rejects.toThrow(/--scenes/);
  });
});
