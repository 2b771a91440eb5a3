/** @file `backlight reproduce` on a real model and photos: what measured weights gain, and what the report says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runMain } from "../cli/workplace.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

const out = mkdtempSync(path.join(tmpdir(), "backlight-reproduce-"));
afterAll(() => rmSync(out, { recursive: true }));

type Row = Readonly<Record<string, string | number | null>>;
interface Document {
  readonly combined: readonly Row[];
  readonly steps: readonly Row[];
  readonly sensitivity: readonly Row[];
}

/** Eighty seconds of one core; a busy machine takes several times as long. */
const studyMilliseconds = 600_000;

describe.runIf(hasSharedData)("a small study of SqueezeNet on COCO", () => {
  let document: Document;
  beforeAll(async () => {
    const card = path.join(out, "card.json");
    writeFileSync(card, JSON.stringify({ name: "squeezenet", preprocessing: { family: "imagenet-squash" } }));
    const {
      code,
      out: text,
      err,
    } = await runMain([
      ...["reproduce", sharedData("data", "coco", "pairs_imagenet_coco.json"), "--rank-below", "5", "--limit", "12"],
      ...["--model", sharedData("data", "models", "squeezenet1_1_fp32.onnx"), "--card", card, "--json", "--quiet"],
      ...["--methods", "gradient", "--layers", "fire_concat10,relu25", "--steps", "auto", "--out", out],
    ]);
    expect(code, err).toBe(0);
    document = JSON.parse(text) as Document; // the command's own document
  }, studyMilliseconds);

  it("the gradient's flat last map vetoes their product, unless class contrast leaves it out", () => {
    const of = (weights: string) =>
      document.combined.find(
        (r) => r["method"] === "gradient" && r["combine"] === "product" && r["weights"] === weights,
      );
    expect(of("class-contrast")?.["shares"]).toBe("1.00 0.00");
    expect(of("class-contrast")?.["over uniform low"]).toBeGreaterThan(0);
    expect(of("uniform")?.["accuracy high"]).toBeLessThan(Number(of("class-contrast")?.["accuracy high"]));
  });

  it("plain NormGrad is class-blind without a step and less so after one, in the sweep and in the report", () => {
    const rho = (step: string) =>
      Number(document.steps.find((r) => r["method"] === "norm-grad" && r["step"] === step)?.["rho"]);
    expect(rho("none")).toBeGreaterThan(1 - 1e-6);
    expect(rho("auto")).toBeLessThan(1 - 1e-4);
    expect(readFileSync(path.join(out, "report.md"), "utf8")).toMatch(/^\| norm-grad \| relu25 \| none \| .*1\.000/m);
  });
});
