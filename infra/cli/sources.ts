/**
 * @file Where inputs come from: files, directories, URLs and buckets become a list of sources with a label and a stem
 * for output names. Knows nothing of images beyond their file names.
 */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { AppError, messageOf } from "../../shared/errors.ts";
import { slug } from "../../shared/slug.ts";
import { listAll } from "../../shared/storage/list-all.ts";
import { isBucketAddress, openBucket, parseBucketAddress, readKey } from "./buckets.ts";
import { readBytes, reason } from "./files.ts";

export interface Source {
  /** As the user knows it: the path or URL. */
  readonly label: string;
  /** What output names begin with, unique in the list. */
  readonly stem: string;
  /** True for `.npy`: a tensor, not a picture. */
  readonly array: boolean;
  readonly read: (signal: AbortSignal) => Promise<Uint8Array>;
}

/** Pictures as cameras and phones name them, also those that are not decoded: they are listed with the reason. */
const extensions = new Set(
  "jpg jpeg jpe jfif png webp gif bmp tif tiff avif heic heif jp2 ico jxl npy".split(" ").map((e) => `.${e}`),
);
/** A picture on the web is rarely larger; what is, is better downloaded knowingly. */
const downloadBytesMax = 64 * 2 ** 20;
/** Long enough for a slow line, short enough to notice a dead one. */
const downloadMilliseconds = 30_000;

type Unnamed = Omit<Source, "stem"> & { readonly base: string; readonly extension: string };

export interface Listing {
  readonly sources: readonly Source[];
  /** Files in directories that are no pictures by their names. */
  readonly skipped: number;
}

export interface ListOptions {
  /** Whether subdirectories are looked into. */
  readonly recursive: boolean;
  /** A folder whose files are no inputs. */
  readonly exclude: string;
  /** Says where buckets are and who asks. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * All sources that the inputs name, in their order; a directory's in the order of names, without its subdirectories
 * unless `recursive`. An input that does not exist is a source whose `read` fails, so that the others are done. Throws
 * `spec-invalid` for what is not supported and for directories without pictures.
 */
export async function listSources(
  inputs: readonly string[],
  { recursive, exclude, environment }: ListOptions,
): Promise<Listing> {
  const found: Unnamed[] = [];
  let skipped = 0;
  for (const input of inputs) {
    if (/^https?:\/\//i.test(input)) {
      found.push(fromUrl(input));
      continue;
    }
    if (isBucketAddress(input)) {
      const objects = await inBucket(input, recursive, environment);
      skipped += objects.skipped;
      found.push(...objects.sources);
      continue;
    }
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(input)) throw unsupported(input);
    const isDirectory = await stat(input).then(
      (s) => s.isDirectory(),
      () => false,
    );
    if (!isDirectory) {
      found.push(fromFile(input));
      continue;
    }
    const files = await picturesIn(input, recursive, path.resolve(exclude));
    skipped += files.skipped;
    if (files.pictures.length === 0) {
      const hint = recursive ? "" : "; --recursive looks into its subdirectories";
      throw new AppError("not-found", `found no pictures in directory "${input}"${hint}`);
    }
    found.push(...files.pictures.map(fromFile));
  }
  return { sources: withStems(found), skipped };
}

const unsupported = (input: string): AppError =>
  new AppError("spec-invalid", `cannot read "${input}": inputs are files, directories, http, https and s3 URLs`);

const nameParts = (name: string): { readonly base: string; readonly extension: string } => {
  const extension = path.extname(name).toLowerCase();
  return { base: slug(path.basename(name, path.extname(name))) || "input", extension };
};

function fromFile(file: string): Unnamed {
  const parts = nameParts(path.basename(file));
  return { label: file, ...parts, array: parts.extension === ".npy", read: () => readBytes(file, "input") };
}

function fromUrl(url: string): Unnamed {
  const parts = nameParts(URL.canParse(url) ? path.posix.basename(decodeURI(new URL(url).pathname)) : "");
  return { label: url, ...parts, array: parts.extension === ".npy", read: (signal) => download(url, signal) };
}

