/** @file `backlight explain`: photos in, pictures and result documents out. */
import { AppError } from "../../../shared/errors.ts";
import type { Explanation } from "../../../shared/explanation/document.ts";
import { targetText } from "../../../shared/explanation/picture.ts";
import { colourMapNames } from "../../../shared/imaging/colour.ts";
import { type Args, choiceOf, choicesOf, numberOf } from "../args.ts";
import type { Command, Outcome } from "../command.ts";
import { type ExplainJob, prepareJob, type WriteKind, writeKinds } from "../explain-job.ts";
import { explainOne, type Failure, failureOf, readSource } from "../explain-one.ts";
import { runtimeOptions } from "../runtime-args.ts";
import { compileGrid, type GridRow, writeComparison, writeGrid } from "../sheets.ts";
import { listSources, type Source } from "../sources.ts";
import { specOptions } from "../spec-args.ts";
import { millisecondsText, type Terminal } from "../terminal.ts";

export const explain: Command = {
  summary: "shows where in an image a classifier's answer comes from",
  positionals: ["INPUT…"],
  options: {
    model: { short: "m", value: "MODEL", help: "an .onnx file, or a name in the catalogue (required)" },
    card: { value: "FILE", help: "the model's card (default: the card beside the model)" },
    target: {
      short: "t",
      value: "CLASSES",
      list: true,
      help:
        "classes: index, name, top1, top2, …, or a negative rank such as -1 (default top1); sums and differences " +
        'such as "cat - dog" or "top1 - top2", signs between blanks',
    },
    region: {
      value: "X,Y,W,H",
      list: true,
      help: "of a dense output: explains its scores in this box of the photo, in pixels (objective region)",
    },
    ...specOptions,
    out: { short: "o", value: "DIR", help: "where files are written (default ./out)" },
    write: { value: "KINDS", list: true, help: `what is written: ${writeKinds.join(", ")} (default overlay,json)` },
    colormap: { value: "NAME", help: `${colourMapNames.join(", ")} (default viridis, diverging for signed maps)` },
    alpha: { value: "0..1", help: "how much of the colour covers the photo (default 0.5)" },
    grid: { help: "one picture of every extract x aggregate, for each layer" },
    compare: { value: "METHODS", list: true, help: "one picture of several methods side by side, a row a class" },
    recursive: { short: "r", help: "also look into the subdirectories of a directory" },
    ...runtimeOptions,
  },
  details: `INPUT is an image file (JPEG, PNG, WebP), a directory of them, an http(s) URL, or a .npy: an array in the
model's own input shape is fed as it is, uint8 [H, W, 3] is taken as a photo.

Files are named after the input's stem, the target as you wrote it, and the method:
  cat.top1.norm-grad-selective.overlay.png    the photo with the map over it, a caption and a legend
  cat.top1.norm-grad-selective.heatmap.png    the map alone
  cat.top1.norm-grad-selective.npy            the raw map, float32: of a layer [h, w], of several [H, W], of tokens [T]
  cat.top1.norm-grad-selective.LAYER.npy      with several layers, each one's raw map
  cat.top1.norm-grad-selective.json           the result document
  cat.top1.grid.png, cat.compare.png          with --grid and --compare, which write nothing else unless --write says so
Two inputs of one stem keep their extensions (cat-jpg, cat-png). Existing files are replaced.`,
  async run(args, terminal) {
    const out = args.text("out") ?? "out";
    const sheet = sheetOf(args);
    const write = new Set<WriteKind>(choicesOf(args, "write", writeKinds));
    if (args.text("write") === undefined && sheet === "none") write.add("overlay").add("json");
    const drawing = { colours: choiceOf(args, "colormap", colourMapNames), alpha: numberOf(args, "alpha", 0, 1) };
    const recursive = args.flag("recursive");
    const { sources, skipped } = await listSources(args.positionals, {
      recursive,
      exclude: out,
      environment: terminal.environment,
    });
    if (skipped > 0) terminal.note(`note: ${skipped} files are no pictures by their names and were skipped`);
    const job = await prepareJob(args, { out, write, sheet, drawing, terminal });
    try {
      return await explainAll(job, sources, args.flag("json"));
    } finally {
      await job.pool.close();
    }
  },
};

function sheetOf(args: Args): ExplainJob["sheet"] {
  if (args.flag("grid") && args.flag("compare")) {
    throw new AppError("spec-invalid", "--grid and --compare are two pictures: give one of them");
  }
  return args.flag("grid") ? "grid" : args.flag("compare") ? "compare" : "none";
}

async function explainAll(job: ExplainJob, sources: readonly Source[], json: boolean): Promise<Outcome> {
  const { terminal } = job;
  const grid = job.sheet === "grid" ? compileGrid(job) : [];
  const results: Explanation[] = [];
  const sheets: string[] = [];
  const failures: Failure[] = [];
  const start = performance.now();
  for (const [i, source] of sources.entries()) {
    terminal.progress(`${source.label} (${i + 1} of ${sources.length})`);
    try {
      const done = await explainSource(job, grid, source);
      results.push(...done.results);
      sheets.push(...done.sheets);
      if (!json) for (const line of done.lines) terminal.print(line);
    } catch (error) {
      if (terminal.signal.aborted) throw error;
      const failure = failureOf(source, error);
      failures.push(failure);
      terminal.warn(`FAILED ${failure.input}: ${failure.message}`);
    }
  }
  terminal.progress("");
  if (json) terminal.print(JSON.stringify({ schema: 1, out: job.out, results, sheets, failures }, null, 2));
  const took = millisecondsText(performance.now() - start);
  const failed = failures.length === 0 ? "" : `, ${failures.length} failed`;
  terminal.note(`${sources.length - failures.length} of ${sources.length} inputs explained${failed}, in ${took}`);
  return failures.length === 0 ? 0 : failures.some((f) => f.code === "internal") ? 3 : 1;
}

interface Done {
  readonly results: readonly Explanation[];
  readonly sheets: readonly string[];
  /** What a person is told, a line a file or result. */
  readonly lines: readonly string[];
}

async function explainSource(job: ExplainJob, grid: readonly GridRow[], source: Source): Promise<Done> {
  const input = await readSource(job, source);
  const results: Explanation[] = [];
  const sheets: string[] = [];
  if (job.sheet === "none" || job.write.size > 0) {
    for (const target of job.targets) {
      for (const explainer of job.explainers) {
        const result = await explainOne(job, input, explainer, target);
        results.push(result);
        tellFlat(job.terminal, result);
      }
    }
  }
  if (job.sheet === "grid") for (const target of job.targets) sheets.push(await writeGrid(job, grid, input, target));
  if (job.sheet === "compare") sheets.push(await writeComparison(job, input));
  const lines = [
    ...results.map((r) => lineOf(job, r)),
    ...sheets.map((file) => `${source.label}  ->  ${job.out}/${file}`),
  ];
  return { results, sheets, lines };
}

function lineOf(job: ExplainJob, result: Explanation): string {
  const { target, files, method } = result;
  const rank = target.rank > 0 ? `, rank ${target.rank}` : "";
  const shown = files["overlay"] ?? files["heatmap"] ?? files["npy"] ?? files["json"];
  const where = shown === undefined ? "" : `  ->  ${job.out}/${shown}`;
  return `${result.input.source}  ${targetText(target)} (class ${target.class}${rank})  ${method}${where}`;
}

function tellFlat({ warn }: Terminal, { map, target, input }: Explanation): void {
  if (map.flat)
    warn(`FLAT MAP ${input.source}, ${target.name}: ${map.max} everywhere; try another layer, class or method`);
}
