/**
 * @file Everything on one machine: the stack, a model and sample pictures in its bucket, and a door to the bucket that
 * the Worker may fetch pictures from. For `npm start` and the demo.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../shared/errors.ts";
import { encodeImage } from "../../shared/imaging/encode.ts";
import { type PublishedModel, publishModel } from "../../shared/pipeline/publish.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { defaultSpec } from "../../shared/saliency/spec.ts";
import { readModelFile } from "../cli/model.ts";
import { readCardInfo } from "../cli/recipe.ts";
import { loadAtlas } from "../demo/atlas.ts";
import { makeScene } from "../demo/scene.ts";
import { sceneSize, scenes } from "../demo/showcase.ts";
import { type BucketServer, contentTypeOf, startBucketServer } from "./bucket-server.ts";
import { type Stack, type StackOptions, startStack } from "./stack.ts";
import { root } from "./wrangler.ts";

export interface LocalOptions extends Pick<StackOptions, "port" | "state" | "onLine"> {
  /** An .onnx file with its card beside it; by default the demo model. */
  readonly model?: string;
  readonly card?: string;
}

export interface Local {
  readonly stack: Stack;
  readonly bucketServer: BucketServer;
  /** What the model is called. */
  readonly model: string;
  /** For requests that write; made anew at every start. */
  readonly apiKey: string;
  /** Puts the sample pictures below images/, which triggers their explanations; their keys. */
  uploadSamples(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

const demoModelFolder = path.join(root, "infra/demo/model");
const samplePicture = path.join(root, "infra/pictures/scene.png");

/** Rejects with `not-found` where there is no model, and as publishing does where it cannot be served. */
export async function startLocal(options: LocalOptions = {}): Promise<Local> {
  const file = options.model ?? demoModel();
  const name = path.basename(file, ".onnx");
  const model = await readServable(name, file, options.card);
  const apiKey = randomBytes(24).toString("hex");
  let stack: Stack | undefined;
  const started = (): Stack => {
    if (stack === undefined) throw new TypeError("the stack is starting");
    return stack;
  };
  const bucketServer = await startBucketServer(started);
  try {
    const { port, state, onLine } = options;
    stack = await startStack({
      ...(port !== undefined && { port }),
      ...(state !== undefined && { state }),
      ...(onLine !== undefined && { onLine }),
      variables: {
        BACKLIGHT_MODEL: name,
        BACKLIGHT_PUBLIC_READS: "true",
        BACKLIGHT_API_KEYS: `local:${createHash("sha256").update(apiKey).digest("hex")}`,
        BACKLIGHT_ALLOWED_URLS: bucketServer.url.origin,
      },
    });
    await publishModel(stack.store, model, [defaultSpec]);
  } catch (error) {
    await Promise.all([bucketServer.stop(), stack?.stop()]);
    throw error;
  }
  const running = stack;
  return {
    stack: running,
    bucketServer,
    model: name,
    apiKey,
    async uploadSamples() {
      const samples = options.model === undefined ? await drawnSamples() : await storedSamples();
      for (const [key, bytes] of samples) await running.upload(key, bytes, contentTypeOf(key));
      return samples.map(([key]) => key);
    },
    stop: async () => void (await Promise.all([bucketServer.stop(), running.stop()])),
  };
}

type Sample = readonly [key: string, bytes: Uint8Array];

/** Scenes of what the demo model knows. */
async function drawnSamples(): Promise<readonly Sample[]> {
  const sprites = await loadAtlas();
  return Promise.all(
    scenes.map(async ({ seed, styles }, i): Promise<Sample> => {
      const { image } = makeScene(seed, { size: sceneSize, styles, sprites });
      return [`images/scene-${i + 1}.png`, await encodeImage(image, "png", nodeCodecs())];
    }),
  );
}

/** A scene of everyday things, for a model that is given. */
const storedSamples = async (): Promise<readonly Sample[]> => [["images/scene.png", await readFile(samplePicture)]];

function demoModel(): string {
  const names = existsSync(demoModelFolder) ? readdirSync(demoModelFolder) : [];
  const name = names.find((n) => n.endsWith(".onnx"));
  if (name !== undefined) return path.join(demoModelFolder, name);
  throw new AppError("not-found", "there is no demo model in this copy; give one: npm start -- --model FILE.onnx");
}

/** The model with its card and class names, as it is published. */
async function readServable(name: string, file: string, card: string | undefined): Promise<PublishedModel> {
  const model = await readModelFile(file, { card, environment: process.env });
  if (model.card === undefined) {
    throw new AppError("card-invalid", `cannot serve "${file}": it has no card; write one beside it or give --card`);
  }
  const { labels } = await readCardInfo(model);
  return { ...model, name, card: { text: model.card.text, labels } };
}
