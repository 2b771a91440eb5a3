/**
 * @file One measurement, in a process of its own: times of all configurations interleaved, or the heap of one, or what
 * a compile takes. Prints one line of JSON.
 */
import { readFileSync } from "node:fs";
import { prepare } from "../../shared/graph/prepare.ts";
import { exportModel } from "../../shared/onnx/export.ts";
import { importModel } from "../../shared/onnx/import.ts";
import type { Feeds, Session } from "../../shared/runtime/runtime.ts";
import { webRuntime } from "../../shared/runtime/web.ts";
import { compileExplainer } from "../../shared/saliency/compile.ts";
import { defaultSpec, type ExplainSpec } from "../../shared/saliency/spec.ts";
import { normals } from "../cli/slopes.ts";
import { uniformNumbers } from "../cli/uniform.ts";
import {
  type CompileResult,
  type Configuration,
  configurations,
  type HeapResult,
  type Marks,
  median,
  type TimeResult,
} from "./results.ts";

/** Runs before the first that counts: the engine's code is compiled on first use. */
const warmUps = 2;
/** A step of a size that is used; its size costs nothing. */
const metaStep = { step: 1e-4, sign: "descent", variant: "stop-gradient", weights: "all" } as const;
/** Compiles are short, so a few give a steady median. */
const compiles = 5;

const [job = "", file = "", marksText = "{}", detail = ""] = process.argv.slice(2);
const marks: Marks = JSON.parse(marksText);
const jobs: Readonly<Record<string, () => Promise<object>>> = { time, heap, compile };
const run = jobs[job];
if (run === undefined) throw new TypeError(`no job "${job}"`);
process.stdout.write(`${JSON.stringify(await run())}\n`);

function specOf(configuration: Exclude<Configuration, "forward">): ExplainSpec {
  const layers = {
    last: [marks.last],
    middle: [marks.middle],
    early: [marks.early],
    stages: "auto",
    input: "input",
    "meta last": [marks.last],
    "meta early": [marks.early],
  } as const;
  const spec = { ...defaultSpec, layers: layers[configuration] };
  return configuration.startsWith("meta") ? { ...spec, meta: metaStep } : spec;
}

/** The model, or its explainer with the weights left in the model's bytes. */
async function open(
  configuration: Configuration,
): Promise<{ readonly session: Session; readonly layers: readonly string[] }> {
  const bytes: Uint8Array = readFileSync(file);
  const { graph, declared } = importModel(bytes);
  const prepared = prepare(graph, { declared });
  const made =
    configuration === "forward" ? undefined : compileExplainer(prepared, specOf(configuration), { sha256: "" });
  const location = "model.onnx";
  const model = exportModel(made?.graph ?? prepared, { externalWeights: [{ location, bytes }] });
  const session = await webRuntime().create(model, { external: [{ path: location, data: bytes }] });
  return { session, layers: made?.manifest.layers.map((l) => l.name) ?? [] };
}

/** The same picture-sized noise for everyone; the seed makes the run the same each time. */
function feedsOf(session: Session): Feeds {
  const dims = [1, 3, 224, 224];
  const image = { dtype: "float32", dims, data: normals(3 * 224 * 224, uniformNumbers(3)) } as const;
  const target = { dtype: "int64", dims: [1], data: BigInt64Array.of(7n) } as const;
  return session.inputs.includes("target") ? { image, target } : { image };
}

async function time(): Promise<TimeResult> {
  const rounds = Number(detail);
  const times: Record<Configuration, number[]> = {
    forward: [],
    last: [],
    middle: [],
    early: [],
    stages: [],
    input: [],
    "meta last": [],
    "meta early": [],
  };
  const sessions: (readonly [Configuration, Session, Feeds])[] = [];
  let stages: readonly string[] = [];
  for (const configuration of configurations) {
    const { session, layers } = await open(configuration);
    if (configuration === "stages") stages = layers;
    sessions.push([configuration, session, feedsOf(session)]);
  }
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const [configuration, session, feeds] of sessions) {
      const start = performance.now();
      await session.run(feeds);
      if (round >= 0) times[configuration].push(performance.now() - start);
    }
  }
  return { times, stages };
}

async function heap(): Promise<HeapResult> {
  const configuration = configurations.find((c) => c === detail);
  if (configuration === undefined) throw new TypeError(`no configuration "${detail}"`);
  const { session } = await open(configuration);
  const feeds = feedsOf(session);
  for (let i = 0; i < 2; i += 1) await session.run(feeds);
  return { heapBytes: session.heapBytes?.() ?? 0 };
}

async function compile(): Promise<CompileResult> {
  const once = (bytes: Uint8Array): number => {
    const { graph, declared } = importModel(bytes);
    const { graph: explainer } = compileExplainer(prepare(graph, { declared }), specOf("stages"), { sha256: "" });
    return exportModel(explainer).length;
  };
  const before = process.memoryUsage().rss;
  const bytes: Uint8Array = readFileSync(file);
  const outputBytes = once(bytes);
  const peakBytes = process.resourceUsage().maxRSS * 1024 - before;
  const times = Array.from({ length: compiles }, () => {
    const start = performance.now();
    once(bytes);
    return performance.now() - start;
  });
  return { milliseconds: median(times), peakBytes, outputBytes };
}
