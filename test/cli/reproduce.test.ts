/** @file `backlight reproduce` on a tiny model: the whole study, its files, resuming, and what the model refuses. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findings } from "../../infra/cli/reproduce/claims.ts";
import { studyMethods } from "../../infra/cli/reproduce/study.ts";
import { int, ints } from "../../shared/graph/attributes.ts";
import { volume } from "../../shared/graph/constant.ts";
import { modelBytes, node, randomNumbers, tensorInfo, weights } from "../support/tiny-models.ts";
import { type Box, dataset, find, model, type Row, voc } from "./evaluate-place.ts";
import { type Ran, tinyCard, tinyWorkplace, type Workplace } from "./workplace.ts";

let place: Workplace;
let argv: readonly string[];
let ran: Ran;
const box: Box = [1, 1, 30, 30];
beforeAll(async () => {
  place = await tinyWorkplace();
  const shown = ["cat", "dog", "cat", "dog"];
  const files = Object.fromEntries(shown.map((name, i) => [`Annotations/${i}.xml`, voc([[name, box]])]));
  const folder = await dataset(place, "data", shown.length, files);
  const methods = "norm-grad,norm-grad-selective,gradient,grad-cam,norm-grad-real";
  argv = [
    ...["reproduce", folder, ...model(place), "--layers", "relu1,relu2", "--methods", methods],
    ...["--steps", "0.01,auto", "--out", place.at("study")],
  ];
  ran = await place.run(...argv);
});
afterAll(() => place.remove());

interface Document {
  readonly rows: readonly Row[];
  readonly combined: readonly Row[];
  readonly steps: readonly Row[];
  readonly sensitivity: readonly Row[];
  readonly failures: readonly { readonly what: string; readonly message: string }[];
  readonly paper: { readonly depth: Readonly<Record<string, unknown>> };
}
const document = () => place.json("study/report.json") as Document; // the command's own document

describe("reproduce", () => {
  it("measures every method at every layer, with and without a step, and every combination", () => {
    expect(ran.code, ran.err).toBe(0);
    const { rows, combined, steps } = document();
    const methods = new Set(rows.map((r) => r["method"]));
    expect(methods).toEqual(
      new Set(
        ["centre", "norm-grad", "norm-grad-selective", "gradient", "grad-cam"].concat([
          "norm-grad + meta",
          "norm-grad-selective + meta",
        ]),
      ),
    );
    const weightings = ["uniform", "linear", "feature-spread", "accuracy", "pointing-accuracy", "class-contrast"];
    for (const method of ["gradient", "norm-grad + meta"]) {
      for (const combine of ["sum", "product"]) {
        const own = combined.filter((r) => r["method"] === method && r["combine"] === combine);
        expect(own.map((r) => r["weights"])).toEqual(weightings);
      }
    }
    expect(steps.map((r) => r["step"])).toEqual(["none", "0.01", "auto", "none", "0.01", "auto"]);
    expect(new Set(steps.map((r) => r["layer"]))).toEqual(new Set(["relu2"]));
  });

  it("measures a combination of uniform weights as the explainer makes it", () => {
    const { rows, combined } = document();
    for (const method of ["norm-grad", "grad-cam"]) {
      const explainers = rows.find((r) => r["method"] === method && r["layer"] === "combined (product)");
      const own = combined.find(
        (r) => r["method"] === method && r["combine"] === "product" && r["weights"] === "uniform",
      );
      expect(own?.["accuracy"]).toBe(explainers?.["accuracy"]);
    }
  });

  it("shows plain NormGrad class-blind at the last layer, and less so after a step", () => {
    const rho = (method: string) =>
      document().sensitivity.find((r) => r["method"] === method && r["layer"] === "relu2")?.["rho"];
    expect(rho("norm-grad")).toBeCloseTo(1, 6);
    expect(rho("norm-grad + meta")).toBeLessThan(0.99);
  });

  it("lists a method that the model refuses with the reason, and goes on", () => {
    const { failures } = document();
    expect(failures.map((f) => f.what)).toEqual(["method norm-grad-real"]);
    expect(failures[0]?.message).toContain("conv-real reads an existing convolution");
    expect(readFileSync(place.at("study/report.md"), "utf8")).toContain("failed: method norm-grad-real");
  });

  it("writes the report with the paper's figures beside its own, tables and drawings", () => {
    expect(place.list("study")).toEqual([
      ...["combined.csv", "journal.jsonl", "pointing.csv", "pointing.svg", "report.json", "report.md"],
      ...["sensitivity.csv", "sensitivity.svg", "step-pointing.svg", "step-rho.svg", "steps.csv"],
    ]);
    const report = readFileSync(place.at("study/report.md"), "utf8");
    expect(report).toMatch(/\| grad-cam \|.*59\.1 \/ 58\.4 \/ 55\.4 \/ 58\.2 \/ 86\.6 \| 31\.2 \|/);
    expect(report).toContain("Not comparable:");
    for (const [, file = ""] of report.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) expect(place.list("study")).toContain(file);
  });

  it("computes nothing again when it is run again, and writes the same report", async () => {
    const before = readFileSync(place.at("study/report.md"), "utf8");
    const journal = readFileSync(place.at("study/journal.jsonl"), "utf8");
    const again = await place.run(...argv);
    expect(again.code, again.err).toBe(0);
    expect(readFileSync(place.at("study/journal.jsonl"), "utf8")).toBe(journal);
    expect(readFileSync(place.at("study/report.md"), "utf8")).toBe(before);
  });

  it("refuses a step that is none", async () => {
    const { code, err } = await place.run(...argv, "--steps", "0");
    expect([code, err]).toEqual([2, expect.stringContaining("--steps takes numbers above 0 up to 1000 and auto")]);
  });
});

const drawn = (name: string, dims: readonly number[], seed: number) =>
  weights(name, dims, randomNumbers(seed, volume(dims), 0.5));

/** Three times Conv -> Relu (`relu1`, `relu2`, `scores`) -> average -> `logits`: a convolution classifies. */
function convHeadNet(): Uint8Array {
  const kernel = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
  const half = { ...kernel, strides: ints([2, 2]) };
  return modelBytes({
    nodes: [
      node("Conv", ["image", "w1"], ["conv1"], kernel, "conv1"),
      node("Relu", ["conv1"], ["relu1"], {}, "relu1"),
      node("Conv", ["relu1", "w2"], ["conv2"], half, "conv2"),
      node("Relu", ["conv2"], ["relu2"], {}, "relu2"),
      node("Conv", ["relu2", "w3", "b3"], ["conv3"], half, "conv3"),
      node("Relu", ["conv3"], ["scores"], {}, "relu3"),
      node("GlobalAveragePool", ["scores"], ["gap"], {}, "gap"),
      node("Flatten", ["gap"], ["logits"], {}, "flatten"),
    ],
    inputs: [tensorInfo("image", [1, 3, 8, 8])],
    outputs: [tensorInfo("logits", [1, 5])],
    initializers: [
      drawn("w1", [8, 3, 3, 3], 1),
      drawn("w2", [8, 8, 3, 3], 2),
      drawn("w3", [5, 8, 3, 3], 3),
      weights("b3", [5], [1, 1, 1, 1, 1]),
    ],
  });
}

