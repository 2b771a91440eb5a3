/**
 * @file The committed classifier: whole, as small as promised, good on unseen scenes, and the one the report is about.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadAtlas } from "../../infra/demo/atlas.ts";
import { classes } from "../../infra/demo/classes.ts";
import { architecture, multiplyAdds } from "../../infra/demo/train/classifier.ts";
import { measureModel } from "../../infra/demo/train/measure.ts";
import { cardFile, modelFile, modelFolder, readModel, reportFile } from "../../infra/demo/train/model-files.ts";
import type { Report } from "../../infra/demo/train/report.ts";
import { namedValues } from "../../shared/graph/walk.ts";
import { importModel } from "../../shared/onnx/import.ts";
import { openRuntime } from "../../shared/runtime/choose.ts";
import { probabilityKind } from "../../shared/saliency/probability.ts";

const bytesMax = 2_000_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "backlight-model-"));
  for (const file of [modelFile, cardFile]) await cp(file(modelFolder), file(folder));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the demo's classifier", () => {
  it("is the file its card describes, at most 2 MB, its layers and its labels in order", async () => {
    const { bytes, card } = await readModel();
    expect(bytes.length).toBeLessThanOrEqual(bytesMax);
    const { graph } = importModel(bytes);
    const names = namedValues(graph);
    for (const layer of card.layers ?? []) expect(names.has(layer), layer).toBe(true);
    expect(card.layers).toHaveLength(architecture.stages.length);
    expect(card.labels).toEqual({ kind: "names", names: classes.map(({ name }) => name) });
    expect(probabilityKind(graph, card.output ?? "")).toBe("sigmoid");
  });

  it("is refused with its name and what to do where it was altered, cut, or is not there", async () => {
    const file = modelFile(folder);
    const whole = await readFile(file);
    const altered = Uint8Array.from(whole);
    altered[1000] = (altered[1000] ?? 0) ^ 1;
    for (const bytes of [altered, whole.subarray(0, 1000)]) {
      await writeFile(file, bytes);
      await expect(readModel(folder)).rejects.toMatchObject({
        code: "card-invalid",
        message: expect.stringMatching(/everyday-24\.onnx.*altered or cut.*git checkout/),
      });
    }
    await rm(file);
    await expect(readModel(folder)).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining(file),
    });
  });

  it("ranks the classes of unseen scenes, in the styles it knows and in the one it does not", async () => {
    const [{ bytes }, sprites, runtime] = await Promise.all([readModel(), loadAtlas(), openRuntime("auto")]);
    const seeds = { first: 0, count: 64 };
    const [seen, heldOut] = await measureModel(runtime, bytes, architecture, [
      { seeds, styles: "seen", sprites },
      { seeds, styles: "held-out", sprites },
    ]);
    // Well below what the report says: 64 scenes show some classes but a few times.
    expect(seen?.mean).toBeGreaterThan(0.8);
    expect(heldOut?.mean).toBeGreaterThan(0.6);
  });

  it("is the one the report was written about", async () => {
    const { sha256, bytes } = await readModel();
    // Written by report.ts, whose type it has.
    const report = JSON.parse(await readFile(reportFile(modelFolder), "utf8")) as Report;
    expect(report).toMatchObject({ sha256, bytes: bytes.length, classes: classes.length });
    expect(report.multiplyAdds).toBe(multiplyAdds(architecture));
    expect(Object.keys(report.averagePrecision)).toEqual(classes.map(({ name }) => name));
    expect(report.styles.heldOut).toHaveLength(1);
  });
});
