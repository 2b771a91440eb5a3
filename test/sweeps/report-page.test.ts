/** @file The report's page in Chromium, from a file: filters, an item, the keyboard, ten thousand results. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noCounts } from "../../shared/sweeps/layout.ts";
import type { TaskRecord } from "../../shared/sweeps/records.ts";
import { reportPage } from "../../shared/sweeps/report-page.ts";
import { addTask, classesOf, newTally, questionReport } from "../../shared/sweeps/tally.ts";
import { hasBrowser, openBrowser } from "../support/browser.ts";
import { type Rig, startRig } from "../support/service.ts";
import { definitionOf, drive, putPictures, readReport, start } from "../support/sweeps.ts";

describe.runIf(hasBrowser)("the report's page", () => {
  let browser: Browser;
  let page: Page;
  let rig: Rig;
  let folder: string;
  const problems: string[] = [];

  beforeAll(async () => {
    browser = await openBrowser();
    folder = await mkdtemp(path.join(tmpdir(), "backlight-page-"));
    page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("requestfailed", (request) => problems.push(`cannot load ${request.url()}`));
    rig = await startRig();
    const keys = await putPictures(rig, "images/p/", 12);
    const lines = keys.map((key, i) => JSON.stringify({ key, class: i % 5, boxes: [[10, 8, 20, 20]] }));
    lines.push('{"key": "images/p/missing.png"}');
    await rig.store.put("manifests/p.jsonl", new TextEncoder().encode(lines.join("\n")), { contentType: "text/plain" });
    await start(rig, "page", { source: "manifests/p.jsonl" });
    await drive(rig, "page");
    const root = path.join(tmpdir(), rig.store.name.slice("directory:".length));
    await page.goto(pathToFileURL(path.join(root, "sweeps/page/report.html")).href);
  });
  afterAll(async () => {
    await browser.close();
    await rig.stop();
    await rm(folder, { recursive: true });
  });

  const cards = () => page.locator("#cards > li").count();
  const count = () => page.locator("#count").textContent();

  it("shows every result with its picture, and every failure with its reason", async () => {
    expect(await cards()).toBe(12);
    const first = page.locator("#cards img").first();
    await first.scrollIntoViewIfNeeded();
    await expect.poll(() => first.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThanOrEqual(48);
    expect(await page.locator("#failures tbody tr").allTextContents()).toEqual([
      'images/p/missing.pngnot-foundthere is no image "images/p/missing.png"',
    ]);
  });

  it("filters by what is right, by class and by name, and shows all again", async () => {
    const report = await readReport(rig.store, "page");
    const accuracy = report.questions[0]?.accuracy;
    await page.getByLabel("Prediction").selectOption({ label: "right" });
    expect(await cards()).toBe(accuracy?.hits);
    await page.getByLabel("Prediction").selectOption({ label: "wrong" });
    expect(await cards()).toBe((accuracy?.trials ?? 0) - (accuracy?.hits ?? 0));
    await page.getByRole("button", { name: "Show all" }).click();
    await expect.poll(cards).toBe(12);
    const [common] = report.classes;
    await page.getByLabel("Predicted or own class").fill(common?.name ?? "");
    expect(await cards()).toBeGreaterThanOrEqual(common?.images ?? 0);
    await page.getByRole("button", { name: "Show all" }).click();
    await page.getByLabel("Image name").fill("00003");
    expect(await count()).toBe("1 of 12 results match; 1 are shown.");
    await page.getByRole("button", { name: "Show all" }).click();
    await expect.poll(cards).toBe(12);
  });

  it("opens an item by the keyboard, goes to the next, and gives the focus back", async () => {
    await page.locator("#cards button").first().focus();
    await page.keyboard.press("Enter");
    const title = page.locator("#item-title");
    expect(await title.textContent()).toBe("images/p/00000.png");
    expect(await page.locator("#item-picture").getAttribute("alt")).toMatch(/^The map over images\/p\/00000\.png: /);
    await page.keyboard.press("ArrowRight");
    expect(await title.textContent()).toBe("images/p/00001.png");
    await page.keyboard.press("Escape");
    expect(await page.locator("#item").evaluate((dialog: HTMLDialogElement) => dialog.open)).toBe(false);
    const focused = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    expect(focused).toMatch(/^images\/p\/00001\.png: /);
  });

  it("names every control and heading for who does not see it", async () => {
    const unnamed = await page.evaluate(() =>
      Array.from(document.querySelectorAll<HTMLElement>("input, select, button"))
        .filter((element) => {
          const label = "labels" in element ? (element as HTMLInputElement).labels?.[0]?.textContent : undefined;
          return !(element.getAttribute("aria-label") ?? label ?? element.textContent ?? "").trim();
        })
        .map((element) => element.outerHTML),
    );
    expect(unnamed).toEqual([]);
    expect(await page.locator("h1").count()).toBe(1);
  });

  it("stays readable with ten thousand results", async () => {
    const definition = definitionOf({ source: "images/" });
    const tally = newTally(1);
    for (let i = 0; i < 10_000; i += 1) addTask(tally, taskOf(i));
    const page10k = reportPage(
      {
        ...(await readReport(rig.store, "page")),
        definition,
        counts: { ...noCounts, succeeded: 10_000 },
        classes: classesOf(tally),
        questions: [questionReport(tally.questions[0] ?? never(), definition.questions[0] ?? never())],
      },
      tally,
    );
    const file = path.join(folder, "report.html");
    await writeFile(file, page10k);
    const large = await browser.newPage();
    const start = performance.now();
    await large.goto(pathToFileURL(file).href, { waitUntil: "domcontentloaded" });
    expect(await large.locator("#count").textContent()).toBe("10000 of 10000 results match; 60 are shown.");
    const loaded = performance.now() - start;
    const filtering = await large.evaluate(() => {
      const begin = performance.now();
      const field = document.querySelector<HTMLInputElement>("#f-key");
      if (field !== null) field.value = "image-0099";
      document.querySelector("#filters")?.dispatchEvent(new Event("input"));
      return performance.now() - begin;
    });
    expect(await large.locator("#count").textContent()).toBe("100 of 10000 results match; 60 are shown.");
    console.info(`${page10k.length} bytes, loaded in ${loaded.toFixed(0)} ms, filtered in ${filtering.toFixed(0)} ms`);
    await large.close();
  });

  it("reports nothing to the console", () => {
    expect(problems).toEqual([]);
  });
});

const never = (): never => {
  throw new Error("there is one");
};

const taskOf = (i: number): TaskRecord => ({
  key: `images/set/image-${String(i).padStart(6, "0")}.png`,
  question: 0,
  outcome: "succeeded",
  id: `images/set/image-${String(i).padStart(6, "0")}.png/${String(i).padStart(64, "0")}`,
  summary: {
    top: { class: i % 100, name: `class ${i % 100}`, probability: (i % 97) / 97 },
    target: { class: i % 100, name: `class ${i % 100}`, rank: 1 },
    flat: false,
    concentration: (i % 89) / 89,
    milliseconds: 20 + (i % 50),
  },
});
