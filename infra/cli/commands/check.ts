/** @file `backlight check`: the compiled gradient of the user's model against slopes, and its outputs bit for bit. */
import { AppError } from "../../../shared/errors.ts";
import type { Value } from "../../../shared/graph/ir.ts";
import { namedValues } from "../../../shared/graph/walk.ts";
import { exportModel } from "../../../shared/onnx/export.ts";
import type { Feeds, RunTensor, Runtime } from "../../../shared/runtime/runtime.ts";
import { integerOf } from "../args.ts";
import type { Command } from "../command.ts";
import { makeExplainer, openGraph, weightFiles } from "../explainer.ts";
import { type LoadedModel, loadModel } from "../model.ts";
import { randomInput, readInput } from "../model-input.ts";
import { shapeText } from "../output.ts";
import { readRuntime, runtimeOptions } from "../runtime-args.ts";
import { compareSlopes, errorMax, type Row, steps } from "../slopes.ts";
import { readInputSize, readSpec, specOptions } from "../spec-args.ts";
import { type Terminal, table } from "../terminal.ts";
import { uniformNumbers } from "../uniform.ts";

export const check: Command = {
  summary: "checks the compiled gradient of your model against finite differences",
  positionals: ["MODEL"],
  options: {
    ...specOptions,
    input: { value: "FILE", help: "an image or .npy to check at (default: seeded random numbers)" },
    card: { value: "FILE", help: "the model's card (default: the card beside the model)" },
    directions: { value: "N", help: "random directions a tensor (default 4)" },
    seed: { value: "N", help: "of the random numbers (default 1)" },
    ...runtimeOptions,
  },
  details: `At each layer and at the input, <gradient, v> is compared with (f(x + h v) - f(x - h v)) / 2h, f being the
objective's tensor at its top class, run by the same engine: along the gradient itself and along random directions, at
${steps.length} steps h. An inner tensor moves in proportion to what it is, so that zeros stay zero.
Reported is the best step's relative error. Where a unit of the network (ReLU, MaxPool, Clip) changes side between the
two points the slope is not the gradient: errors of a few percent at kinks are no fault; above ${errorMax * 100} % the
check fails.
The outputs of explainer and model must be equal to the bit.`,
  async run(args, terminal) {
    const { environment, signal, progress, note } = terminal;
    const options = { inputSize: readInputSize(args), environment, card: args.text("card") };
    const model = await loadModel(args.positionals[0] ?? "", { ...options, batch: 1 });
    const uniform = uniformNumbers(integerOf(args, "seed", 0, 2 ** 31 - 1) ?? 1);
    const runtime = await readRuntime(args);
    const file = args.text("input");
    const image = file === undefined ? randomInput(model.input, uniform) : await readInput(model, file, terminal);
    const feeds: Feeds = { [model.input.name]: image };

    progress(`compiling ${model.name}`);
    const { manifest, bytes } = makeExplainer(model, readSpec(args));
    progress("comparing outputs");
    const differing = await differingOutputs(runtime, model, bytes, feeds, signal);

    const values = namedValues(model.graph);
    const objective = valueNamed(values, manifest.objectiveTensor);
    const names = new Set([...manifest.layers.map((l) => l.name), model.input.name]);
    const all = [...names].map((name) => valueNamed(values, name));
    const tensors = all.filter((v) => v.type?.dtype === "float32");
    for (const v of all) {
      if (!tensors.includes(v)) note(`"${v.name}" is ${v.type?.dtype}: not checked, slopes need float32`);
    }
    const directions = integerOf(args, "directions", 1, 64) ?? 4;
    const rows =
      objective.type?.dtype === "float32"
        ? await compareSlopes({ runtime, model, feeds, objective, tensors, directions, uniform, signal, progress })
        : [];
    progress("");

    const ok = differing.length === 0 && rows.every((row) => row.error <= errorMax);
    if (args.flag("json")) {
      const result = { ok, model: model.name, sha256: model.sha256, runtime: runtime.name, differing, slopes: rows };
      terminal.print(JSON.stringify(result, null, 2));
    } else report(terminal, rows, differing, runtime.name, ok);
    return ok ? 0 : 1;
  },
};

function report(
  { print }: Terminal,
  rows: readonly Row[],
  differing: readonly string[],
  engine: string,
  ok: boolean,
): void {
  const cells = rows.map(({ tensor, shape, directions, error, step }) => [
    tensor,
    shapeText(shape),
    directions,
    `${error < 0.1 ? (error * 100).toPrecision(2) : Math.round(error * 100)} %`,
    String(step),
    error <= errorMax ? "ok" : "WRONG",
  ]);
  print(table([["tensor", "shape", "directions", "error", "step", ""], ...cells], new Set([3, 4])));
  const names = differing.map((n) => `"${n}"`).join(", ");
  print(
    differing.length === 0
      ? `outputs of explainer and model are equal to the bit in ${engine}`
      : `outputs of explainer and model DIFFER in ${engine}: ${names}`,
  );
  print(ok ? "ok" : "the check FAILED; near a kink another --seed or --input may agree");
}

/** Names of the model's outputs that the explainer gives differently. */
async function differingOutputs(
  runtime: Runtime,
  model: LoadedModel,
  explainer: Uint8Array,
  feeds: Feeds,
  signal: AbortSignal,
): Promise<readonly string[]> {
  // The very bytes of the user's file, unless it is run at another size than it declares.
  const original = model.resized ? exportModel(model.graph, { externalWeights: weightFiles(model) }) : model.bytes;
  const run = async (bytes: Uint8Array, label: string, inputs: Feeds): Promise<Record<string, RunTensor>> => {
    const session = await openGraph(runtime, model, bytes, label, signal);
    try {
      return await session.run(inputs, signal);
    } finally {
      await session.release();
    }
  };
  const expected = await run(original, model.name, feeds);
  const target: RunTensor = { dtype: "int64", dims: [1], data: BigInt64Array.of(-1n) };
  const got = await run(explainer, `the explainer of ${model.name}`, { ...feeds, target });
  return Object.keys(expected).filter((name) => !sameBits(expected[name], got[name]));
}

function sameBits(a: RunTensor | undefined, b: RunTensor | undefined): boolean {
  if (a === undefined || b === undefined || a.dtype !== b.dtype || a.dims.join() !== b.dims.join()) return false;
  if (a.dtype === "string" || b.dtype === "string") return JSON.stringify(a.data) === JSON.stringify(b.data);
  const bytes = ({ data }: Exclude<RunTensor, { readonly dtype: "string" }>): Buffer =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes(a).equals(bytes(b));
}

function valueNamed(values: ReadonlyMap<string, Value>, name: string): Value {
  const value = values.get(name);
  if (value === undefined) throw new AppError("spec-invalid", `the model has no tensor "${name}"`);
  return value;
}
