/** @file The warning about a training step: given where the loss did not do what the gradient promised, else not. */
import { describe, expect, it } from "vitest";
import { type MetaReport, metaNotes, metaReport } from "../../shared/explanation/meta.ts";
import { prepare } from "../../shared/graph/prepare.ts";
import { importModel } from "../../shared/onnx/import.ts";
import type { Feeds } from "../../shared/runtime/runtime.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { metaOutputs } from "../../shared/saliency/meta/step.ts";
import { defaultSpec } from "../../shared/saliency/spec.ts";
import { tinyClassifier } from "../support/tiny-models.ts";

const meta = { step: 1e-4, sign: "descent", variant: "stop-gradient", weights: "all" } as const;
const small: MetaReport = { ...meta, lossBefore: 8.7, lossAfter: 4.78, gradientSquared: 39845 };

describe("the note on a training step", () => {
  it("is not there while the loss does what the gradient promises", () => {
    expect(metaNotes(undefined)).toEqual([]);
    expect(metaNotes(small)).toEqual([]);
    expect(metaNotes({ ...small, sign: "ascent", lossAfter: 12.5 })).toEqual([]);
  });

  it("says how far off the loss is and which step would do", () => {
    const [note] = metaNotes({ ...small, step: 2.5e-3, lossAfter: 1.5e-8 });
    expect(note).toContain("(0.0025) is too large to mean anything");
    expect(note).toContain("it lowered the loss from 8.7 to 1.5e-8, where the gradient promises to lower it by 99.6");
    expect(note).toContain("a --meta of about 0.0000218, or auto");
  });

  it("is there where a descent raised the loss", () => {
    const [note] = metaNotes({ ...small, lossAfter: 20 });
    expect(note).toContain("it raised the loss from 8.7 to 20, where the gradient promises to lower it by 3.98");
  });

  it("says that nothing moved where no weight has a gradient, and that numbers overflowed where they did", () => {
    expect(metaNotes({ ...small, gradientSquared: 0, lossAfter: 8.7 })[0]).toContain("changed nothing");
    expect(metaNotes({ ...small, lossAfter: Number.NaN })[0]).toContain("the map says nothing");
  });

  it("is silent about changes below what float32 resolves, and about a step of 0", () => {
    expect(metaNotes({ ...small, lossBefore: 1e-6, lossAfter: 2e-6, gradientSquared: 1e-3 })).toEqual([]);
    expect(metaNotes({ ...small, step: 0, lossAfter: 8.7 })).toEqual([]);
  });
});

describe("the report of a step", () => {
  const { graph, declared } = importModel(tinyClassifier());
  const manifestOf = (spec: object) =>
    compileExplainer(prepare(graph, { declared }), { ...defaultSpec, ...spec }, { sha256: "" });
  const number = (value: number) => ({ dtype: "float32", dims: [1], data: Float32Array.of(value) }) as const;
  const outputs: Feeds = {
    [metaOutputs.step]: number(0.5),
    [metaOutputs.before]: number(2),
    [metaOutputs.after]: number(1),
    [metaOutputs.slope]: number(4),
  };

  it("reads each number from the explainer's output of that name", () => {
    const { graph: explainer, manifest } = manifestOf({ meta });
    expect(explainer.outputs.map((v) => v.name)).toEqual(expect.arrayContaining(Object.values(metaOutputs)));
    expect(metaReport(outputs, manifest)).toEqual({
      ...meta,
      step: 0.5,
      lossBefore: 2,
      lossAfter: 1,
      gradientSquared: 4,
    });
  });

  it("is not there for an explainer without a step", () => {
    expect(metaReport(outputs, manifestOf({}).manifest)).toBeUndefined();
  });
});
