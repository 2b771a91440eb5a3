/** @file The Worker as it is uploaded, bundled by wrangler itself: tests and the local stack run what is deployed. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { wrangler } from "./wrangler.ts";

/** A module of the Worker; the first of a bundle is its entry. */
export interface BundleModule {
  readonly name: string;
  readonly type: "ESModule" | "CompiledWasm";
  readonly bytes: Uint8Array;
}

export interface Bundle {
  readonly modules: readonly BundleModule[];
}

/** What wrangler writes beside the modules. */
const ignored = /\.map$|^README\.md$/;

const made = new Map<string, Promise<Bundle>>();

/** The bundle of `entry` (by default the deployed Worker's), made once a process. Throws what wrangler says. */
export function bundleWorker(entry?: string): Promise<Bundle> {
  const key = entry ?? "";
  const known = made.get(key);
  if (known !== undefined) return known;
  const bundle = build(entry);
  made.set(key, bundle);
  return bundle;
}

/** Bytes as uploaded: each module compressed, which is what the limit is about. */
export const compressedBytes = ({ modules }: Bundle): number =>
  modules.reduce((sum, { bytes }) => sum + gzipSync(bytes, { level: 9 }).length, 0);

async function build(entry: string | undefined): Promise<Bundle> {
  const folder = mkdtempSync(path.join(tmpdir(), "backlight-bundle-"));
  try {
    const argv = ["deploy", ...(entry === undefined ? [] : [entry]), "--dry-run", "--minify", "--outdir", folder];
    const { code, output } = await wrangler(argv);
    if (code !== 0) throw new Error(`wrangler could not bundle the Worker:\n${output}`);
    return { modules: readModules(folder) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readModules(folder: string): readonly BundleModule[] {
  const modules = readdirSync(folder)
    .filter((name) => !ignored.test(name))
    .map((name): BundleModule => {
      const type = name.endsWith(".wasm") ? "CompiledWasm" : "ESModule";
      return { name, type, bytes: readFileSync(path.join(folder, name)) };
    });
  const scripts = modules.filter(({ type }) => type === "ESModule");
  if (scripts.length !== 1) throw new Error(`wrangler wrote ${scripts.length} scripts where one was expected`);
  return [...scripts, ...modules.filter(({ type }) => type !== "ESModule")];
}
