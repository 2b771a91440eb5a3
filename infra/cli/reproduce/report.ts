/** @file A study as a Markdown report: tables beside the paper's own figures. Numbers come from elsewhere. */
import type { Figure, Row } from "../evaluate/report.ts";
import { findings } from "./claims.ts";
import { benchmark, benchmarkColumns, comparability, paperDepth, paperLayers, sources } from "./paper.ts";
import type { Study } from "./study.ts";

/** The drawings that stand beside the report. */
export const drawings = {
  pointing: "pointing.svg",
  sensitivity: "sensitivity.svg",
  stepPointing: "step-pointing.svg",
  stepRho: "step-rho.svg",
} as const;

export function reportText(study: Study): string {
  const { job, pointing, sensitivity } = study;
  const all = pointing.rows.filter((row) => row["subset"] === "all");
  const trials = all[0]?.["trials"] ?? 0;
  return [
    `# The paper's comparison on ${job.model.name}`,
    "Rebuffi, Fong, Ji and Vedaldi, *There and Back Again: Revisiting Backpropagation Saliency Methods* (CVPR 2020), " +
      "repeated on another net and other images. Intervals are of 95 %: Wilson's for accuracies, the bootstrap over " +
      "images for everything else.",
    list([
      `Model: ${job.model.name}, sha256 ${job.model.sha256}, run by ${job.runtime.name}`,
      `Images: ${job.dataset.images.length} of ${job.args.positionals.at(-1)}, ${trials} (image, class) pairs played`,
      `Layers: ${layerNames(pointing.figure)}`,
      `Objective: ${job.spec.objective}; input: ${JSON.stringify(job.recipe)}`,
    ]),
    "## What can be compared",
    `Comparable:\n\n${list(comparability.comparable)}`,
    `Not comparable:\n\n${list(comparability.notComparable)}`,
    "## The paper's findings, here",
    findingsTable(study),
    "A finding *holds* where the intervals are apart, *tends to hold* where the figures say so and the intervals " +
      "overlap or there is no interval to go by.",
    "## Pointing game over depth",
    `![accuracy over depth](${drawings.pointing})`,
    depthTable(all),
    `The paper's figures are per layer, shallow to deep: ${paperLayers.vgg16.join(", ")} of VGG16 and ` +
      `${paperLayers.resnet50.join(", ")} of ResNet50. ${sources.depth}.`,
    "## All and difficult objects, beside the benchmark",
    benchmarkTable(pointing.rows),
    `${sources.benchmark}. Here: each method at the layer where it is best on all objects.`,
    "## Class sensitivity",
    `![rho per layer](${drawings.sensitivity})`,
    markdownTable(
      ["method", "layer", "rho of the most and the least probable class", "images", "flat"],
      sensitivity.rows.map((r) => [
        text(r["method"]),
        text(r["layer"]),
        cell(r, "rho"),
        text(r["images"]),
        text(r["flat"]),
      ]),
    ),
    "1 is a method that does not look at the class. Images where a map is flat have no rho and are counted.",
    "## Combinations of layers",
    ...combinations(study),
    "## Meta-saliency: size of the step",
    ...steps(study),
    "## What could not be done",
    list(problems(study)),
    "",
  ].join("\n\n");
}

const layerNames = ({ layers, apart }: Figure): string =>
  layers.flatMap((name) => (name === apart ? [] : `\`${name}\``)).join(", ");
const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join("\n");
const text = (value: Row[string] | undefined): string => (value === null || value === undefined ? "-" : String(value));
const escaped = (value: string): string => value.replaceAll("|", "\\|").replaceAll("\n", " ");

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** A figure with its interval; accuracies in percent. */
function cell(row: Row, key: string): string {
  const [value, low, high] = [row[key], row[`${key} low`], row[`${key} high`]];
  if (typeof value !== "number") return "-";
  const show = (n: number): string => (key === "rho" ? n.toFixed(3) : (100 * n).toFixed(1));
  return typeof low === "number" && typeof high === "number"
    ? `${show(value)} [${show(low)}, ${show(high)}]`
    : show(value);
}