/**
 * Conv -> Clip `relu6` -> Conv 1x1 `bottleneck`, linear as MobileNetV2's are -> Conv -> Relu `relu2` -> average ->
 * `logits`.
 */
function bottleneckNet(): Uint8Array {
  const same = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
  return modelBytes({
    nodes: [
      node("Conv", ["image", "w1"], ["conv1"], same, "conv1"),
      node("Clip", ["conv1", "zero", "six"], ["relu6"], {}, "clip"),
      node("Conv", ["relu6", "w2"], ["bottleneck"], {}, "conv2"),
      node("Conv", ["bottleneck", "w3"], ["conv3"], same, "conv3"),
      node("Relu", ["conv3"], ["relu2"], {}, "relu"),
      node("GlobalAveragePool", ["relu2"], ["gap"], {}, "gap"),
      node("Flatten", ["gap"], ["features"], {}, "flatten"),
      node("Gemm", ["features", "w4", "b4"], ["logits"], { transB: int(1) }, "fc"),
    ],
    inputs: [tensorInfo("image", [1, 3, 8, 8])],
    outputs: [tensorInfo("logits", [1, 5])],
    initializers: [
      weights("zero", [], [0]),
      weights("six", [], [6]),
      drawn("w1", [8, 3, 3, 3], 1),
      drawn("w2", [4, 8, 1, 1], 2),
      drawn("w3", [6, 4, 3, 3], 3),
      drawn("w4", [5, 6], 4),
      drawn("b4", [5], 5),
    ],
  });
}

