/**
 * @file The rules of the house as tests: who may import whom, who may know of which package, how long a file may be.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "..");

/** Folders a folder may import from, besides itself. A folder not listed here fails the test: add it knowingly. */
const allowed: Record<string, readonly string[]> = {
  shared: [], // errors.ts
  "shared/graph": ["shared", "shared/graph/infer"],
  "shared/graph/infer": ["shared", "shared/graph"],
  "shared/onnx": ["shared", "shared/graph"],
  "shared/autodiff": ["shared", "shared/graph", "shared/autodiff/rules"],
  "shared/autodiff/rules": ["shared", "shared/graph", "shared/autodiff"],
  "shared/saliency": ["shared", "shared/graph", "shared/autodiff", "shared/saliency/meta"],
  "shared/saliency/meta": ["shared", "shared/graph", "shared/autodiff", "shared/saliency"],
  "shared/imaging": ["shared", "shared/models"],
  "shared/models": ["shared", "shared/graph", "shared/saliency"],
  "shared/evaluation": ["shared", "shared/graph", "shared/imaging"],
  "shared/evaluation/datasets": ["shared", "shared/evaluation", "shared/imaging"],
  "shared/runtime": ["shared", "shared/imaging", "shared/onnx"],
  "shared/access": ["shared"],
  "shared/storage": ["shared"],
  "shared/fetching": ["shared", "shared/imaging"],
  "shared/pipeline": [
    "shared",
    "shared/explanation",
    "shared/fetching",
    "shared/graph",
    "shared/imaging",
    "shared/models",
    "shared/onnx",
    "shared/runtime",
    "shared/saliency",
    "shared/storage",
  ],
  "shared/sweeps": [
    "shared",
    "shared/evaluation",
    "shared/evaluation/datasets",
    "shared/explanation",
    "shared/imaging",
    "shared/models",
    "shared/pipeline",
    "shared/storage",
  ],
  "shared/explanation": [
    "shared",
    "shared/graph",
    "shared/imaging",
    "shared/models",
    "shared/onnx",
    "shared/runtime",
    "shared/saliency",
    "shared/saliency/meta",
  ],
};

/** Packages, and the files that may know of each. Matched by prefix: `node:` stands for all of Node. */
const owners: Record<string, RegExp> = {
  "onnxruntime-web": /^(shared\/runtime\/(web|edge|onnxruntime|native)\.ts|test\/.+)$/,
  "onnxruntime-node": /^(shared\/runtime\/native\.ts|test\/.+)$/,
  "node:":
    /^((shared\/(runtime\/node-|storage\/directory)[\w-]*|vitest\.config)\.ts|functions\/node\/.+|(infra|test)\/.+)$/,
  "@jsquash/": /^shared\/(imaging\/codecs|runtime\/edge-codecs)\.ts$/,
  "d3-scale-chromatic": /^shared\/imaging\/colour\.ts$/,
  fflate: /^shared\/imaging\/(png|text)\.ts$/,
  "@resvg/resvg-wasm": /^infra\/demo\/sprites\/build\.ts$/,
  "jpeg-js": /^(shared\/imaging\/decode\.ts|test\/.+)$/,
  "@aws-sdk/client-s3": /^(shared\/storage\/s3\.ts|test\/.+)$/,
  tsx: /^infra\/(cli\/bin|cli\/sweep\/thread|demo\/train\/batch-worker)\.mjs$/,
  "cloudflare:workers": /^(functions|test\/\w+\/fixture)\/worker\.ts$/,
  wrangler: /^infra\/stack\/.+$/,
  miniflare: /^(infra\/stack\/.+|test\/.+)$/,
  "@cloudflare/workers-types": /^(functions\/.+|infra\/stack\/.+|shared\/storage\/r2\.ts|test\/.+)$/,
  hono: /^functions\/http\/.+$/,
  "@hono/node-server": /^functions\/node\/.+$/,
  "playwright-core": /^test\/.+$/,
  vitest: /^(test\/.+|vitest\.config\.ts)$/,
};

const lineLimit = 400;
const columnLimit = 120;

const files = ["shared", "functions", "infra", "test"]
  .filter((folder) => existsSync(path.join(root, folder)))
  .flatMap(list)
  .filter((file) => /\.(ts|mjs)$/.test(file));
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