function findingsTable({ pointing, sensitivity }: Study): string {
  return markdownTable(
    ["finding", "paper", "here", ""],
    findings(pointing.rows, sensitivity.rows).map((f) => [f.claim, f.paper, f.here, f.verdict]),
  );
}

function depthTable(rows: readonly Row[]): string {
  const methods = [...new Set(rows.map((r) => text(r["method"])))];
  const paper = (figures: readonly number[] | undefined): readonly string[] =>
    figures === undefined
      ? ["-", "-"]
      : [figures.map((f) => f.toFixed(1)).join(" / "), (Math.max(...figures) - Math.min(...figures)).toFixed(1)];
  return markdownTable(
    ["method", "here: layer, accuracy in %", "paper VGG16", "range", "paper ResNet50", "range"],
    methods.map((method) => {
      const own = rows.filter((r) => r["method"] === method);
      const here = own.map((r) => `${r["layer"] ? `\`${r["layer"]}\` ` : ""}${cell(r, "accuracy")}`).join("; ");
      const { vgg16, resnet50 } = paperDepth[method] ?? {};
      return [method, here, ...paper(vgg16), ...paper(resnet50)];
    }),
  );
}

function benchmarkTable(rows: readonly Row[]): string {
  const of = (subset: string) => rows.filter((r) => r["subset"] === subset);
  const best = new Map<string, Row>();
  for (const row of of("all")) {
    const method = text(row["method"]);
    if (text(row["layer"]).startsWith("combined (")) continue;
    if (Number(row["accuracy"] ?? -1) > Number(best.get(method)?.["accuracy"] ?? -1)) best.set(method, row);
  }
  return markdownTable(
    ["method", "here all", "here difficult", "at", ...benchmarkColumns],
    [...best].map(([method, row]) => {
      const difficult = of("difficult").find((r) => r["method"] === method && r["layer"] === row["layer"]);
      const theirs = benchmark[method] ?? benchmarkColumns.map(() => Number.NaN);
      return [
        method,
        cell(row, "accuracy"),
        difficult ? cell(difficult, "accuracy") : "-",
        text(row["layer"]) || "-",
        ...theirs.map((f) => (Number.isNaN(f) ? "-" : f.toFixed(1))),
      ];
    }),
  );
}

function combinations({ combined, weights }: Study): readonly string[] {
  if (combined.length === 0) return ["A single layer has no combination."];
  return [
    markdownTable(
      ["method", "combined by", "weights", "shares, shallow to deep", "accuracy in %", "over uniform, in points"],
      combined.map((r) => [
        text(r["method"]),
        text(r["combine"]),
        text(r["weights"]),
        text(r["shares"]),
        cell(r, "accuracy"),
        cell(r, "over uniform"),
      ]),
    ),
    "The last column is the difference on the same trials. Weights are measured on these same images: those of " +
      "`pointing-accuracy` know the answer, so theirs is what an oracle could gain. What the weights were measured as:",
    list([...new Set(weights.map((w) => `${w.strategy}: ${w.note}`))]),
    "Feature spread and the accuracy's probe are Backlight's own definitions, the authors' being unpublished.",
  ];
}

function steps({ sweep }: Study): readonly string[] {
  if (sweep.length === 0) return ["No step could be taken on this model."];
  return [
    `![accuracy by step](${drawings.stepPointing})\n\n![rho by step](${drawings.stepRho})`,
    markdownTable(
      ["method", "layer", "step", "accuracy in %", "rho"],
      sweep.map((r) => [text(r["method"]), text(r["layer"]), text(r["step"]), cell(r, "accuracy"), cell(r, "rho")]),
    ),
    "One plain step of gradient descent on the cross-entropy of the class over all weights, then the map of the " +
      "stepped net. `auto` takes for each image the step that changes its loss by a tenth, to first order.",
  ];
}

function problems({ job }: Study): readonly string[] {
  const failed = job.problems.map((p) => `failed: ${p.what}: ${p.message}`);
  const left = [...job.skipped].map(([why, what]) => `left out: ${what.length} ${why}, such as ${what[0]}`);
  const found = [...failed, ...left];
  return found.length === 0 ? ["nothing: every method ran on every image"] : found;
}
