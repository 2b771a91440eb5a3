/** @file `backlight models`: the catalogue of models on this machine. */
import path from "node:path";
import { openStore } from "../../../functions/node/platform.ts";
import { readSettings } from "../../../functions/settings.ts";
import { AppError } from "../../../shared/errors.ts";
import { parseCardText } from "../../../shared/models/card.ts";
import { nearest } from "../../../shared/nearest.ts";
import { publishModel } from "../../../shared/pipeline/publish.ts";
import { parseMethod } from "../../../shared/saliency/method.ts";
import { defaultSpec } from "../../../shared/saliency/spec.ts";
import type { Args } from "../args.ts";
import { addModel, catalogueEntry, catalogueFolder, catalogueNames, removeModel } from "../catalogue.ts";
import type { Command, Outcome } from "../command.ts";
import { loadGraph, readModelFile } from "../model.ts";
import { shapeText } from "../output.ts";
import { readCardInfo } from "../recipe.ts";
import { bytesText, type Terminal, table } from "../terminal.ts";

type Action = (name: string, args: Args, terminal: Terminal) => Promise<Outcome>;

export const models: Command = {
  summary: "lists, adds, shows or removes models known by name",
  positionals: ["list|add|show|remove", "[NAME|FILE]"],
  options: {
    name: { value: "NAME", help: "add: what the model is called (default: the file's name)" },
    card: { value: "FILE", help: "add: its card (default: the card beside the file)" },
    to: {
      value: "STORE",
      help: "add: a directory or s3://bucket that functions serve from, instead of this catalogue",
    },
    methods: {
      value: "NAMES",
      list: true,
      help: "add --to: compile explainers of these methods ahead (default norm-grad-selective)",
    },
  },
  details: `The catalogue is a folder with a folder a model: $BACKLIGHT_MODELS, or ~/.local/share/backlight/models.
Adding copies the model, its card and its weights files and records the model's SHA-256, which every use checks.

With --to it is put where functions serve from, its default explainer compiled ahead.

  backlight models add squeezenet.onnx --name squeezenet
  backlight models add squeezenet.onnx --name squeezenet --to s3://my-bucket
  backlight explain photo.jpg --model squeezenet`,
  async run(args, terminal) {
    const [action = "", name = ""] = args.positionals;
    const run = actions[action];
    if (run === undefined) {
      const near = nearest(action, Object.keys(actions));
      const hint = near.length > 0 ? `did you mean ${near[0]}?` : `it has ${Object.keys(actions).join(", ")}`;
      throw new AppError("spec-invalid", `backlight models has no action "${action}": ${hint}`);
    }
    if (action === "list" && name !== "")
      throw new AppError("spec-invalid", `models list takes no name, but got "${name}"`);
    if (action !== "list" && name === "") {
      throw new AppError("spec-invalid", `backlight models ${action} needs ${action === "add" ? "a FILE" : "a NAME"}`);
    }
    return run(name, args, terminal);
  },
};

const list: Action = async (_, args, { print, note, environment }) => {
  const names = await catalogueNames(environment);
  const entries = await Promise.all(names.map((name) => catalogueEntry(name, environment)));
  if (args.flag("json")) {
    print(
      JSON.stringify(
        entries.map(({ name, folder, sha256 }) => ({ name, folder, sha256 })),
        null,
        2,
      ),
    );
    return 0;
  }
  if (entries.length === 0)
    note(`the catalogue ${catalogueFolder(environment)} is empty; add one: backlight models add FILE`);
  else print(table(entries.map(({ name, sha256, folder }) => [name, sha256.slice(0, 12), folder])));
  return 0;
};

const add: Action = async (file, args, terminal) => {
  const { print, environment } = terminal;
  const name = args.text("name") ?? path.basename(file).replace(/\.onnx$/i, "");
  const to = args.text("to");
  if (to !== undefined) return publish(name, file, to, args, terminal);
  // Importing finds out whether it is a model at all; the catalogue holds nothing that cannot be used.
  const model = await loadGraph(file, { card: args.text("card"), environment });
  if (model.card !== undefined) parseCardText(model.card.text, model.card.file);
  const entry = await addModel(
    { name, file, sha256: model.sha256, cardText: model.card?.text, external: model.external.map((e) => e.path) },
    environment,
  );
  const result = { name, folder: entry.folder, sha256: entry.sha256, card: model.card !== undefined };
  print(
    args.flag("json") ? JSON.stringify(result, null, 2) : `${name}  ${entry.folder}${result.card ? "" : "  (no card)"}`,
  );
  return 0;
};

/** Puts the model into a store that functions serve from. */
async function publish(
  name: string,
  file: string,
  to: string,
  args: Args,
  { print, environment }: Terminal,
): Promise<Outcome> {
  const model = await readModelFile(file, { card: args.text("card"), environment });
  if (model.card === undefined) {
    throw new AppError(
      "card-invalid",
      `cannot publish "${file}": it has no card, and a wrong guess of its preprocessing would be served to ` +
        "everybody; write one beside it or give --card",
    );
  }
  const { labels } = await readCardInfo(model);
  const store = await openStore(to, await readSettings(environment));
  const methods = args.list("methods");
  const specs = (methods.length === 0 ? [defaultSpec.method] : methods.map(parseMethod)).map((method) => ({
    ...defaultSpec,
    method,
  }));
  const published = await publishModel(store, { ...model, name, card: { text: model.card.text, labels } }, specs);
  const result = { name, store: store.name, ...published };
  print(args.flag("json") ? JSON.stringify(result, null, 2) : `${name}  ${store.name}: ${published.keys.join(", ")}`);
  return 0;
}

const show: Action = async (name, args, { print, environment }) => {
  const entry = await catalogueEntry(name, environment);
  const model = await readModelFile(name, { environment });
  const { graph } = await loadGraph(name, { environment });
  const card = model.card === undefined ? null : parseCardText(model.card.text, model.card.file);
  const ports = (values: typeof graph.inputs) =>
    values.map(({ name: port, type }) => ({ name: port, dtype: type?.dtype, shape: type?.shape }));
  const result = {
    name,
    folder: entry.folder,
    sha256: entry.sha256,
    bytes: model.bytes.length,
    inputs: ports(graph.inputs),
    outputs: ports(graph.outputs),
    card,
  };
  if (args.flag("json")) {
    print(JSON.stringify(result, null, 2));
    return 0;
  }
  print(`${name}  ${bytesText(model.bytes.length)}, sha256 ${entry.sha256}\n${entry.folder}`);
  for (const p of result.inputs) print(`  input   ${p.name}  ${p.dtype} ${shapeText(p.shape)}`);
  for (const p of result.outputs) print(`  output  ${p.name}  ${p.dtype} ${shapeText(p.shape)}`);
  print(card === null ? "  no card: preprocessing is guessed" : `  card    ${JSON.stringify(card)}`);
  return 0;
};

const remove: Action = async (name, args, { print, environment }) => {
  await removeModel(name, environment);
  print(args.flag("json") ? JSON.stringify({ removed: name }) : `removed ${name}`);
  return 0;
};

const actions: Readonly<Record<string, Action>> = { list, add, show, remove };
