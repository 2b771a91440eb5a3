/** @file `backlight gradient`: the vector-Jacobian product of any model, as ONNX. */
import { gradientGraph } from "../../../shared/autodiff/gradient.ts";
import { exportModel } from "../../../shared/onnx/export.ts";
import type { Command } from "../command.ts";
import { writeAtomic } from "../files.ts";
import { loadGraph } from "../model.ts";
import { outputFile, shapeText } from "../output.ts";
import { bytesText } from "../terminal.ts";

export const gradient: Command = {
  summary: "writes the vector-Jacobian product of any model as ONNX",
  positionals: ["MODEL"],
  options: {
    out: { short: "o", value: "FILE", help: "where to write it (required)" },
    of: {
      value: "TENSOR…",
      list: true,
      greedy: true,
      help: "what is differentiated: outputs or inner tensors (default: every floating-point output)",
    },
    wrt: {
      value: "TENSOR…",
      list: true,
      greedy: true,
      help: "with respect to what: inputs, inner tensors or weights (default: every floating-point input)",
    },
  },
  details: `The file's inputs are the model's and \`cotangent/<output>\` for each differentiated tensor; its outputs are
\`gradient/<tensor>\`, of the tensor's own type and shape. A tensor no path reaches has gradient zero.

  backlight gradient model.onnx -o gradient.onnx
  backlight gradient model.onnx -o gradient.onnx --of logits --wrt image conv1.weight`,
  async run(args, terminal) {
    const file = outputFile(args.text("out"));
    const model = await loadGraph(args.positionals[0] ?? "", { environment: terminal.environment });
    terminal.progress(`differentiating ${model.name}`);
    const [of, wrt] = [args.list("of"), args.list("wrt")];
    const graph = gradientGraph(model.graph, { ...(of.length > 0 && { of }), ...(wrt.length > 0 && { wrt }) });
    const bytes = exportModel(graph);
    await writeAtomic(file, bytes);
    terminal.progress("");
    const describe = ({ name, type }: (typeof graph.inputs)[number]) => ({
      name,
      dtype: type?.dtype,
      shape: type?.shape,
    });
    const result = {
      file,
      bytes: bytes.length,
      inputs: graph.inputs.map(describe),
      outputs: graph.outputs.map(describe),
    };
    if (args.flag("json")) {
      terminal.print(JSON.stringify(result, null, 2));
      return 0;
    }
    terminal.print(`${file}  ${bytesText(bytes.length)}, ${graph.nodes.length} nodes`);
    for (const [kind, values] of [
      ["input", result.inputs],
      ["output", result.outputs],
    ] as const) {
      for (const v of values) terminal.print(`  ${kind.padEnd(6)}  ${v.name}  ${v.dtype} ${shapeText(v.shape)}`);
    }
    return 0;
  },
};
