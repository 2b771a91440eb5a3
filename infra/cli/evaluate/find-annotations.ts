/** @file Which annotations a dataset has, told from the names of its folders and files. */
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import type { FileTree } from "./file-tree.ts";

export const formats = ["voc", "coco", "yolo", "masks", "pairs"] as const;
export type Format = (typeof formats)[number];

export interface Annotations {
  readonly format: Format;
  /** Of a document, or of the folder that holds one an image: a path, or `s3://bucket/key`. */
  readonly path: string;
  readonly file: boolean;
  /** In a folder: its documents. */
  readonly documents: readonly string[];
}

/** Folders by the names that datasets give them, with what they hold. */
const folders: readonly { readonly name: string; readonly format: Format; readonly extension: string }[] = [
  { name: "Annotations", format: "voc", extension: ".xml" },
  { name: "labels", format: "yolo", extension: ".txt" },
  { name: "boxes", format: "yolo", extension: ".txt" },
  { name: "polygons", format: "yolo", extension: ".txt" },
  { name: "masks", format: "masks", extension: ".png" },
  { name: "SegmentationClass", format: "masks", extension: ".png" },
];

/** Text files of a YOLO folder that are no labels. */
const notLabels = new Set(["classes.txt", "names.txt", "readme.txt", "train.txt", "val.txt", "test.txt"]);

export const isPicture = (name: string): boolean => /\.(jpe?g|png|webp)$/i.test(name) && !name.startsWith(".");

/** Whether annotations must be there, are read where they are, or are of no use. */
export type Needed = boolean | "if any";

/**
 * The annotations given, or the only ones there are; null where there are none and none are needed. Throws
 * `dataset-invalid` where there are several to choose from, or none and some are needed.
 */
export async function findAnnotations(
  files: FileTree,
  manifest: string | undefined,
  root: string,
  { annotations, needed }: { readonly annotations: string | undefined; readonly needed: Needed },
): Promise<Annotations | null> {
  const given = annotations ?? manifest;
  if (given !== undefined) return describe(files, given);
  const names = await files.names(root);
  const found: Annotations[] = [];
  for (const { name, format, extension } of folders) {
    if (!names.includes(name)) continue;
    const folder = files.join(root, name);
    const documents = await documentsIn(files, folder, extension);
    if (documents.length > 0) found.push({ format, path: folder, file: false, documents });
  }
  for (const folder of [root, ...(names.includes("annotations") ? [files.join(root, "annotations")] : [])]) {
    for (const file of await documentsIn(files, folder, ".json")) {
      if (!/^(classes|.*\.card)\.json$/.test(path.basename(file))) found.push(await describe(files, file));
    }
  }
  for (const [format, extension] of [
    ["voc", ".xml"],
    ["yolo", ".txt"],
  ] as const) {
    const documents = await documentsIn(files, root, extension);
    if (documents.length > 0) found.push({ format, path: root, file: false, documents });
  }
  const [only, second] = found;
  if (second !== undefined && needed) {
    const paths = found.map((f) => `"${f.path}" (${f.format})`).join(", ");
    throw new AppError("dataset-invalid", `"${root}" has several annotations: choose with --annotations: ${paths}`);
  }
  if (only === undefined && needed === true) {
    const known = folders.map((f) => `${f.name}/*${f.extension}`).join(", ");
    throw new AppError(
      "dataset-invalid",
      `found no annotations in "${root}": it may have ${known}, a .json (COCO, or pairs), or .xml or .txt beside ` +
        "the images; --annotations says where they are",
    );
  }
  return needed ? (only ?? null) : null;
}

/** What a path given as annotations holds. */
async function describe(files: FileTree, given: string): Promise<Annotations> {
  if ((await files.kind(given, "annotations")) === "file") {
    return { format: await manifestFormat(files, given), path: given, file: true, documents: [] };
  }
  for (const [format, extension] of [
    ["voc", ".xml"],
    ["yolo", ".txt"],
    ["masks", ".png"],
  ] as const) {
    const documents = await documentsIn(files, given, extension);
    if (documents.length > 0) return { format, path: given, file: false, documents };
  }
  throw new AppError(
    "dataset-invalid",
    `found no annotations in "${given}": it holds neither .xml (VOC) nor .txt (YOLO) nor .png (class-index masks)`,
  );
}

/** Where a document's first bracket is found: before it are white space and a byte order mark at most. */
const START = 64;

/** A list of rows is pairs, an object is COCO's. */
async function manifestFormat(files: FileTree, file: string): Promise<Format> {
  const start = (await files.read(file, "annotations", START)).subarray(0, START);
  const text = new TextDecoder().decode(start).trimStart();
  if (/^\uFEFF?\s*\[/.test(text)) return "pairs";
  if (/^\uFEFF?\s*\{/.test(text)) return "coco";
  throw new AppError(
    "dataset-invalid",
    `cannot read annotations "${file}": it is neither COCO's JSON nor a list of pairs`,
  );
}

async function documentsIn(files: FileTree, folder: string, extension: string): Promise<readonly string[]> {
  const names = await files.names(folder);
  return names
    .filter((name) => name.toLowerCase().endsWith(extension) && !notLabels.has(name.toLowerCase()))
    .map((name) => files.join(folder, name));
}