async function study(net: Uint8Array, out: string, ...more: readonly string[]) {
  place.write(`${out}.onnx`, net);
  place.write(`${out}.card.json`, tinyCard());
  const steps = ["--steps", "auto", "--quiet", "--out", place.at(out)];
  const argv = ["reproduce", place.at("data"), "--model", place.at(`${out}.onnx`), ...steps, ...more];
  return { ...(await place.run(...argv)), document: () => place.json(`${out}/report.json`) as Document }; // its own
}

describe("reproduce on a net whose classifier is a convolution", () => {
  it("says at which layers a method was left out, as it says nothing there", async () => {
    const method = "contrastive-excitation-backprop";
    const { code, err, document } = await study(convHeadNet(), "head", "--methods", `${method},grad-cam`);
    expect(code, err).toBe(0);
    const layers = (of: string) =>
      document().rows.flatMap((r) => (r["method"] === of && r["subset"] === "all" ? [r["layer"]] : []));
    expect(layers("grad-cam")).toEqual(["relu1", "relu2", "scores", "combined (product)"]);
    expect(layers(method)).toEqual(["relu1"]);
    expect(document().failures).toEqual([
      expect.objectContaining({
        what: `method ${method}`,
        message: expect.stringContaining('nothing at "relu2", "scores"'),
      }),
    ]);
  });
});

describe("reproduce on a net with linear bottlenecks", () => {
  const refused = ["contrastive-excitation-backprop", "excitation-backprop"];
  it("lists excitation backprop with the reason, and has every other method of the study", async () => {
    const { code, err, document } = await study(bottleneckNet(), "refused", "--layers", "relu6,relu2");
    expect(code, err).toBe(0);
    const { rows, failures, combined, steps } = document();
    expect(failures.map((f) => f.what)).toEqual(refused.map((name) => `method ${name}`));
    for (const { message } of failures) {
      expect(message).toMatch(/never negative, and "bottleneck" may be.* layers behind it can be explained: "relu2"/);
    }
    const methods = [...new Set(rows.map((r) => r["method"]))];
    const others = studyMethods.filter((name) => !refused.includes(name));
    const meta = ["norm-grad + meta", "norm-grad-selective + meta"];
    expect(methods).toEqual(["centre", ...others, ...meta]);
    expect(new Set(combined.map((r) => r["method"]))).toEqual(new Set([...others, ...meta]));
    expect(steps.map((r) => r["step"])).toEqual(["none", "auto", "none", "auto"]);
    const report = readFileSync(place.at("refused/report.md"), "utf8");
    for (const name of refused) expect(report).toMatch(new RegExp(`- failed: method ${name}: .*"bottleneck" may be`));
    expect(report).not.toMatch(/^\| (contrastive-)?excitation-backprop \|/m);
  });

  it("measures excitation backprop at the layer that the reason names", async () => {
    const { code, err, document } = await study(
      bottleneckNet(),
      "named",
      "--layers",
      "relu2",
      "--methods",
      refused.join(),
    );
    expect(code, err).toBe(0);
    expect(document().failures).toEqual([]);
    for (const method of refused) {
      expect(find(document().rows, { method, layer: "relu2", subset: "all" })).toMatchObject({ trials: 4 });
    }
  });
});

describe("findings", () => {
  const row = (method: string, layer: string, accuracy: number, half = 0.01): Row => ({
    ...{ method, layer, subset: "all", accuracy },
    ...{ "accuracy low": accuracy - half, "accuracy high": accuracy + half },
  });
  const of = (rows: readonly Row[], claim: string) =>
    findings(rows, []).find((f) => f.claim.startsWith(claim))?.verdict;
  const collapsing = (half: number) => [row("grad-cam", "a", 0.3, half), row("grad-cam", "b", 0.6, half)];

  it("hold where intervals are apart, tend to where they overlap, and not where the order is another", () => {
    expect(of(collapsing(0.1), "Grad-CAM")).toBe("holds");
    expect(of(collapsing(0.2), "Grad-CAM")).toBe("tends to hold");
    expect(of([row("grad-cam", "a", 0.6), row("grad-cam", "b", 0.3)], "Grad-CAM")).toBe("does not hold");
  });

  it("do not count the combination as a depth", () => {
    expect(of([...collapsing(0.1), row("grad-cam", "combined (product)", 0.1)], "Grad-CAM")).toBe("holds");
  });

  it("are not measured where a method is missing", () => {
    expect(of(collapsing(0.1), "norm-grad is flat")).toBe("not measured");
    expect(of([], "Grad-CAM")).toBe("not measured");
  });
});
