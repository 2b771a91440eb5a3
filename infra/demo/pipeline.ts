/**
 * @file The demo's second part: the same scenes through the pipeline on this machine. Uploaded to a bucket, explained
 * by the Worker in workerd as their messages arrive, and one more asked for by its URL.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../shared/errors.ts";
import type { Explanation } from "../../shared/explanation/document.ts";
import {
  documentKey,
  folderOf,
  isDocumentKey,
  isFailureKey,
  mapKey,
  parseId,
  pictureKey,
} from "../../shared/pipeline/layout.ts";
import { readObject } from "../../shared/storage/body.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { writeAtomic } from "../cli/files.ts";
import { millisecondsText, type Terminal } from "../cli/terminal.ts";
import { type Local, startLocal } from "../stack/local.ts";

/** A cold start of workerd and engine takes some seconds on a slow machine; ten times that is a fault. */
const waitMilliseconds = 120_000;
const lookMilliseconds = 50;
/** Results are some hundred kilobytes. */
const resultBytesMax = 32_000_000;

/** One upload, and what came of it. */
interface Arrived {
  readonly key: string;
  readonly document: Explanation;
  /** From the upload to the result in the bucket. */
  readonly milliseconds: number;
}

/** Explains the scenes' files through the local stack, writes what the bucket then holds, and prints a line each. */
export async function explainByPipeline(
  files: readonly string[],
  model: string,
  out: string,
  terminal: Terminal,
): Promise<void> {
  terminal.progress("starting the Worker in workerd");
  const local = await startLocal({ model, port: 0 });
  try {
    const started = performance.now();
    const keys = await Promise.all(files.map((file) => upload(local, file)));
    for (const [i, key] of keys.entries()) {
      terminal.progress(`waiting for the bucket: ${i} of ${keys.length} explained`);
      const arrived = await wait(local, key, started);
      await save(local.stack.store, arrived, out);
      terminal.print(
        `${key}  ${arrived.document.target.name}  explained ${millisecondsText(arrived.milliseconds)} after its upload`,
      );
    }
    terminal.progress("asking for one by URL");
    terminal.print(await askByUrl(local, keys[0] ?? "", out));
  } finally {
    await local.stop();
  }
  terminal.progress("");
}

async function upload({ stack }: Local, file: string): Promise<string> {
  const key = `images/${path.basename(file)}`;
  await stack.upload(key, await readFile(file), "image/png");
  return key;
}

async function wait({ stack }: Local, key: string, started: number): Promise<Arrived> {
  for (;;) {
    const { objects } = await stack.store.list({ prefix: folderOf(key) });
    const found = objects.find((object) => isDocumentKey(object.key) || isFailureKey(object.key));
    if (found !== undefined) {
      const document = JSON.parse(new TextDecoder().decode(await read(stack.store, found.key)));
      if (isDocumentKey(found.key)) return { key, document, milliseconds: performance.now() - started };
      throw new AppError("runtime-failed", `cannot explain "${key}": ${document.why}`, { key });
    }
    if (performance.now() - started > waitMilliseconds) {
      throw new AppError("runtime-failed", `the Worker did not explain "${key}" within ${waitMilliseconds / 1000} s`, {
        key,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, lookMilliseconds));
  }
}

/** Copies a result's files out of the bucket, under the image's name. */
async function save(store: ObjectStore, { key, document }: Arrived, out: string): Promise<void> {
  const id = parseId(document.id ?? "");
  const stem = path.join(out, "bucket", path.basename(key, path.extname(key)));
  await writeAtomic(`${stem}.json`, await read(store, documentKey(id)));
  await writeAtomic(`${stem}.npy`, await read(store, mapKey(id)));
  await writeAtomic(`${stem}.overlay.png`, await read(store, pictureKey(id, "overlay", "png")));
}

async function read(store: ObjectStore, key: string): Promise<Uint8Array> {
  const found = await store.get(key);
  if (found?.outcome !== "found") throw new AppError("not-found", `the bucket has no "${key}"`, { key });
  return readObject(found, { bytesMax: resultBytesMax, what: `"${key}"` });
}

/** The Worker fetches the picture from the bucket's door, which its allow-list names, and answers with the heatmap. */
async function askByUrl({ stack, bucketServer }: Local, key: string, out: string): Promise<string> {
  const url = new URL(key, bucketServer.url);
  const query = new URLSearchParams({ url: url.href, method: "grad-cam", layers: "last", format: "webp" });
  const start = performance.now();
  const response = await stack.fetch(`/v1/explain?${query}`);
  const body = new Uint8Array(await response.arrayBuffer());
  const took = millisecondsText(performance.now() - start);
  if (response.ok) {
    const file = path.join(out, "bucket", "by-url.webp");
    await writeAtomic(file, body);
    return `GET /v1/explain?url=…/${key}&method=grad-cam&layers=last  ->  ${file} (${took})`;
  }
  throw new AppError("runtime-failed", `the Worker answered ${response.status}: ${new TextDecoder().decode(body)}`);
}
