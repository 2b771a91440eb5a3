/**
 * @file Chaos: failing storage, shards twice and out of order, the process killed three times (SIGKILL). Every image
 * has its result once, and the counts add up. `npm run chaos` takes 10,000 images.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { encodeImage } from "../../shared/imaging/encode.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import { listAll } from "../../shared/storage/list-all.ts";
import { random } from "../support/random.ts";
import { publishTiny } from "../support/service.ts";
import { readReport, readResults } from "../support/sweeps.ts";

const images = Number(process.env["BACKLIGHT_CHAOS_IMAGES"] ?? 200);
const kills = 3;
const batch = 10;
const childFile = new URL("../support/chaos-child.ts", import.meta.url).pathname;

function live(folder: string, seed: number): { readonly child: ChildProcess; readonly ended: Promise<string> } {
  const child = spawn(process.execPath, ["--import", "tsx", childFile, folder, "chaos", String(seed)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (output += part.toString()));
  return { child, ended: new Promise((resolve) => child.on("close", () => resolve(output))) };
}

const doneCount = async (folder: string): Promise<number> =>
  (await readdir(path.join(folder, "sweeps/chaos/done")).catch(() => [])).length;

it(
  `explains ${images} images once each, whatever happens`,
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "backlight-chaos-"));
    const store = await openDirectoryStore(folder);
    await publishTiny(store);
    await mkdir(path.join(folder, "images"));
    const next = random(1);
    for (let i = 0; i < images; i += 1) {
      const data = Uint8Array.from({ length: 8 * 8 * 3 }, () => Math.floor(256 * next()));
      const png = await encodeImage({ width: 8, height: 8, data }, "png", nodeCodecs());
      await writeFile(path.join(folder, "images", `${String(i).padStart(5, "0")}.png`), png);
    }
    const start = performance.now();
    for (let life = 1; life <= kills; life += 1) {
      const { child, ended } = live(folder, life);
      const enough = ((life * images) / batch / (kills + 1)) | 0;
      while ((await doneCount(folder)) < enough && child.exitCode === null) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(child.exitCode).toBe(null);
      child.kill("SIGKILL");
      await ended;
    }
    const { child, ended } = live(folder, kills + 1);
    const output = await ended;
    expect(child.exitCode, output).toBe(0);
    const seconds = (performance.now() - start) / 1000;

    const report = await readReport(store, "chaos");
    expect(report.counts).toEqual({ succeeded: images, skipped: 0, failed: 0, dropped: 0 });
    const results = await readResults(store, "chaos");
    expect(new Set(results.map((r) => r.key)).size).toBe(images);
    expect(results).toHaveLength(images);
    const documents = new Map<string, number>();
    for await (const { key } of listAll(store, { prefix: "explanations/" })) {
      const image = /^explanations\/(.*)\/[0-9a-f]{64}\.json$/.exec(key)?.[1];
      if (image !== undefined) documents.set(image, (documents.get(image) ?? 0) + 1);
    }
    expect(documents.size).toBe(images);
    expect([...documents.values()].filter((count) => count !== 1)).toEqual([]);
    console.info(`${images} images in ${seconds.toFixed(0)} s with ${kills} kills; the last life: ${output.trim()}`);
    await rm(folder, { recursive: true });
  },
  120_000 + 1_000 * images,
);
