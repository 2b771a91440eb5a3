/**
 * @file `npm run bench`: what an explanation costs next to a plain prediction, on networks of published shapes. Every
 * measurement runs in a process of its own, because the engine's heap never shrinks.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { exportModel } from "../../shared/onnx/export.ts";
import { integerOf, type Options, optionsHelp, readArgs } from "../cli/args.ts";
import { nets } from "./nets.ts";
import {
  type CompileResult,
  type Configuration,
  configurations,
  type HeapResult,
  type Marks,
  median,
  ratio,
  type TimeResult,
} from "./results.ts";

const options: Options = {
  nets: { value: "NAMES", list: true, help: `which networks: ${Object.keys(nets).join(", ")} (default all)` },
  rounds: { value: "N", help: "rounds that count; each runs every configuration once (default 15)" },
  out: { value: "DIR", help: "where the table and the numbers are written (default out/bench)" },
  help: { short: "h", help: "print this help" },
};

interface NetResult {
  readonly net: string;
  readonly modelBytes: number;
  readonly forwardMs: number;
  readonly ratios: Readonly<Record<string, number>>;
  readonly heapBytes: Readonly<Record<string, number>>;
  readonly compile: CompileResult;
  readonly stages: readonly string[];
}

function bench(argv: readonly string[]): void {
  const args = readArgs(argv, { positionals: [], options }, "bench");
  if (args.flag("help")) {
    process.stdout.write(`npm run bench -- [options]\n\n${optionsHelp(options)}\n`);
    return;
  }
  const folder = path.resolve(args.text("out") ?? "out/bench");
  const rounds = integerOf(args, "rounds", 1, 1000) ?? 15;
  const chosen = args.list("nets").length > 0 ? args.list("nets") : Object.keys(nets);
  mkdirSync(folder, { recursive: true });
  const results = chosen.map((name) => measure(name, folder, rounds));
  const text = report(results, rounds);
  writeFileSync(path.join(folder, "bench.md"), text);
  writeFileSync(
    path.join(folder, "bench.json"),
    `${JSON.stringify({ machine: machine(), rounds, results }, null, 2)}\n`,
  );
  process.stdout.write(text);
}

function measure(name: string, folder: string, rounds: number): NetResult {
  const make = nets[name];
  if (make === undefined) throw new RangeError(`no network "${name}"; there are ${Object.keys(nets).join(", ")}`);
  const file = path.join(folder, `${name}.onnx`);
  const { graph, last, middle, early } = make();
  const bytes = exportModel(graph);
  writeFileSync(file, bytes);
  const say = (what: string): void => void process.stderr.write(`${name}: ${what}\n`);
  try {
    const marks: Marks = { last, middle, early };
    say(`times, ${rounds} rounds`);
    const time = work<TimeResult>("time", file, marks, String(rounds));
    const heapBytes: Partial<Record<Configuration, number>> = {};
    for (const configuration of configurations) {
      say(`heap, ${configuration}`);
      heapBytes[configuration] = work<HeapResult>("heap", file, marks, configuration).heapBytes;
    }
    say("compile");
    return {
      net: name,
      modelBytes: bytes.length,
      forwardMs: median(time.times.forward),
      ratios: Object.fromEntries(configurations.map((c) => [c, ratio(time, c)])),
      heapBytes,
      compile: work<CompileResult>("compile", file, marks, ""),
      stages: time.stages,
    };
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * One job of worker.ts. Times are taken without V8's baseline compiler for wasm, which it leaves only after many runs.
 */
function work<T>(job: string, file: string, marks: Marks, detail: string): T {
  const worker = path.join(import.meta.dirname, "worker.ts");
  const flags = [...(job === "time" ? ["--no-liftoff"] : []), "--import", import.meta.resolve("tsx")];
  const command = [...flags, worker, job, file, JSON.stringify(marks), detail];
  const output = execFileSync(process.execPath, command, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(output) as T; // worker.ts prints the result of that job and nothing else
}

const machine = (): string => `${cpus()[0]?.model.trim() ?? "unknown CPU"}, Node ${process.version}`;
const megabytes = (bytes: number | undefined): string => ((bytes ?? 0) / 1e6).toFixed(0);

function report(results: readonly NetResult[], rounds: number): string {
  const backward = configurations.filter((c) => c !== "forward");
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = (count: number): string => `|---${"|---:".repeat(count - 1)}|`;
  return [
    `Measured on ${machine()}: onnxruntime-web, one thread, 224 x 224, batch 1, random weights; all configurations`,
    `interleaved in one process, median of ${rounds} rounds after warm-up.`,
    "",
    "Time of an explanation relative to a plain prediction:",
    "",
    row(["network", "forward ms", ...backward]),
    rule(backward.length + 2),
    ...results.map((r) => row([r.net, r.forwardMs.toFixed(1), ...backward.map((c) => (r.ratios[c] ?? 0).toFixed(2))])),
    "",
    "Heap of the engine in MB after two runs, weights left in the model's own bytes:",
    "",
    row(["network", ...configurations]),
    rule(configurations.length + 1),
    ...results.map((r) => row([r.net, ...configurations.map((c) => megabytes(r.heapBytes[c]))])),
    "",
    "Compiling the automatic layers into one file with the weights inside:",
    "",
    row(["network", "model MB", "explainer MB", "ms", "peak memory MB", "peak / model"]),
    rule(6),
    ...results.map(({ net, modelBytes, compile }) =>
      row([
        net,
        megabytes(modelBytes),
        megabytes(compile.outputBytes),
        compile.milliseconds.toFixed(0),
        megabytes(compile.peakBytes),
        (compile.peakBytes / modelBytes).toFixed(2),
      ]),
    ),
    "",
  ].join("\n");
}

bench(process.argv.slice(2));
