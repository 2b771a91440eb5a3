/** @file A folder to run the command line in, with a tiny model and small pictures made on the spot. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { main } from "../../infra/cli/main.ts";
import { encodeImage } from "../../shared/imaging/encode.ts";
import type { Raster } from "../../shared/imaging/image.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { random } from "../support/random.ts";
import { tinyClassifier } from "../support/tiny-models.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Workplace {
  readonly folder: string;
  /** An absolute path in the folder. */
  readonly at: (...parts: readonly string[]) => string;
  readonly write: (name: string, bytes: Uint8Array | string) => string;
  readonly json: (name: string) => unknown;
  /** Names in a folder, sorted; none where there is no folder. Files that begin with a dot included. */
  readonly list: (name?: string) => readonly string[];
  /** Runs a command line in this process. */
  readonly run: (...argv: readonly string[]) => Promise<Ran>;
  readonly remove: () => void;
}

/** A fresh folder. Its environment has its own, empty catalogue, and what is given. */
export function workplace(environment: Readonly<Record<string, string>> = {}): Workplace {
  const folder = mkdtempSync(path.join(tmpdir(), "backlight-test-"));
  const at = (...parts: readonly string[]): string => path.join(folder, ...parts);
  return {
    folder,
    at,
    write: (name, bytes) => {
      writeFileSync(at(name), bytes);
      return at(name);
    },
    json: (name) => JSON.parse(readFileSync(at(name), "utf8")),
    list: (name = ".") => {
      try {
        return readdirSync(at(name)).sort();
      } catch {
        return [];
      }
    },
    run: (...argv) => runMain(argv, { ...environment, BACKLIGHT_MODELS: at("catalogue") }),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** Runs a command line in this process. */
export async function runMain(
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  let [out, err] = ["", ""];
  const code = await main(argv, {
    out: {
      write: (text) => {
        out += text;
      },
    },
    err: {
      write: (text) => {
        err += text;
      },
    },
    signal: new AbortController().signal,
    environment,
  });
  return { code, out, err };
}

/** The very program, in a process of its own and in the folder given. */
export function spawnProgram(
  argv: readonly string[],
  cwd: string,
  started?: (kill: (signal: NodeJS.Signals) => void, err: string) => void,
): Promise<Ran> {
  const bin = path.resolve(import.meta.dirname, "../../infra/cli/bin.mjs");
  const child = spawn(process.execPath, [bin, ...argv], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    err += String(chunk);
    started?.((signal) => void child.kill(signal), err);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? -1, out, err }));
  });
}

/** Colour noise: every pixel different, so that a map of it is not flat. */
export function noise(width: number, height: number, seed = 1): Raster {
  const next = random(seed);
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => next() * 256) };
}

export const pngOf = (raster: Raster): Promise<Uint8Array> => encodeImage(raster, "png", nodeCodecs());
export const jpegOf = (raster: Raster): Promise<Uint8Array> => encodeImage(raster, "jpeg", nodeCodecs());

export const tinyLabels: readonly string[] = ["ant", "bee, honey bee", "cat", "dog", "dog house"];

/** The card of `tinyClassifier`. */
export const tinyCard = (): string =>
  JSON.stringify({ name: "tiny", preprocessing: { family: "imagenet-squash" }, labels: tinyLabels });

/** A workplace with `tiny.onnx` and its card, `photo.png` (12 x 10) and `photo2.jpg`. */
export async function tinyWorkplace(environment?: Readonly<Record<string, string>>): Promise<Workplace> {
  const place = workplace(environment);
  place.write("tiny.onnx", tinyClassifier());
  place.write("tiny.card.json", tinyCard());
  place.write("photo.png", await pngOf(noise(12, 10)));
  place.write("photo2.jpg", await jpegOf(noise(16, 16, 2)));
  return place;
}
