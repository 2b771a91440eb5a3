/**
 * @file The DATASET argument: a folder or a manifest, here or in a bucket, becomes images with their objects. Finds
 * which format the annotations have; reading them is in shared/evaluation/datasets.
 */
import path from "node:path";
import { AppError, messageOf } from "../../../shared/errors.ts";
import type { AnnotatedImage, AnnotatedObject } from "../../../shared/evaluation/datasets/annotation.ts";
import { objectsOfMask } from "../../../shared/evaluation/datasets/class-mask.ts";
import { parseCoco } from "../../../shared/evaluation/datasets/coco.ts";
import { type PairsOptions, parsePairs } from "../../../shared/evaluation/datasets/pairs.ts";
import { parseVoc } from "../../../shared/evaluation/datasets/voc.ts";
import { parseYolo } from "../../../shared/evaluation/datasets/yolo.ts";
import type { Size } from "../../../shared/imaging/geometry.ts";
import { decodePngNumbers } from "../../../shared/imaging/png.ts";
import { parseLabels } from "../../../shared/models/labels.ts";
import { checkCancelled } from "../../../shared/runtime/runtime.ts";
import type { Terminal } from "../terminal.ts";
import type { FileTree } from "./file-tree.ts";
import { type Annotations, findAnnotations, isPicture, type Needed } from "./find-annotations.ts";
import { progressOf } from "./progress.ts";

export interface DatasetImage {
  /** As the user knows it: the file's name. */
  readonly id: string;
  /** Its bytes, fetched anew each time. Throws `not-found` or `storage-failed`. */
  readonly read: () => Promise<Uint8Array>;
  /** null where nothing says what the image shows. */
  readonly objects: readonly AnnotatedObject[] | null;
  /** The image's size as the annotation says it. */
  readonly annotatedSize: Size | null;
}

/** What could not be read, and why: listed, and the rest goes on. */
export interface Problem {
  readonly what: string;
  readonly code: string;
  readonly message: string;
}

export interface Dataset {
  /** Where the annotations are; null for a folder of images alone. */
  readonly annotations: Annotations | null;
  /** In the order of names, or of the manifest. */
  readonly images: readonly DatasetImage[];
  readonly problems: readonly Problem[];
}

export interface DatasetOptions {
  readonly annotations: string | undefined;
  readonly images: string | undefined;
  /** The file of class names by number, for formats that number them. */
  readonly names: string | undefined;
  readonly pairs: PairsOptions;
  /** Whether images without annotations are of use: only what they show is then not known. */
  readonly needed: Needed;
  /** The first so many images alone. */
  readonly limit: number | undefined;
}

/**
 * Lists the dataset and reads its annotations; images are read when they are wanted. Throws `not-found`, and
 * `dataset-invalid` where there are no images or the annotations cannot be told.
 */
export async function openDataset(
  argument: string,
  options: DatasetOptions,
  files: FileTree,
  terminal: Terminal,
): Promise<Dataset> {
  const isFile = (await files.kind(argument, "dataset")) === "file";
  const root = isFile ? files.parent(argument) : argument;
  if (options.images !== undefined && (await files.kind(options.images, "images")) === "file") {
    throw new AppError("spec-invalid", `cannot list the images in "${options.images}": it is a file, not a folder`);
  }
  const annotations = await findAnnotations(files, isFile ? argument : undefined, root, options);
  const place: Place = { files, root, options, terminal };
  const whole =
    annotations === null
      ? await imagesAlone(place)
      : annotations.file
        ? await fromManifest(annotations, place)
        : await fromFolder(annotations, place);
  if (whole.images.length === 0 && whole.problems.length === 0) {
    throw new AppError("dataset-invalid", `the dataset "${argument}" is empty: it names no image`);
  }
  return { ...whole, annotations };
}

interface Place {
  readonly files: FileTree;
  readonly root: string;
  readonly options: DatasetOptions;
  readonly terminal: Terminal;
}

type Found = Pick<Dataset, "images" | "problems">;
type Picture = Pick<DatasetImage, "id" | "read">;

const pictureAt = (files: FileTree, folder: string, name: string): Picture => ({
  id: name,
  read: () => files.read(files.join(folder, name), "image"),
});

async function imagesAlone({ files, root, options }: Place): Promise<Found> {
  const listed = async (folder: string): Promise<readonly Picture[]> =>
    (await pictureNames(files, folder)).map((name) => pictureAt(files, folder, name));
  const own = await listed(options.images ?? root);
  const found = own.length > 0 ? own : await listed(await imagesFolder(files, options.images, root));
  const pictures = found.slice(0, options.limit);
  return { images: pictures.map((picture) => ({ ...picture, ...nothingKnown })), problems: [] };
}

