/** @file `backlight layers`: the tensors a map can be made at, and which of them are worth it. */
import { listLayers } from "../../../shared/saliency/layers.ts";
import type { Command } from "../command.ts";
import { loadModel } from "../model.ts";
import { shapeText } from "../output.ts";
import { readInputSize, readSpec, specOptions } from "../spec-args.ts";
import { table } from "../terminal.ts";

export const layers: Command = {
  summary: "lists the layers of a model that a map can be made at",
  positionals: ["MODEL"],
  options: {
    ...pick(specOptions, ["objective", "output", "input-size"]),
    recommended: { help: "only the layers that --layers auto takes" },
  },
  details: `Columns: * for the layers that --layers auto takes, the tensor's name as --layers takes it, the operator
that makes it, its layout and shape, its stride (input pixels a location), and the cost: multiply-adds of the backward
pass down to it, relative to one forward pass.`,
  async run(args, terminal) {
    const inputSize = readInputSize(args);
    const model = await loadModel(args.positionals[0] ?? "", { inputSize, environment: terminal.environment });
    const all = listLayers(model.graph, readSpec(args));
    const found = args.flag("recommended") ? all.filter((l) => l.recommended) : all;
    if (args.flag("json")) {
      terminal.print(JSON.stringify({ model: model.name, sha256: model.sha256, layers: found }, null, 2));
      return 0;
    }
    const rows = found.map((l) => [
      l.recommended ? "*" : "",
      l.name,
      l.op,
      l.layout,
      shapeText(l.shape),
      l.stride === null ? "" : String(Math.round(l.stride)),
      l.cost.toFixed(2),
    ]);
    terminal.print(table([["", "name", "operator", "layout", "shape", "stride", "cost"], ...rows], new Set([5, 6])));
    const count = all.filter((l) => l.recommended).length;
    terminal.note(
      `${all.length} layers, ${count} recommended (*): --layers auto takes these, --layers last the deepest`,
    );
    return 0;
  },
};

function pick<T>(from: Readonly<Record<string, T>>, keys: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)));
}
