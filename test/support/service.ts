/** @file The app on Node over a directory, with a tiny model published: what pipeline and HTTP tests start from. */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createDeps, type Deps, type Platform } from "../../functions/deps.ts";
import { nodePlatform } from "../../functions/node/platform.ts";
import { readSettings, type Variables } from "../../functions/settings.ts";
import { encodeImage } from "../../shared/imaging/encode.ts";
import type { Raster } from "../../shared/imaging/image.ts";
import type { ImageFormat } from "../../shared/imaging/sniff.ts";
import { publishModel } from "../../shared/pipeline/publish.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { webRuntime } from "../../shared/runtime/web.ts";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { random } from "./random.ts";
import { tinyClassifier } from "./tiny-models.ts";

export const modelName = "tiny";
export const classNames = ["cat", "dog", "car", "bird", "boat"];
/** 32 bytes and more, made for the tests alone. */
export const apiKey = "test-key-0123456789abcdefghijklmnopqrstuvwxyz";
/** The same as BACKLIGHT_API_KEYS has it; it may do everything. */
export const apiKeys = `tester:${createHash("sha256").update(apiKey).digest("hex")}`;

const card = {
  name: "a tiny net of random weights",
  preprocessing: { fit: "squash", normalise: { divide: 255, mean: [0.5], std: [0.5] } },
  labels: classNames,
  licence: "MIT",
};

/** Publishes the tiny classifier under a name. Other seeds give other weights. */
export const publishTiny = (store: ObjectStore, name = modelName, seed = 1) =>
  publishModel(
    store,
    {
      name,
      bytes: tinyClassifier({ size: 32, seed }),
      external: [],
      card: { text: JSON.stringify(card), labels: classNames },
    },
    [],
  );

/** A picture of random blocks; other seeds are other pictures. */
export async function picture(seed: number, format: ImageFormat = "png", width = 48, height = 40): Promise<Uint8Array> {
  const next = random(seed);
  const blocks = Array.from({ length: 3 * 64 }, () => Math.floor(256 * next()));
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    data[i] = blocks[3 * (8 * Math.floor((8 * y) / height) + Math.floor((8 * x) / width)) + (i % 3)] ?? 0;
  }
  const raster: Raster = { width, height, data };
  return encodeImage(raster, format, nodeCodecs());
}

export interface Rig {
  readonly deps: Deps;
  readonly store: ObjectStore;
  /** Every line that was logged. */
  readonly lines: Readonly<Record<string, unknown>>[];
  readonly put: (key: string, bytes: Uint8Array) => Promise<{ readonly key: string; readonly etag: string }>;
  /** Keys below a prefix. */
  readonly keys: (prefix: string) => Promise<readonly string[]>;
  readonly stop: () => Promise<void>;
}

export interface RigOptions {
  readonly variables?: Variables;
  /** Wraps the store that the app sees; the rig's own stays whole. */
  readonly wrap?: (store: ObjectStore) => ObjectStore;
  readonly platform?: Partial<Platform>;
}

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const folder = await mkdtemp(path.join(tmpdir(), "backlight-service-"));
  const store = await openDirectoryStore(folder);
  await publishTiny(store);
  const settings = await readSettings({
    BACKLIGHT_MODEL: modelName,
    BACKLIGHT_PUBLIC_READS: "true",
    ...options.variables,
  });
  const seen = options.wrap === undefined ? store : options.wrap(store);
  const lines: Readonly<Record<string, unknown>>[] = [];
  const platform = { ...nodePlatform(seen, webRuntime(), settings.policy), ...options.platform };
  const deps = createDeps(platform, settings, (event) => lines.push(event));
  return {
    deps,
    store,
    lines,
    async put(key, bytes) {
      const written = await store.put(key, bytes, { contentType: "image/png" });
      if (written.outcome !== "written") throw new Error(`${key} was not written`);
      return { key, etag: written.etag };
    },
    async keys(prefix) {
      const page = await store.list({ prefix });
      return page.objects.map(({ key }) => key);
    },
    async stop() {
      await deps.service.options.engine.close();
      await rm(folder, { recursive: true });
    },
  };
}
