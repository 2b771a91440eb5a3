/** @file `backlight sweep`: a whole dataset explained, on this machine's cores or by a deployment. */
import { availableParallelism } from "node:os";
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import { imagePrefix } from "../../../shared/pipeline/layout.ts";
import { publishModel } from "../../../shared/pipeline/publish.ts";
import { runtimeNames } from "../../../shared/runtime/choose.ts";
import type { ObjectStore } from "../../../shared/storage/store.ts";
import { batchDefault, concurrencyMax, readSweep } from "../../../shared/sweeps/definition.ts";
import { driveSweep } from "../../../shared/sweeps/drive.ts";
import { type Estimate, estimateSweep } from "../../../shared/sweeps/estimate.ts";
import { reportFolder, reportKey } from "../../../shared/sweeps/layout.ts";
import { createSweep, newSweepId, redriveSweep } from "../../../shared/sweeps/lifecycle.ts";
import { readRecord } from "../../../shared/sweeps/records.ts";
import type { Report } from "../../../shared/sweeps/report-document.ts";
import { type SweepStatus, sweepStatus } from "../../../shared/sweeps/status.ts";
import { type Args, choiceOf, integerOf, numberOf } from "../args.ts";
import type { Command, Outcome } from "../command.ts";
import { readBytes } from "../files.ts";
import { readModelFile } from "../model.ts";
import { readCardInfo } from "../recipe.ts";
import { specOptions } from "../spec-args.ts";
import { openDeps, openPlace, type Place } from "../sweep/place.ts";
import { followRemote, keyVariable, openRemote } from "../sweep/remote.ts";
import { estimateText, failureTeller, progressText, reportText } from "../sweep/show.ts";
import { startThreads } from "../sweep/threads.ts";
import type { Terminal } from "../terminal.ts";

const { combine, weights, objective, output } = specOptions;
const imagesMax = 100_000_000;
/** A process has gigabytes. */
const manifestLinesMax = 10_000_000;
/** Between looks at the counts: each is a listing. */
const lookMilliseconds = 1_000;

export const sweep: Command = {
  summary: "explains a whole dataset, and reports",
  positionals: ["SOURCE"],
  options: {
    model: {
      short: "m",
      value: "MODEL",
      help: "an .onnx file or catalogue name, or with --store or --to a model there",
    },
    card: { value: "FILE", help: "the model's card (default: the card beside the model)" },
    store: {
      value: "STORE",
      help: "the bucket: a directory or s3://bucket; SOURCE is then a prefix or a manifest in it",
    },
    to: { value: "URL", help: `a deployment that does it, with a key of the scope sweep in ${keyVariable}` },
    out: { short: "o", value: "DIR", help: "without --store: where results and report are written (default ./sweep)" },
    images: { value: "DIR", help: "of a manifest that is a file: the folder its keys below images/ are in" },
    id: { value: "ID", help: "names the sweep; the same id again goes on with it (default: a new one)" },
    methods: { value: "NAMES", list: true, help: "the methods, as explain --method takes them" },
    layers: { value: "NAMES", help: "tensor names with commas, or auto, last, input (default auto)" },
    targets: {
      value: "CLASSES",
      list: true,
      help: 'classes or ranks; "label" is the manifest\'s class (default top1)',
    },
    ...(combine && { combine }),
    ...(weights && { weights }),
    ...(objective && { objective }),
    ...(output && { output }),
    batch: { value: "N", help: `images a shard (default ${batchDefault})` },
    concurrency: {
      value: "N",
      help: "shards at once at most: threads here (default: this machine's cores), consumers there",
    },
    limit: { value: "N", help: "the first N images alone" },
    sample: { value: "0..1", help: "a share of the images, the same ones every time" },
    "tolerate-count": { value: "N", help: "end when more than N explanations failed" },
    "tolerate-percent": { value: "0..100", help: "end when more than this share failed" },
    "minimum-sample": { value: "N", help: "tolerate nothing less before N are settled (default 50)" },
    "dry-run": { help: "say how many images there are, and what it would take" },
    redrive: { help: "of the sweep --id: try again what did not succeed" },
    runtime: { value: "NAME", help: "wasm (onnxruntime-web), native (onnxruntime-node, if you installed it), or auto" },
  },
  details: `SOURCE is a folder of photos, or a manifest (.jsonl or .csv); with --store or --to a prefix below
images/ or a manifest's key. Its lines have a key below images/, and may have the class and its boxes in pixels:

  {"key": "images/a.jpg", "class": "tabby cat", "boxes": [[10, 20, 100, 80]]}

What is interrupted goes on with the same --id; what is unchanged is not computed again. The report is report.html,
report.json, results.jsonl and failures.jsonl below sweeps/<id>/.

  backlight sweep photos/ --model squeezenet.onnx
  backlight sweep images/2026/ --store s3://my-bucket --model squeezenet --methods grad-cam,norm-grad --dry-run`,
  async run(args, terminal): Promise<Outcome> {
    return args.text("to") === undefined ? sweepHere(args, terminal) : sweepThere(args, terminal);
  },
};

