/**
 * @file Chaos in real workerd: storage is an S3 that fails one call in twenty, the queue keeps no order and delivers
 * some shards twice, and the whole stack is killed three times (SIGKILL), which empties its queue. Every image has its
 * result once, and the counts add up. `npm run chaos` takes 10,000 images.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import type { StackOptions } from "../../infra/stack/stack.ts";
import { decodeImage } from "../../shared/imaging/decode.ts";
import { EDGE_LIMITS } from "../../shared/imaging/limits.ts";
import { readNpy } from "../../shared/imaging/npy.ts";
import { documentKey, mapKey, parseId, pictureKey } from "../../shared/pipeline/layout.ts";
import { decodeDocument } from "../../shared/pipeline/results.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { readObject } from "../../shared/storage/body.ts";
import { listAll } from "../../shared/storage/list-all.ts";
import { s3Store } from "../../shared/storage/s3.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import { donePrefix } from "../../shared/sweeps/layout.ts";
import type { SweepStatus } from "../../shared/sweeps/status.ts";
import { internalError, startFlakyProxy } from "../support/flaky-proxy.ts";
import { startMiniflareS3 } from "../support/s3-servers.ts";
import { apiKey, apiKeys, modelName, picture, publishTiny } from "../support/service.ts";
import { readReport, readResults } from "../support/sweeps.ts";

const images = Number(process.env["BACKLIGHT_CHAOS_IMAGES"] ?? 80);
const kills = 3;
const batch = 10;
const shards = Math.ceil(images / batch);
const failsEvery = 20;
/** Often enough that a kill comes before the next shards are settled. */
const pollMilliseconds = 250;
/** Shorter than what a Workflow waits before it takes a shard for lost: killed stacks go on without that. */
const stuckMilliseconds = 300_000;
const callsAtOnce = 8;
const side = 8;
/** The tiny model's input. */
const mapSide = 32;
const sweep = { id: "chaos", source: "images/", batch };
const childFile = new URL("../support/stack-child.ts", import.meta.url).pathname;
const entry = new URL("fixture/disordered-queue.ts", import.meta.url).pathname;

/** A line of the child's, with the fields that events of its kind have. */
interface Line {
  readonly event: string;
  readonly url: string;
  readonly outcome: string;
  readonly given: number;
  readonly doubled: number;
}

/** The stack's process, from its start to its death. */
interface Life {
  readonly child: ChildProcess;
  readonly url: string;
  /** Ends it and its workerd, which is in the same process group, and sees that nobody listens any more. */
  readonly kill: () => Promise<void>;
}

async function live(folder: string, options: StackOptions, onLine: (line: Line) => void): Promise<Life> {
  const child = spawn(process.execPath, ["--import", "tsx", childFile, JSON.stringify(options)], {
    detached: true, // it leads a process group
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: folder }, // who is killed leaves files behind
  });
  const closed = new Promise((resolve) => child.once("close", resolve));
  const url = await new Promise<string>((resolve, reject) => {
    child.once("close", () => reject(new Error("the stack did not start")));
    createInterface({ input: child.stdout }).on("line", (text) => {
      if (!text.startsWith("{")) return;
      const line: Line = JSON.parse(text);
      if (line.event === "listening") resolve(line.url);
      else onLine(line);
    });
  });
  const kill = async (): Promise<void> => {
    if (child.pid === undefined) throw new TypeError("what listens has a process");
    process.kill(-child.pid, "SIGKILL");
    await closed;
    await expect(fetch(url)).rejects.toThrow("fetch failed");
  };
  onTestFinished(() => (isAlive(child) ? kill() : undefined));
  return { child, url, kill };
}

const isAlive = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;

let caller = 0;

/** The rate limit is per address, and is not what is tested. */
function ask({ url }: Life, pathname: string, init: RequestInit = {}): Promise<Response> {
  caller += 1;
  const headers = {
    authorization: `Bearer ${apiKey}`,
    "content-type": "application/json",
    "cf-connecting-ip": `10.0.${caller >> 8}.${caller & 255}`,
    connection: "close", // as stack.ts does
  };
  return fetch(new URL(pathname, url), { ...init, headers });
}

const pause = () => new Promise((resolve) => setTimeout(resolve, pollMilliseconds));

async function keysBelow(store: ObjectStore, prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of listAll(store, { prefix })) keys.push(key);
  return keys;
}

const settled = async (store: ObjectStore): Promise<number> =>
  (await keysBelow(store, donePrefix({ sweep: sweep.id, run: 0 }))).length;

/** Waits for so many shards to be settled, as long as there are ever more of them. */
async function untilSettled(store: ObjectStore, enough: number, { child }: Life): Promise<void> {
  let [known, since] = [-1, Date.now()];
  for (;;) {
    const now = await settled(store);
    if (now >= enough) return;
    if (now > known) [known, since] = [now, Date.now()];
    if (!isAlive(child)) throw new Error(`the stack ended by itself when ${now} shards were settled`);
    if (Date.now() - since > stuckMilliseconds) throw new Error(`stuck with ${now} of ${shards} shards settled`);
    await pause();
  }
}

