/** @file `backlight compile`: writes the explainer of a model. */
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import { exportModel } from "../../../shared/onnx/export.ts";
import { compileExplainer } from "../../../shared/saliency/compile.ts";
import { methodName } from "../../../shared/saliency/method.ts";
import type { Manifest } from "../../../shared/saliency/spec.ts";
import { integerOf } from "../args.ts";
import type { Command } from "../command.ts";
import { weightFiles } from "../explainer.ts";
import { writeAtomic } from "../files.ts";
import { loadModel, type ModelFile } from "../model.ts";
import { outputFile, shapeText } from "../output.ts";
import { readInputSize, readSpec, specOptions } from "../spec-args.ts";
import { bytesText, millisecondsText } from "../terminal.ts";

export const compile: Command = {
  summary: "writes a model's explainer: ordinary ONNX that returns prediction and map",
  positionals: ["MODEL"],
  options: {
    out: { short: "o", value: "FILE", help: "where to write it (required)" },
    ...specOptions,
    terms: {
      value: "N",
      help: "the objective is a sum of N classes: inputs target [N,terms] and coefficient [N,terms]",
    },
    "noise-input": {
      help: "the noise of smooth: methods is an input, noise [samples, ...image], in the image's units",
    },
    "layer-maps": { help: "also return each layer's raw map, as map/<layer>" },
    "external-weights": { help: "refer to the weights in the model's own file, which stays beside the explainer" },
  },
  details: `The file runs in any ONNX Runtime. Its inputs are the model's and \`target\` (int64 [N]: a class, or -1 for
the model's top class, -2 for the second, and so on); its outputs are the model's and \`saliency\` (float32 [N,1,h,w],
or [N,T] of a token layer). Its metadata_props say under \`backlight\` what it was made from.

  backlight compile model.onnx -o explainer.onnx
  backlight compile model.onnx -o explainer.onnx --method norm-grad --layers last

--terms N makes \`target\` [N,terms], with float32 \`coefficient\` [N,terms] beside it. --objective region adds
\`region\` (float32 [N,4]: x, y, width and height of a box as shares of the image's sides).`,
  async run(args, terminal) {
    const file = outputFile(args.text("out"));
    const terms = integerOf(args, "terms", 1, 1000);
    const read = readSpec(args, args.flag("layer-maps"));
    const samples = args.flag("noise-input") ? { ...read.samples, noise: "given" as const } : read.samples;
    const wanted = { ...read, ...(samples && { samples }), ...(terms !== undefined && { terms }) };
    const inputSize = readInputSize(args);
    const model = await loadModel(args.positionals[0] ?? "", { inputSize, environment: terminal.environment });
    if (path.resolve(file) === path.resolve(model.file)) {
      throw new AppError("spec-invalid", `-o "${file}" is the model itself: give the explainer another name`);
    }
    terminal.progress(`compiling ${model.name}`);
    const start = performance.now();
    const { graph, manifest } = compileExplainer(model.graph, wanted, { sha256: model.sha256 });
    const externalWeights = args.flag("external-weights") ? referenced(file, model) : [];
    const bytes = exportModel(graph, { externalWeights });
    const milliseconds = performance.now() - start;
    await writeAtomic(file, bytes);
    terminal.progress("");
    if (args.flag("json")) {
      terminal.print(JSON.stringify({ file, bytes: bytes.length, milliseconds, manifest }, null, 2));
      return 0;
    }
    terminal.print(summary(file, bytes.length, model, manifest, milliseconds));
    if (args.flag("external-weights")) {
      terminal.note(`its weights stay in ${externalWeights.map(({ location }) => `"${location}"`).join(", ")}`);
    }
    return 0;
  },
};

function summary(file: string, size: number, model: ModelFile, manifest: Manifest, milliseconds: number): string {
  const { saliency, layers, spec: made } = manifest;
  const weight = (w: number): string => (layers.length > 1 ? `  weight ${w.toFixed(3)}` : "");
  return [
    `${file}  ${bytesText(size)} (model ${bytesText(model.bytes.length)}), in ${millisecondsText(milliseconds)}`,
    `  method     ${methodName(made.method)}, objective ${made.objective} at "${manifest.objectiveTensor}"`,
    ...layers.map(
      (l, i) => `  ${i === 0 ? "layers" : "      "}     ${l.name}  ${shapeText(l.shape)}${weight(l.weight)}`,
    ),
    `  saliency   ${shapeText(saliency.shape)}, ${saliency.kind}${saliency.signed ? ", signed" : ""}`,
  ].join("\n");
}

/** Files below the explainer's folder, as the format demands of references. */
function referenced(file: string, model: ModelFile): ReturnType<typeof weightFiles> {
  const folder = path.dirname(path.resolve(file));
  return weightFiles(model).map(({ location, bytes }) => {
    const there = path.resolve(path.dirname(model.file), location);
    const relative = path.relative(folder, there).replaceAll(path.sep, "/");
    if (!relative.startsWith("..") && !path.isAbsolute(relative)) return { location: relative, bytes };
    throw new AppError(
      "spec-invalid",
      `cannot refer to the weights in "${there}" from "${file}": references lead only downwards; ` +
        `write the explainer into "${path.dirname(there)}", or leave --external-weights out`,
    );
  });
}
