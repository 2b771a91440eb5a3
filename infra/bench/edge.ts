/**
 * @file `npm run bench:edge`: the deployed Worker in workerd next to the same work in this process, in one run: cold
 * and warm explanations, cached answers, memory, the size of the bundle.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createDeps } from "../../functions/deps.ts";
import { nodePlatform } from "../../functions/node/platform.ts";
import { readSettings } from "../../functions/settings.ts";
import { explainImage } from "../../shared/pipeline/explain.ts";
import { readQuestion } from "../../shared/pipeline/question.ts";
import { webRuntime } from "../../shared/runtime/web.ts";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import { integerOf, type Options, optionsHelp, readArgs } from "../cli/args.ts";
import { bundleSize, sizeText } from "../deploy/size.ts";
import { bundleWorker } from "../stack/bundle.ts";
import { nets } from "./nets.ts";
import { freshPhoto } from "./photo.ts";
import { median } from "./results.ts";
import { ask, publishNet, startServing } from "./served.ts";

const options: Options = {
  nets: { value: "NAMES", list: true, help: `which networks: ${Object.keys(nets).join(", ")}` },
  rounds: { value: "N", help: "explanations that count, on either side (default 20)" },
  images: { value: "N", help: "explanations after which memory is looked at again (default 0; 2000 takes minutes)" },
  out: { value: "DIR", help: "where the numbers are written (default out/bench)" },
  help: { short: "h", help: "print this help" },
};
const netsDefault = ["squeezenet1.1", "mobilenetv2"];

/** The engine's code is compiled, and compiled better, during the first runs. */
const warmUps = 8;
const cachedHits = 200;

interface EdgeResult {
  readonly net: string;
  readonly coldMs: number;
  readonly warmMs: number;
  readonly processMs: number;
  /** Median of the rounds' ratios. */
  readonly ratio: number;
  readonly cachedP95Ms: number;
  readonly heapBytes: number;
  readonly peakBytes: number;
  /** Heap after `images` further explanations; null where none were asked for. */
  readonly heapAfterBytes: number | null;
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** The same work in this process: decoding, inference, drawing, encoding; no HTTP and no bucket. */
async function inProcess(net: string, folder: string): Promise<() => Promise<void>> {
  const store = await openDirectoryStore(folder);
  await publishNet(store, net);
  const settings = await readSettings({});
  const { service } = createDeps(nodePlatform(store, webRuntime(), settings.policy), settings, () => {});
  const question = readQuestion({ model: net }, {});
  return async () => {
    const image = await service.image(freshPhoto(), "photo");
    const { model, spec, target, region } = await service.identify("images/photo.jpg", image.sha256, question);
    const explainer = await service.options.explainers.get(model, spec);
    const files = { map: "map.npy", overlay: "overlay.png" };
    const made = await explainImage(service.options, model, explainer, { image, target, region, files });
    await made.picture?.("overlay", "png");
  };
}

async function measure(net: string, rounds: number, images: number): Promise<EdgeResult> {
  const folder = mkdtempSync(path.join(tmpdir(), "backlight-bench-"));
  const stack = await startServing(net);
  try {
    await publishNet(stack.store, net);
    const explain = async (accept = "image/png") => {
      const response = await ask(stack, "/v1/explain", { method: "POST", body: freshPhoto(), headers: { accept } });
      return { response, answer: await response.arrayBuffer() };
    };
    const coldMs = await milliseconds(() => explain());
    const here = await inProcess(net, folder);
    const [warm, process]: [number[], number[]] = [[], []];
    for (let round = -warmUps; round < rounds; round += 1) {
      const times = [await milliseconds(() => explain()), await milliseconds(here)] as const;
      if (round < 0) continue;
      warm.push(times[0]);
      process.push(times[1]);
    }
    const { response } = await explain();
    const known = response.headers.get("content-location") ?? "";
    const cached = async () => (await ask(stack, known, { headers: { accept: "image/png" } })).arrayBuffer();
    const hits: number[] = [];
    for (let i = 0; i < cachedHits; i += 1) hits.push(await milliseconds(cached));
    const memory = async (): Promise<{ heapBytes: number; peakBytes: number }> =>
      JSON.parse(new TextDecoder().decode((await explain("application/json")).answer)).memory;
    const { heapBytes, peakBytes } = await memory();
    for (let i = 0; i < images; i += 1) await explain();
    return {
      net,
      coldMs,
      warmMs: median(warm),
      processMs: median(process),
      ratio: median(warm.map((t, i) => t / (process[i] ?? Number.NaN))),
      cachedP95Ms: hits.toSorted((a, b) => a - b)[Math.floor(0.95 * hits.length)] ?? Number.NaN,
      heapBytes,
      peakBytes,
      heapAfterBytes: images === 0 ? null : (await memory()).heapBytes,
    };
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true });
  }
}

function report(results: readonly EdgeResult[], rounds: number): string {
  const megabytes = (bytes: number | null): string => (bytes === null ? "-" : (bytes / 1e6).toFixed(1));
  return [
    `Explanations over HTTP in workerd and in a Node process, interleaved, median of ${rounds} after warm-up:`,
    "",
    "| network | first ms | warm ms | in process ms | ratio | cached p95 ms | heap MB | peak MB | heap later MB |",
    `|---${"|---:".repeat(8)}|`,
    ...results.map((r) => {
      const times = [r.coldMs, r.warmMs, r.processMs].map((t) => t.toFixed(0));
      const memory = [r.heapBytes, r.peakBytes, r.heapAfterBytes].map(megabytes);
      return `| ${[r.net, ...times, r.ratio.toFixed(2), r.cachedP95Ms.toFixed(1), ...memory].join(" | ")} |`;
    }),
    "",
  ].join("\n");
}

async function bench(argv: readonly string[]): Promise<void> {
  const args = readArgs(argv, { positionals: [], options }, "bench:edge");
  if (args.flag("help")) {
    process.stdout.write(`npm run bench:edge -- [options]\n\n${optionsHelp(options)}\n`);
    return;
  }
  const folder = path.resolve(args.text("out") ?? "out/bench");
  const [rounds, images] = [integerOf(args, "rounds", 1, 1000) ?? 20, integerOf(args, "images", 0, 100_000) ?? 0];
  const chosen = args.list("nets").length > 0 ? args.list("nets") : netsDefault;
  const size = bundleSize(await bundleWorker());
  const results: EdgeResult[] = [];
  for (const net of chosen) {
    process.stderr.write(`${net}\n`);
    results.push(await measure(net, rounds, images));
  }
  const text = `Bundle: ${sizeText(size)}.\n\n${report(results, rounds)}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "edge.md"), text);
  writeFileSync(path.join(folder, "edge.json"), `${JSON.stringify({ rounds, images, size, results }, null, 2)}\n`);
  process.stdout.write(text);
}

await bench(process.argv.slice(2));
