/** @file Runs the installed wrangler as a command: silent, without telemetry or update checks, offline where it can. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";

/** The repository's root: wrangler looks for its files from here. */
export const root = path.resolve(import.meta.dirname, "../..");

/** The configuration that is deployed. */
export const configFile = path.join(root, "wrangler.toml");

const command = path.join(
  path.dirname(createRequire(import.meta.url).resolve("wrangler/package.json")),
  "bin/wrangler.js",
);

/** Nothing is sent or asked for that the command itself does not need. */
export const quiet: Readonly<Record<string, string>> = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  NO_COLOR: "1",
};

export interface WranglerResult {
  readonly code: number;
  /** Standard output and standard error, in the order they came. */
  readonly output: string;
}

/** Runs `wrangler …` in the repository and returns what it said, whatever its exit code. It cannot ask anything. */
export function wrangler(argv: readonly string[]): Promise<WranglerResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, words(argv), { ...surroundings(), stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const listen = (part: Buffer): void => {
      output += part.toString();
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Runs `wrangler …` on the user's own terminal, where it may ask for a value; its exit code. */
export function wranglerInTerminal(argv: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, words(argv), { ...surroundings(), stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

/** The configuration is named because wrangler would prefer one of another form, even in a folder further up. */
const words = (argv: readonly string[]): string[] => [command, ...argv, "--config", configFile];

const surroundings = () => ({ cwd: root, env: { ...process.env, ...quiet } });