async function untilComplete(life: Life): Promise<void> {
  for (;;) {
    const response = await ask(life, `/v1/sweeps/${sweep.id}`);
    expect(response.status).toBe(200);
    const status: SweepStatus = await response.json();
    if (status.state === "complete") return;
    expect(["running", "reporting"], JSON.stringify(status)).toContain(status.state);
    await pause();
  }
}

async function readWhole(store: ObjectStore, key: string): Promise<Uint8Array> {
  const found = await store.get(key);
  if (found?.outcome !== "found") throw new Error(`there is no ${key}`);
  return readObject(found, { bytesMax: 1_000_000, what: key });
}

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: callsAtOnce }, worker));
}

it(
  `explains ${images} images once each, whatever happens`,
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "backlight-chaos-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const server = await startMiniflareS3();
    onTestFinished(server.stop);
    const proxy = await startFlakyProxy(new URL(server.endpoint), failsEvery, internalError);
    onTestFinished(proxy.stop);

    // The test itself goes past the proxy.
    const store = s3Store(server);
    await publishTiny(store);
    const keys = Array.from({ length: images }, (_, i) => `images/${String(i).padStart(5, "0")}.png`);
    await forEach([...keys.entries()], async ([i, key]) => {
      await store.put(key, await picture(i, "png", side, side), { contentType: "image/png" });
    });

    const queue = { given: 0, doubled: 0 };
    const outcomes: Record<string, number> = {};
    const temporary = path.join(folder, "tmp");
    await mkdir(temporary);
    /** Starts the stack, and asks for the sweep: the first time begins it, every other one has it driven on. */
    const begin = async (status: number): Promise<Life> => {
      const options = {
        entry,
        state: path.join(folder, "state"),
        variables: {
          BACKLIGHT_MODEL: modelName,
          BACKLIGHT_API_KEYS: apiKeys,
          BACKLIGHT_BUCKET: server.bucket,
          BACKLIGHT_S3_ENDPOINT: new URL(new URL(server.endpoint).pathname, proxy.origin).href,
          BACKLIGHT_S3_REGION: server.region,
          BACKLIGHT_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
          BACKLIGHT_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
        },
      };
      const life = await live(temporary, options, ({ event, outcome, given, doubled }) => {
        if (event === "shard") outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        if (event !== "handed out") return;
        queue.given += given;
        queue.doubled += doubled;
      });
      const response = await ask(life, "/v1/sweeps", { method: "POST", body: JSON.stringify(sweep) });
      expect(response.status, await response.text()).toBe(status);
      return life;
    };

    const start = performance.now();
    for (let kill = 1; kill <= kills; kill += 1) {
      const life = await begin(kill === 1 ? 202 : 200);
      await untilSettled(store, Math.floor((kill * shards) / (kills + 1)), life);
      await life.kill();
      expect(await settled(store)).toBeLessThan(shards);
    }
    const last = await begin(200);
    await untilSettled(store, shards, last);
    await untilComplete(last);
    await last.kill();
    const seconds = (performance.now() - start) / 1000;

    const report = await readReport(store, sweep.id);
    // None is skipped: what a life before has explained is the sweep's own.
    expect(report).toMatchObject({ final: true, counts: { succeeded: images, skipped: 0, failed: 0, dropped: 0 } });
    const results = await readResults(store, sweep.id);
    expect(results.map(({ key }) => key).toSorted()).toEqual(keys);
    const ids = results.map(({ id }) => parseId(id ?? ""));
    const objects = ids.flatMap((id) => [documentKey(id), mapKey(id), pictureKey(id, "overlay", "png")]);
    expect(await keysBelow(store, "explanations/")).toEqual(objects.toSorted());
    expect(await keysBelow(store, "failures/")).toEqual([]);
    await forEach(ids, async (id) => {
      const document = decodeDocument(await readWhole(store, documentKey(id)), id);
      expect(document.input).toMatchObject({ source: id.image, width: side, height: side });
      expect(readNpy(await readWhole(store, mapKey(id))).dims).toEqual([mapSide, mapSide]);
      await decodeImage(await readWhole(store, pictureKey(id, "overlay", "png")), nodeCodecs(), EDGE_LIMITS);
    });

    // It was what it is called.
    expect(proxy.failures()).toBeGreaterThan(images / failsEvery);
    expect(queue.given).toBeGreaterThan(shards);
    expect(queue.doubled).toBeGreaterThanOrEqual(kills + 1);
    const told = Object.entries(outcomes).map(([what, count]) => `${count} ${what}`);
    console.info(
      `${images} images in ${seconds.toFixed(0)} s with ${kills} kills; ${proxy.calls()} S3 calls, of which ` +
        `${proxy.failures()} failed; ${shards} shards, handed out ${queue.given} times and ${queue.doubled} of those ` +
        `doubled: ${told.join(", ")}`,
    );
  },
  600_000 + 1_000 * images,
);
