/**
 * @file The catalogue of models on this machine: a folder a name, with the model, its card, its weights files and a
 * record of their digests. The folders are those of the pipeline's bucket.
 */
import { copyFile, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { AppError } from "../../shared/errors.ts";
import { suggest } from "../../shared/nearest.ts";
import { readOptional, reason } from "./files.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface CatalogueEntry {
  readonly name: string;
  readonly folder: string;
  /** The model's file. */
  readonly model: string;
  readonly sha256: string;
  /** Throws `model-malformed` where the file is not the one that was added. */
  readonly verify: (digest: string) => void;
}

/** $BACKLIGHT_MODELS, else where the XDG convention puts a user's data. */
export function catalogueFolder(environment: Environment): string {
  const own = environment["BACKLIGHT_MODELS"];
  if (own !== undefined && own !== "") return own;
  const data = environment["XDG_DATA_HOME"] ?? path.join(environment["HOME"] ?? homedir(), ".local", "share");
  return path.join(data, "backlight", "models");
}

const modelFile = "model.onnx";
const cardFile = "card.json";
const recordFile = "sha256";

/** Names of all models in the catalogue, sorted; none where there is no catalogue. */
export async function catalogueNames(environment: Environment): Promise<readonly string[]> {
  const entries = await readdir(catalogueFolder(environment), { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map((entry) => entry.name)
    .sort();
}

/** The entry of this name, or `not-found` with the names that exist. */
export async function catalogueEntry(name: string, environment: Environment): Promise<CatalogueEntry> {
  const root = catalogueFolder(environment);
  const names = await catalogueNames(environment);
  if (!names.includes(name)) {
    const others = names.length > 0 ? `it has ${names.join(", ")}${suggest(name, names)}` : "it is empty";
    throw new AppError(
      "not-found",
      `there is no model "${name}": not a path of an .onnx file, and not in the catalogue "${root}" (${others}); ` +
        "add one by: backlight models add FILE",
      { name },
    );
  }
  const folder = path.join(root, name);
  const record = await readOptional(path.join(folder, recordFile), "digest");
  const expected = record === undefined ? "" : new TextDecoder().decode(record).trim();
  return {
    name,
    folder,
    model: path.join(folder, modelFile),
    sha256: expected,
    verify: (digest) => {
      if (digest === expected) return;
      throw new AppError(
        "model-malformed",
        `the model "${name}" in the catalogue is not the one that was added: its SHA-256 is ${digest}, recorded was ` +
          `${expected === "" ? "none" : expected}; remove it and add it again`,
        { name },
      );
    },
  };
}

/** What `add` copies. */
export interface NewModel {
  readonly name: string;
  readonly file: string;
  readonly sha256: string;
  readonly cardText: string | undefined;
  /** Locations of weights files, relative to the model's folder. */
  readonly external: readonly string[];
}

/** Copies a model into the catalogue, whole or not at all. Throws `spec-invalid` where the name is taken or no name. */
export async function addModel(model: NewModel, environment: Environment): Promise<CatalogueEntry> {
  const { name } = model;
  if (!/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(name)) {
    throw new AppError("spec-invalid", `cannot add a model as "${name}": names have letters, digits, dots and dashes`);
  }
  if ((await catalogueNames(environment)).includes(name)) {
    throw new AppError(
      "spec-invalid",
      `cannot add "${name}": the catalogue has one; remove it first, or give --name another`,
    );
  }
  const root = catalogueFolder(environment);
  const draft = path.join(root, `.${name}.${process.pid}.tmp`);
  try {
    await mkdir(draft, { recursive: true });
    await copyFile(model.file, path.join(draft, modelFile));
    for (const location of model.external) {
      await mkdir(path.dirname(path.join(draft, location)), { recursive: true });
      await copyFile(path.join(path.dirname(model.file), location), path.join(draft, location));
    }
    if (model.cardText !== undefined) await writeFile(path.join(draft, cardFile), model.cardText);
    await writeFile(path.join(draft, recordFile), `${model.sha256}\n`);
    await rename(draft, path.join(root, name));
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    throw new AppError("not-found", `cannot add "${name}" to "${root}": ${reason(cause)}`, {}, { cause });
  }
  return catalogueEntry(name, environment);
}

/** Removes a model and its files. */
export async function removeModel(name: string, environment: Environment): Promise<void> {
  const { folder } = await catalogueEntry(name, environment);
  await rm(folder, { recursive: true });
}