/** One document for all images. */
async function fromManifest(annotations: Annotations, { files, root, options }: Place): Promise<Found> {
  const text = new TextDecoder().decode(await files.read(annotations.path, "annotations"));
  const parse = (): readonly AnnotatedImage[] =>
    annotations.format === "pairs"
      ? parsePairs(text, annotations.path, options.pairs)
      : parseCoco(text, annotations.path);
  const folder = await imagesFolder(files, options.images, root);
  const images = parse().map(({ file, objects, size }) => ({
    ...pictureAt(files, folder, file),
    objects,
    annotatedSize: size,
  }));
  return { images: images.slice(0, options.limit), problems: [] };
}

/** Annotations read together: in a bucket each is a call, and 100,000 of them one by one would take an hour. */
const READ_TOGETHER = 16;

/** A document an image, of the same name but for its extension. */
async function fromFolder(annotations: Annotations, { files, root, options, terminal }: Place): Promise<Found> {
  const names = await readNames(files, options.names, [annotations.path, root]);
  const folder = await imagesFolder(files, options.images, root);
  const stem = (file: string): string => path.basename(file, path.extname(file));
  // Masks may lie among the images.
  const masks = new Set(annotations.documents);
  const pictures = (await pictureNames(files, folder)).filter((name) => !masks.has(files.join(folder, name)));
  const documents = new Map(annotations.documents.map((file) => [stem(file), file]));
  const images: DatasetImage[] = [];
  const problems: Problem[] = [];
  const wanted = pictures.slice(0, options.limit);
  const progress = progressOf(terminal, wanted.length);
  for (let at = 0; at < wanted.length; at += READ_TOGETHER) {
    checkCancelled(terminal.signal, "reading the annotations");
    const part = wanted.slice(at, at + READ_TOGETHER).map((name) => ({ name, document: documents.get(stem(name)) }));
    const known = await Promise.all(
      part.map(({ document }) =>
        document === undefined ? nothingKnown : tried(document, () => readObjects(files, annotations, document, names)),
      ),
    );
    for (const [i, { name }] of part.entries()) {
      const found = known[i];
      if (found !== undefined && "message" in found) problems.push(found);
      else images.push({ ...pictureAt(files, folder, name), ...nothingKnown, ...found });
      progress.step(`annotations, ${name}`, true);
    }
  }
  for (const picture of pictures) documents.delete(stem(picture));
  for (const document of documents.values()) {
    problems.push({ what: document, code: "dataset-invalid", message: "there is no image of this name" });
  }
  return { images, problems };
}

/** What a document says, or what is wrong with it. */
async function tried(document: string, read: () => Promise<Known>): Promise<Known | Problem> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof AppError && error.code === "cancelled") throw error;
    return problemOf(document, error);
  }
}

type Known = Pick<DatasetImage, "objects" | "annotatedSize">;
const nothingKnown: Known = { objects: null, annotatedSize: null };

async function readObjects(
  files: FileTree,
  { format }: Annotations,
  document: string,
  names: readonly string[] | null,
): Promise<Known> {
  const bytes = await files.read(document, "annotation");
  if (format === "masks") {
    const picture = decodePngNumbers(bytes);
    return { objects: objectsOfMask(picture, document, names), annotatedSize: picture };
  }
  const text = new TextDecoder().decode(bytes);
  if (format === "yolo") return { objects: parseYolo(text, document, names), annotatedSize: null };
  const { objects, size } = parseVoc(text, document);
  return { objects, annotatedSize: size };
}

/** What a failed item is listed with; a fault of ours is not hidden among them. */
export function problemOf(what: string, error: unknown): Problem {
  if (error instanceof AppError) return { what, code: error.code, message: error.message };
  return { what, code: "internal", message: messageOf(error) };
}

/** Names that datasets give the file of class names. */
const nameFiles = ["classes.txt", "names.txt", "obj.names", "classes.json"];

async function readNames(
  files: FileTree,
  given: string | undefined,
  folders: readonly string[],
): Promise<readonly string[] | null> {
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  if (given !== undefined) return parseLabels(decode(await files.read(given, "class names")), given);
  for (const file of folders.flatMap((folder) => nameFiles.map((name) => files.join(folder, name)))) {
    const bytes = await files.find(file, "class names");
    if (bytes !== undefined) return parseLabels(decode(bytes), file);
  }
  return null;
}

/** Where images lie beside their annotations: YOLO's and COCO's folder, VOC's, or the dataset's own. */
async function imagesFolder(files: FileTree, given: string | undefined, root: string): Promise<string> {
  if (given !== undefined) return given;
  for (const name of ["images", "JPEGImages"]) {
    const folder = files.join(root, name);
    if (await files.isFolder(folder)) return folder;
  }
  return root;
}

const pictureNames = async (files: FileTree, folder: string): Promise<readonly string[]> =>
  (await files.names(folder)).filter(isPicture);
