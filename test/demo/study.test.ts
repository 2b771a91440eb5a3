/** @file The pointing-game study: what it counts and concludes from figures, and that it is of the shipped model. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawFigure } from "../../infra/cli/evaluate/plot.ts";
import { loadAtlas } from "../../infra/demo/atlas.ts";
import { scenes as shown } from "../../infra/demo/showcase.ts";
import { type Ordering, orderingsOf } from "../../infra/demo/study-orderings.ts";
import {
  closeExplainers,
  combined,
  loadStudied,
  openExplainers,
  type Played,
  playScenes,
  studySeeds,
  trialsOf,
} from "../../infra/demo/study-pointing.ts";
import {
  type Accuracy,
  type StyleStudy,
  studyFigure,
  studyFile,
  studyTable,
  summariseStudy,
} from "../../infra/demo/study-report.ts";
import { firstTrainingSeed, type SeedRange, testSeeds, validationSeeds } from "../../infra/demo/train/batches.ts";
import { modelFolder, readModel } from "../../infra/demo/train/model-files.ts";
import { openRuntime } from "../../shared/runtime/choose.ts";

/** A study of the given accuracies over depth, each with an interval of one per cent either way. */
function studyOf(figures: Readonly<Record<string, readonly number[]>>): StyleStudy {
  const accuracy = (value: number): Accuracy => {
    const share = { value, interval: { low: value - 0.01, high: value + 0.01 } };
    return { classMean: share, micro: share };
  };
  const cell = (value: number) => ({ near: accuracy(value), exact: accuracy(value), other: 0, flat: 0 });
  const methods = Object.entries(figures).map(([method, values]) => ({
    method,
    layers: [...values, 0].map((value, i) => ({
      layer: i < values.length ? `stage${i + 1}` : combined,
      ...cell(value),
    })),
  }));
  return { styles: "seen", trials: 1000, centre: cell(0.2), methods };
}

/** What the authors recorded on VOC07, parts of 1. */
const vgg16 = {
  "norm-grad-selective": [0.81393, 0.81372, 0.81942, 0.84845, 0.86022],
  "norm-grad": [0.78859, 0.8101, 0.81867, 0.81925, 0.77689],
  "grad-cam": [0.59072, 0.5835, 0.55421, 0.58151, 0.86642],
  gradient: [0.76415, 0.78116, 0.80649, 0.82091, 0.39528],
};
const resnet50 = {
  "norm-grad-selective": [0.8227, 0.86304, 0.86891, 0.87439],
  "norm-grad": [0.81853, 0.84045, 0.84613, 0.78765],
  "grad-cam": [0.54451, 0.52873, 0.66292, 0.90372],
  gradient: [0.78599, 0.83924, 0.82786, 0.18019],
};
const holding = (figures: Readonly<Record<string, readonly number[]>>): readonly boolean[] =>
  orderingsOf(studyOf(figures)).map(({ holds }) => holds);