/** `s3://bucket/key` is one object; with a slash at the end, the pictures below it. */
async function inBucket(
  input: string,
  recursive: boolean,
  environment: ListOptions["environment"],
): Promise<{ readonly sources: readonly Unnamed[]; readonly skipped: number }> {
  const { bucket, key } = parseBucketAddress(input);
  const store = await openBucket(bucket, environment);
  const from = (name: string): Unnamed => {
    const parts = nameParts(path.posix.basename(name));
    return {
      label: `s3://${bucket}/${name}`,
      ...parts,
      array: parts.extension === ".npy",
      read: async (signal) => {
        const limit = { bytesMax: downloadBytesMax, what: `"s3://${bucket}/${name}"` };
        const bytes = await readKey(store, name, limit, { signal });
        if (bytes !== null) return bytes;
        throw new AppError("not-found", `cannot read "s3://${bucket}/${name}": there is no such object`, { key: name });
      },
    };
  };
  if (key !== "" && !key.endsWith("/")) return { sources: [from(key)], skipped: 0 };
  const names: string[] = [];
  for await (const object of listAll(store, { prefix: key })) {
    if (recursive || !object.key.slice(key.length).includes("/")) names.push(object.key);
  }
  const pictures = names.filter((name) => extensions.has(path.posix.extname(name).toLowerCase()));
  if (pictures.length === 0) {
    const hint = recursive ? "" : "; --recursive looks below it";
    throw new AppError("not-found", `found no pictures at "${input}"${hint}`);
  }
  return { sources: pictures.map(from), skipped: names.length - pictures.length };
}

async function picturesIn(
  directory: string,
  recursive: boolean,
  exclude: string,
): Promise<{ readonly pictures: readonly string[]; readonly skipped: number }> {
  const entries = await readdir(directory, { withFileTypes: true, recursive }).catch((cause: unknown) => {
    throw new AppError("not-found", `cannot list directory "${directory}": ${reason(cause)}`, {}, { cause });
  });
  const files = entries
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith("."))
    .map((entry) => path.join(entry.parentPath, entry.name))
    // What an earlier run wrote into a folder below this one is no input.
    .filter((file) => exclude === path.resolve(directory) || !path.resolve(file).startsWith(exclude + path.sep))
    .sort();
  const pictures = files.filter((file) => extensions.has(path.extname(file).toLowerCase()));
  return { pictures, skipped: files.length - pictures.length };
}

/** Two inputs of one name keep apart by their extension, and by a number where that is the same too. */
function withStems(found: readonly Unnamed[]): readonly Source[] {
  const counts = new Map<string, number>();
  for (const { base } of found) counts.set(base, (counts.get(base) ?? 0) + 1);
  const taken = new Set<string>();
  return found.map((source) => {
    const shared = (counts.get(source.base) ?? 0) > 1;
    const wanted = shared ? `${source.base}${source.extension.replace(".", "-")}` : source.base;
    let stem = wanted;
    for (let n = 2; taken.has(stem); n += 1) stem = `${wanted}-${n}`;
    taken.add(stem);
    return { ...source, stem };
  });
}

/** Fetches with a time and a byte limit; the limit holds while reading, whatever the header says. */
async function download(url: string, signal: AbortSignal): Promise<Uint8Array> {
  const timeout = AbortSignal.timeout(downloadMilliseconds);
  const failed = (why: string, cause?: unknown): AppError =>
    new AppError(signal.aborted ? "cancelled" : "not-found", `cannot fetch "${url}": ${why}`, { url }, { cause });
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, timeout]), redirect: "follow" });
    if (!response.ok) throw failed(`the server answered ${response.status} ${response.statusText}`.trim());
    const chunks: Uint8Array[] = [];
    let size = 0;
    const reader = response.body?.getReader();
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
      const chunk = part.value;
      size += chunk.byteLength;
      if (size > downloadBytesMax) {
        const limit = downloadBytesMax / 2 ** 20;
        throw new AppError(
          "image-too-large",
          `cannot fetch "${url}": it is larger than ${limit} MiB; download it first`,
        );
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    if (timeout.aborted) throw failed(`no answer within ${downloadMilliseconds / 1000} s`, cause);
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw failed(messageOf(inner), cause);
  }
}
