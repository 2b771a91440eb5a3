/** @file `npm run demo` as a process in an empty folder: its files, its page, and what it says of a damaged model. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { classes } from "../../infra/demo/classes.ts";
import { methods, scenes } from "../../infra/demo/showcase.ts";
import { firstTrainingSeed } from "../../infra/demo/train/batches.ts";
import { modelFile, modelFolder } from "../../infra/demo/train/model-files.ts";

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const root = path.resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(path.join(tmpdir(), "backlight-demo-"));
afterAll(() => rmSync(folder, { recursive: true }));

function demo(...args: readonly string[]): Promise<Ran> {
  const loader = ["--import", import.meta.resolve("tsx")];
  const child = spawn(process.execPath, [...loader, path.join(root, "infra/demo/demo.ts"), ...args], { cwd: folder });
  let [out, err] = ["", ""];
  child.stdout.on("data", (data) => {
    out += data;
  });
  child.stderr.on("data", (data) => {
    err += data;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

describe("the demo", () => {
  let ran: Ran;
  let page: string;
  let files: readonly string[];
  beforeAll(async () => {
    ran = await demo();
    const made = path.join(folder, "out/demo");
    files = existsSync(made) ? readdirSync(made) : [];
    page = existsSync(path.join(made, "index.html")) ? readFileSync(path.join(made, "index.html"), "utf8") : "";
  });

  it("ends well, says where the page is, and shows progress apart from the answer", () => {
    expect(ran.err).not.toMatch(/error/i);
    expect(ran.code).toBe(0);
    expect(ran.out).toContain(path.join("out", "demo", "index.html"));
    expect(ran.err).toContain(`scene 1 of ${scenes.length}`);
    expect(ran.out).not.toMatch(/compiling|reading/);
    expect(ran.out.split("\n").filter((line) => /^scene-\d {2}.+ \d+ %/.test(line))).toHaveLength(scenes.length);
  });

  it("writes every scene, an overlay and a result document for each class named, and the two comparisons", () => {
    for (const i of scenes.keys()) expect(files).toContain(`scene-${i + 1}.png`);
    const overlays = files.filter((name) => name.endsWith(".overlay.png"));
    const documents = files.filter((name) => name.endsWith(".json"));
    expect(overlays.length).toBeGreaterThanOrEqual(scenes.length);
    expect(documents).toEqual(overlays.map((name) => name.replace(".overlay.png", ".json")));
    expect(files).toEqual(expect.arrayContaining(["index.html", "methods.png", "layers.png"]));
  });

  it("names what is in the pictures, and its maps are largest on it, nearly always", () => {
    const [, hits, maps] = /<dd>(\d+) of (\d+) maps<\/dd>/.exec(page) ?? [];
    expect(Number(maps)).toBeGreaterThanOrEqual(2 * scenes.length);
    expect(Number(hits) / Number(maps)).toBeGreaterThanOrEqual(0.85);
  });

  it("writes one page that needs nothing else: every picture in it, no script, no address", () => {
    const sources = [...page.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, source]) => source ?? "");
    expect(sources.length).toBeGreaterThan(scenes.length * 2 + methods.length * 2);
    for (const source of sources) expect(source).toMatch(/^data:image\/webp;base64,[A-Za-z0-9+/=]{1000,}$/);
    expect(page).not.toMatch(/<script|@import|url\(|https?:/i);
    expect(Buffer.byteLength(page)).toBeLessThan(3e6);
  });

  it("writes a page that can be read without seeing the pictures", () => {
    expect(page).toContain('<html lang="en">');
    const images = [...page.matchAll(/<img [^>]*>/g)].map(([tag]) => tag);
    const alternatives = images.map((tag) => /alt="([^"]{10,})"/.exec(tag)?.[1]);
    expect(alternatives).not.toContain(undefined);
    const levels = [...page.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level));
    expect(levels.filter((level) => level === 1)).toHaveLength(1);
    levels.forEach((level, i) => {
      expect(level - (levels[i - 1] ?? 0)).toBeLessThanOrEqual(1);
    });
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    for (const [, id] of page.matchAll(/aria-labelledby="([^"]+)"/g)) expect(ids).toContain(id);
    const headings = [...page.matchAll(/<th\b[^>]*>/g)].map(([tag]) => tag);
    expect(headings.length).toBeGreaterThan(methods.length);
    for (const tag of headings) expect(tag).toMatch(/scope="(row|col)"/);
  });

  it("says of a flat map that it is flat, and combines it with no other", () => {
    // The gradient at the last stage: an average pool follows, so it is the same everywhere.
    expect(page.match(/flat: the same everywhere/g)?.length).toBeGreaterThanOrEqual(2);
    expect(page.match(/left out: a flat map is in it/g)).toHaveLength(1);
  });

  it("closes every tag it opens", () => {
    const empty = new Set(["meta", "img", "!doctype"]);
    const open: string[] = [];
    for (const [, slash, name = ""] of page.replace(/<style>.*?<\/style>/s, "").matchAll(/<(\/?)([a-z!][a-z0-9]*)/gi)) {
      if (empty.has(name)) continue;
      if (slash === "") open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });

  it("shows scenes the classifier was not trained on", () => {
    for (const { seed } of scenes) expect(seed).toBeLessThan(firstTrainingSeed);
    expect(new Set(scenes.map(({ styles }) => styles))).toEqual(new Set(["seen", "held-out"]));
    expect(classes.some(({ name }) => ran.out.includes(name))).toBe(true);
  });
});

describe("the demo's model", () => {
  it("is not used where its file was altered, which is said with what helps", async () => {
    const copy = path.join(folder, "altered");
    cpSync(modelFolder, copy, { recursive: true });
    const bytes = readFileSync(modelFile(copy));
    const middle = bytes.length >> 1;
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(modelFile(copy), bytes);
    const { code, out, err } = await demo("--model", copy, "--out", path.join(folder, "never"));
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).toMatch(/^error: .*altered.*SHA-256.*git checkout/m);
    expect(existsSync(path.join(folder, "never"))).toBe(false);
  });

  it("is missed by name where its file is not there", async () => {
    const { code, err } = await demo("--model", path.join(folder, "nowhere"));
    expect(code).toBe(2);
    expect(err).toMatch(/^error: cannot read the demo's model ".*nowhere.*": there is no such file/m);
    expect(err).not.toContain("    at ");
  });
});