describe("the orderings", () => {
  it("all hold on the paper's own figures", () => {
    expect(holding(vgg16)).toEqual([true, true, true, true, true]);
    expect(holding(resnet50)).toEqual([true, true, true, true, true]);
  });

  it("do not hold where methods trade places", () => {
    const { "grad-cam": cam, gradient, "norm-grad": plain, "norm-grad-selective": selective } = vgg16;
    expect(holding({ ...vgg16, "grad-cam": gradient, gradient: cam })).toEqual([false, false, true, true, true]);
    expect(holding({ ...vgg16, "norm-grad": selective, "norm-grad-selective": plain })[4]).toBe(false);
    expect(holding({ ...vgg16, "norm-grad": gradient, "norm-grad-selective": cam })).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  it("are not judged on the product, and need two layers", () => {
    const study = studyOf(vgg16);
    const raised = study.methods.map(({ method, layers }) => ({
      method,
      layers: layers.map((cell) => (cell.layer === combined ? { ...cell, ...studyOf({ a: [1] }).centre } : cell)),
    }));
    expect(orderingsOf({ ...study, methods: raised })).toEqual(orderingsOf(study));
    expect(() => holding({ ...vgg16, gradient: [0.5] })).toThrow('no depth of "gradient"');
    expect(() => holding({ "grad-cam": vgg16["grad-cam"] })).toThrow('no depth of "gradient"');
  });
});

describe("a small study", () => {
  const methods = ["norm-grad-selective", "gradient"];
  const scenes = 24;
  let played: Played;
  let study: StyleStudy;
  let trials: number;
  beforeAll(async () => {
    const [model, sprites, runtime] = await Promise.all([readModel(), loadAtlas(), openRuntime("auto")]);
    const { signal } = new AbortController();
    const explainers = await openExplainers(runtime, model, await loadStudied(model), methods, signal);
    const seeds = { first: studySeeds.first, count: scenes };
    played = await playScenes(explainers, { seeds, styles: "seen", sprites }, signal);
    await closeExplainers(explainers);
    study = summariseStudy("seen", played);
    trials = Array.from({ length: scenes }, (_, i) => studySeeds.first + i).flatMap((seed) =>
      trialsOf(seed, { styles: "seen", sprites }),
    ).length;
  });

  it("points to the object with the default method far more often than to the middle, at every layer", () => {
    const middle = study.centre.near.micro.interval?.high ?? 1;
    for (const { layer, near } of study.methods[0]?.layers ?? [])
      expect(near.micro.interval?.low, layer).toBeGreaterThan(middle);
    expect(study.methods[0]?.layers.map(({ layer }) => layer)).toEqual(["stage1", "stage2", "stage3", combined]);
  });

  it("plays every class of every scene once, by every method at every layer", () => {
    expect(trials).toBeGreaterThan(scenes);
    expect([study.trials, played.centre.length]).toEqual([trials, trials]);
    expect(new Set(played.centre.map((each) => `${each.image} ${each.class}`)).size).toBe(trials);
    expect(played.columns.map(({ method, outcomes }) => [method, outcomes.length])).toEqual(
      methods.flatMap((method) => Array.from({ length: 4 }, () => [method, trials])),
    );
  });

  it("counts a point on the object as near too, and one on another object as neither", () => {
    const outcomes = [played.centre, ...played.columns.map((column) => column.outcomes)].flat();
    for (const { near, exact, other } of outcomes) expect([exact && !near, other && near]).toEqual([false, false]);
    expect(outcomes.some(({ near, exact }) => near && !exact)).toBe(true);
    expect(outcomes.some(({ other }) => other)).toBe(true);
  });

  it("sees that the gradient before the average pool is flat, and gives it the first pixel", () => {
    const [, , last] = study.methods[1]?.layers ?? [];
    expect(last?.flat).toBe(1);
    expect(last?.near.micro.value).toBeLessThan(study.centre.near.micro.value);
    expect(studyTable(study, "near")).toMatch(/^gradient .* \*/m);
  });

  it("is drawn with every method, layer and the baseline", () => {
    const svg = drawFigure(studyFigure("Title", "Subtitle", study));
    for (const name of [...methods, "stage1", "stage2", "stage3", combined, "centre"])
      expect(svg).toContain(`>${name}<`);
  });
});

describe("the committed study", () => {
  let document: {
    readonly sha256: string;
    readonly scenes: { readonly count: number; readonly firstSeed: number };
    readonly studies: readonly (StyleStudy & { readonly orderings: readonly Ordering[] })[];
  };
  beforeAll(() => {
    document = JSON.parse(readFileSync(studyFile(modelFolder), "utf8")); // its only writer is study.ts
  });

  it("is of the shipped model, on a thousand scenes in seen styles and as many in the held-out one", async () => {
    expect(document.sha256).toBe((await readModel()).sha256);
    expect(document.scenes).toMatchObject({ count: studySeeds.count, firstSeed: studySeeds.first });
    expect(document.studies.map(({ styles }) => styles)).toEqual(["seen", "held-out"]);
  });

  it("concludes what its figures say", () => {
    for (const { orderings, ...study } of document.studies) expect(orderings).toEqual(orderingsOf(study));
  });

  it("has the default method flat over depth, Grad-CAM and gradient not", () => {
    for (const { orderings } of document.studies) {
      const holds = new Map(orderings.map((each) => [each.statement, each.holds]));
      expect(holds.get("grad-cam collapses before the last layer")).toBe(true);
      expect(holds.get("gradient collapses at the last layer")).toBe(true);
      expect(holds.get("norm-grad-selective is flat over depth")).toBe(true);
    }
  });
});

describe("the study's scenes", () => {
  it("were neither trained on, validated or tested on, nor chosen by a person", () => {
    const end = ({ first, count }: SeedRange): number => first + count;
    expect(end(studySeeds)).toBeLessThanOrEqual(firstTrainingSeed);
    for (const range of [testSeeds, validationSeeds])
      expect(end(range) <= studySeeds.first || end(studySeeds) <= range.first).toBe(true);
    for (const { seed } of shown) expect(seed < studySeeds.first || seed >= end(studySeeds)).toBe(true);
  });
});

describe("npm run demo:study", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "backlight-study-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("prints its tables, and writes no file where it was given fewer scenes", async () => {
    cpSync(modelFolder, folder, { recursive: true });
    rmSync(studyFile(folder), { force: true });
    const before = readdirSync(folder);
    const script = path.resolve(import.meta.dirname, "../../infra/demo/study.ts");
    const words = ["--import", import.meta.resolve("tsx"), script, "--model", folder, "--scenes", "3"];
    const child = spawn(process.execPath, words, { cwd: folder });
    let [out, err] = ["", ""];
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      err += data;
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect([code, err.match(/error/)]).toEqual([0, null]);
    expect(out.match(/^(centre|contrastive-excitation-backprop) +\d/gm)).toHaveLength(8);
    expect(out.match(/^(holds|DOES NOT HOLD): /gm)).toHaveLength(10);
    expect(readdirSync(folder)).toEqual(before);
    expect(existsSync(studyFile(folder))).toBe(false);
  });
});