function bodyOf(args: Args, source: string, model: string, concurrency: number | undefined): Record<string, unknown> {
  const [percent, layers] = [numberOf(args, "tolerate-percent", 0, 100), args.text("layers")];
  const fields = {
    source,
    model,
    methods: args.list("methods"),
    ...(layers !== undefined && { layers: [layers] }),
    targets: args.list("targets"),
    combine: args.text("combine"),
    weights: args.text("weights"),
    objective: args.text("objective"),
    output: args.text("output"),
    batch: integerOf(args, "batch", 1, imagesMax),
    maxConcurrency: concurrency,
    limit: integerOf(args, "limit", 1, imagesMax),
    sample: numberOf(args, "sample", 0, 1),
    toleratedFailures: {
      count: integerOf(args, "tolerate-count", 0, imagesMax) ?? null,
      percent: percent ?? null,
      minimumSample: integerOf(args, "minimum-sample", 1, imagesMax) ?? null,
    },
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

async function sweepHere(args: Args, terminal: Terminal): Promise<Outcome> {
  const [argument = ""] = args.positionals;
  const place = placeOf(args, argument, terminal);
  const store = await openPlace(place);
  const model = await modelIn(store, args, terminal);
  const workers = integerOf(args, "concurrency", 1, concurrencyMax) ?? availableParallelism();
  const source = await sourceIn(store, args, argument);
  const { definition } = readSweep(bodyOf(args, source, model, workers), {});
  const deps = await openDeps(place);
  const { service } = deps;
  if (args.flag("dry-run")) {
    terminal.progress("counting the images");
    const limits = { imagesMax, manifestLinesMax, workers };
    const estimate = await estimateSweep({ store, service, signal: terminal.signal }, definition, limits);
    terminal.progress("");
    terminal.print(args.flag("json") ? JSON.stringify(estimate, null, 2) : estimateText(estimate));
    return 0;
  }
  const id = args.text("id") ?? newSweepId();
  await createSweep({ store, models: service.options.models }, id, definition);
  if (args.flag("redrive")) await redriveSweep(store, id);
  await driveHere(store, id, place, workers, terminal);
  const report = await readRecord<Report>(store, reportKey(id));
  if (report === null) throw new TypeError("a sweep that is over has a report");
  const where = args.text("store") === undefined ? path.join(place.store, reportFolder(id)) : reportFolder(id);
  terminal.print(args.flag("json") ? JSON.stringify(report, null, 2) : reportText(report, `${where}report.html`));
  return report.counts.failed + report.counts.dropped === 0 ? 0 : 1;
}

async function driveHere(
  store: ObjectStore,
  id: string,
  place: Place,
  workers: number,
  terminal: Terminal,
): Promise<void> {
  const { signal } = terminal;
  terminal.note(`sweep ${id}; interrupted, it goes on with --id ${id}`);
  const threads = await startThreads(workers, place);
  const tell = failureTeller(terminal);
  let looked = 0;
  try {
    await driveSweep(store, id, {
      settle: threads.settle,
      workers,
      manifestLinesMax,
      signal,
      async onStep({ phase }) {
        if (phase !== "over" && Date.now() - looked < lookMilliseconds) return;
        looked = Date.now();
        const status = await sweepStatus(store, id);
        tell(status);
        terminal.progress(progressText(status));
      },
    });
  } catch (error) {
    if (signal.aborted) throw new AppError("cancelled", `the sweep was interrupted; go on with --id ${id}`);
    throw error;
  } finally {
    terminal.progress("");
    await threads.stop();
  }
}

function placeOf(args: Args, argument: string, { environment }: Terminal): Place {
  const store = args.text("store");
  const runtime = choiceOf(args, "runtime", runtimeNames) ?? "wasm";
  const folder = isManifest(argument) ? (args.text("images") ?? path.dirname(argument)) : argument;
  return {
    store: store ?? args.text("out") ?? "sweep",
    images: store === undefined ? folder : null,
    environment: { ...environment },
    runtime,
  };
}

const isManifest = (argument: string): boolean => /\.(jsonl|ndjson|csv)$/i.test(argument);

/** Where the images are named, as the store has it; a manifest that is a file is put there. */
async function sourceIn(store: ObjectStore, args: Args, argument: string): Promise<string> {
  if (args.text("store") !== undefined) return argument;
  if (!isManifest(argument)) return imagePrefix;
  const key = `manifests/${path.basename(argument)}`;
  const bytes = await readBytes(argument, "manifest");
  const known = await store.get(key);
  const isSame = known?.outcome === "found" && Buffer.from(await new Response(known.body).arrayBuffer()).equals(bytes);
  // Written anew, it would be another manifest to a sweep that is under way.
  if (!isSame) await store.put(key, bytes, { contentType: "text/plain" });
  return key;
}

/** The model's name in the store; a file is put there, unless it is there. */
async function modelIn(store: ObjectStore, args: Args, terminal: Terminal): Promise<string> {
  const asked = args.text("model");
  if (asked === undefined) throw new AppError("spec-invalid", "--model says which model to explain");
  if (args.text("store") !== undefined && !asked.endsWith(".onnx")) return asked;
  terminal.progress(`reading ${asked}`);
  const model = await readModelFile(asked, { card: args.text("card"), environment: terminal.environment });
  if (model.card === undefined) {
    throw new AppError(
      "card-invalid",
      `cannot sweep with "${asked}": it has no card; write one beside it or give --card`,
    );
  }
  const { labels } = await readCardInfo(model);
  await publishModel(store, { ...model, card: { text: model.card.text, labels } }, []);
  return model.name;
}

async function sweepThere(args: Args, terminal: Terminal): Promise<Outcome> {
  const [source = ""] = args.positionals;
  const remote = openRemote(args.text("to") ?? "", terminal.environment, terminal.signal);
  const model = args.text("model");
  const concurrency = integerOf(args, "concurrency", 1, concurrencyMax);
  const { model: _, ...rest } = bodyOf(args, source, "", concurrency);
  const body = { ...rest, ...(model !== undefined && { model }) };
  const json = args.flag("json");
  if (args.flag("dry-run")) {
    const estimate = await remote.post<Estimate>("/v1/sweeps", { ...body, dryRun: true });
    terminal.print(json ? JSON.stringify(estimate, null, 2) : estimateText(estimate));
    return 0;
  }
  const asked = args.text("id");
  const started = args.flag("redrive")
    ? await remote.post<SweepStatus>(`/v1/sweeps/${asked ?? ""}/redrive`)
    : await remote.post<SweepStatus>("/v1/sweeps", { ...body, ...(asked !== undefined && { id: asked }) });
  const { id } = started;
  terminal.note(`sweep ${id} at ${args.text("to")}; it goes on if this command is interrupted`);
  const tell = failureTeller(terminal);
  const status = await followRemote(remote, id, terminal.signal, (each) => {
    tell(each);
    terminal.progress(progressText(each));
  });
  terminal.progress("");
  const report = await remote.get<Report>(`/v1/sweeps/${id}/report?format=json`);
  const where = new URL(`/v1/sweeps/${id}/report`, args.text("to")).href;
  terminal.print(json ? JSON.stringify(report, null, 2) : reportText(report, where));
  return status.counts.failed + status.counts.dropped === 0 ? 0 : 1;
}
