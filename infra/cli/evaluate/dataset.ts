/**
 * @file The DATASET argument: a folder or a manifest becomes images with their objects. Finds which format the
 * annotations have; reading them is in shared/evaluation/datasets.
 */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../shared/errors.ts";
import type { AnnotatedImage, AnnotatedObject } from "../../../shared/evaluation/datasets/annotation.ts";
import { objectsOfMask } from "../../../shared/evaluation/datasets/class-mask.ts";
import { parseCoco } from "../../../shared/evaluation/datasets/coco.ts";
import { type PairsOptions, parsePairs } from "../../../shared/evaluation/datasets/pairs.ts";
import { parseVoc } from "../../../shared/evaluation/datasets/voc.ts";
import { parseYolo } from "../../../shared/evaluation/datasets/yolo.ts";
import type { Size } from "../../../shared/imaging/geometry.ts";
import { decodePngNumbers } from "../../../shared/imaging/png.ts";
import { parseLabels } from "../../../shared/models/labels.ts";
import { readBytes, readOptional } from "../files.ts";
import { type Annotations, findAnnotations, isPicture, type Needed } from "./find-annotations.ts";

export interface DatasetImage {
  /** As the user knows it: the file's name. */
  readonly id: string;
  readonly file: string;
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

/** Throws `not-found`, and `dataset-invalid` where there are no images or the annotations cannot be told. */
export async function openDataset(argument: string, options: DatasetOptions): Promise<Dataset> {
  const given = await stat(argument).catch(() => undefined);
  if (given === undefined) throw new AppError("not-found", `cannot read dataset "${argument}": there is no such file`);
  const root = given.isDirectory() ? argument : path.dirname(argument);
  const annotations = await findAnnotations(given.isDirectory() ? undefined : argument, root, options);
  const whole =
    annotations === null
      ? await imagesAlone(options.images ?? root, root)
      : annotations.file
        ? await fromManifest(annotations, root, options)
        : await fromFolder(annotations, root, options);
  if (whole.images.length === 0 && whole.problems.length === 0) {
    throw new AppError("dataset-invalid", `the dataset "${argument}" is empty: it names no image`);
  }
  return { ...whole, annotations, images: whole.images.slice(0, options.limit) };
}

type Found = Pick<Dataset, "images" | "problems">;

async function imagesAlone(folder: string, root: string): Promise<Found> {
  const own = await picturesIn(folder);
  const files = own.length > 0 ? own : await picturesIn(await imagesFolder(undefined, root));
  return {
    images: files.map((file) => ({ id: path.basename(file), file, objects: null, annotatedSize: null })),
    problems: [],
  };
}

/** One document for all images. */
async function fromManifest(annotations: Annotations, root: string, options: DatasetOptions): Promise<Found> {
  const text = new TextDecoder().decode(await readBytes(annotations.path, "annotations"));
  const parse = (): readonly AnnotatedImage[] =>
    annotations.format === "pairs"
      ? parsePairs(text, annotations.path, options.pairs)
      : parseCoco(text, annotations.path);
  const folder = await imagesFolder(options.images, root);
  return {
    images: parse().map(({ file, objects, size }) => ({
      id: file,
      file: path.resolve(folder, file),
      objects,
      annotatedSize: size,
    })),
    problems: [],
  };
}

/** A document an image, of the same name but for its extension. */
async function fromFolder(annotations: Annotations, root: string, options: DatasetOptions): Promise<Found> {
  const names = await readNames(options.names, [annotations.path, root]);
  const pictures = await picturesIn(await imagesFolder(options.images, root));
  const stem = (file: string): string => path.basename(file, path.extname(file));
  const documents = new Map(annotations.documents.map((file) => [stem(file), file]));
  const problems: Problem[] = [];
  const images: DatasetImage[] = [];
  for (const file of pictures.filter((f) => !annotations.documents.includes(f))) {
    const document = documents.get(stem(file));
    documents.delete(stem(file));
    const id = path.basename(file);
    try {
      const found = document === undefined ? nothingKnown : await readObjects(annotations, document, names);
      images.push({ id, file, ...found });
    } catch (error) {
      problems.push(problemOf(document ?? file, error));
    }
  }
  for (const document of documents.values()) {
    problems.push({ what: document, code: "dataset-invalid", message: "there is no image of this name" });
  }
  return { images, problems };
}

type Known = Pick<DatasetImage, "objects" | "annotatedSize">;
const nothingKnown: Known = { objects: null, annotatedSize: null };

async function readObjects({ format }: Annotations, document: string, names: readonly string[] | null): Promise<Known> {
  const bytes = await readBytes(document, "annotation");
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
  return { what, code: "internal", message: error instanceof Error ? error.message : String(error) };
}

/** Names that datasets give the file of class names. */
const nameFiles = ["classes.txt", "names.txt", "obj.names", "classes.json"];

async function readNames(given: string | undefined, folders: readonly string[]): Promise<readonly string[] | null> {
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  if (given !== undefined) return parseLabels(decode(await readBytes(given, "class names")), given);
  for (const file of folders.flatMap((folder) => nameFiles.map((name) => path.join(folder, name)))) {
    const bytes = await readOptional(file, "class names");
    if (bytes !== undefined) return parseLabels(decode(bytes), file);
  }
  return null;
}

/** Where images lie beside their annotations: YOLO's and COCO's folder, VOC's, or the dataset's own. */
async function imagesFolder(given: string | undefined, root: string): Promise<string> {
  if (given !== undefined) return given;
  for (const name of ["images", "JPEGImages"]) {
    const folder = path.join(root, name);
    if ((await stat(folder).catch(() => undefined))?.isDirectory()) return folder;
  }
  return root;
}

async function picturesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new AppError("not-found", `cannot list the images in "${folder}"`, { folder }, { cause });
  });
  return names
    .filter(isPicture)
    .sort()
    .map((name) => path.join(folder, name));
}