function list(folder: string): readonly string[] {
  const entries = readdirSync(path.join(root, folder), { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
}

/** What a file imports: static, dynamic, re-exported and type-only alike. */
function importsOf(file: string): readonly string[] {
  const from = /(?:^|\n)\s*(?:import|export)\s[^;"'`]*?from\s*["']([^"']+)["']/g;
  const plain = /import(?:\s*\(\s*|\s+)["']([^"']+)["']/g;
  return [...read(file).matchAll(from), ...read(file).matchAll(plain)].map((match) => match[1] ?? "");
}

const folderOf = (file: string): string => path.posix.dirname(file);

describe("the architecture", () => {
  it("has files to speak of", () => {
    expect(files.length).toBeGreaterThan(20);
    expect(importsOf("test/architecture.test.ts")).toEqual(["node:fs", "node:path", "vitest"]);
  });

  it("lets shared import only in the directions that are allowed", () => {
    const wrong = files
      .filter((file) => file.startsWith("shared/"))
      .flatMap((file) => {
        const from = folderOf(file);
        const targets = importsOf(file)
          .filter((name) => name.startsWith("."))
          .map((name) => folderOf(path.posix.join(from, name)));
        const may = allowed[from];
        if (may === undefined) return [`${from} has no entry in this test`];
        return targets.filter((to) => to !== from && !may.includes(to)).map((to) => `${file} imports from ${to}`);
      });
    expect(wrong).toEqual([]);
  });

  it("lets infra import shared, functions and itself, never tests", () => {
    const wrong = files
      .filter((file) => file.startsWith("infra/"))
      .flatMap((file) =>
        importsOf(file)
          .filter((name) => name.startsWith("."))
          .map((name) => path.posix.join(folderOf(file), name))
          .filter((to) => !/^(shared|functions|infra)\//.test(to))
          .map((to) => `${file} imports ${to}`),
      );
    expect(wrong).toEqual([]);
  });

  it("lets each package be known only to its owners", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file).flatMap((name) => {
        if (name.startsWith(".")) return [];
        const owner = Object.keys(owners).find((prefix) => name === prefix || name.startsWith(prefix));
        if (owner === undefined) return [`${file} imports ${name}, which has no owner`];
        return owners[owner]?.test(file) ? [] : [`${file} imports ${name}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it("names every local import by its file, extension included", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith(".") && !/\.(ts|mjs|json)$/.test(name))
        .map((name) => `${file} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it(`holds files to ${lineLimit} lines of ${columnLimit} columns`, () => {
    const wrong = files.flatMap((file) => {
      const lines = read(file).split("\n");
      const wide = lines.findIndex((line) => line.length > columnLimit);
      return [
        ...(lines.length > lineLimit + 1 ? [`${file} has ${lines.length} lines`] : []),
        ...(wide >= 0 ? [`${file}:${wide + 1} has ${lines[wide]?.length} columns`] : []),
      ];
    });
    expect(wrong).toEqual([]);
  });

  it("opens every file with what is in it", () => {
    const wrong = files.filter((file) => !/^(#!.*\n)?\/\*\*( |\n \* )@file \S/.test(read(file)));
    expect(wrong).toEqual([]);
  });

  it("has no default exports but those of Workers, which the platform asks for", () => {
    const wrong = files.filter((file) => !/(^|\/)worker\.ts$/.test(file) && /^export default\b/m.test(read(file)));
    expect(wrong).toEqual([]);
  });

  it("neither switches checks off nor uses any", () => {
    // Written in pieces, so that this file does not match itself.
    const banned = new RegExp(
      ["@ts-" + "(ignore|nocheck|expect-error)", ":\\s*an" + "y\\b", "\\bas an" + "y\\b"].join("|"),
    );
    const wrong = files.filter((file) => banned.test(read(file)));
    expect(wrong).toEqual([]);
  });

  it("keeps machine paths and private places out of the files", () => {
    const banned = new RegExp(["/wo" + "rk/", "/ro" + "ot/", "/tm" + "p/"].join("|"));
    const wrong = files.filter((file) => banned.test(read(file)));
    expect(wrong).toEqual([]);
  });
});
