/** @file A headless Chromium for tests of pages, where this machine has one. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where systems install it; BACKLIGHT_CHROMIUM names another. */
const places = [
  process.env["BACKLIGHT_CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

const found = places.find((place) => place !== undefined && existsSync(place));

export const hasBrowser = found !== undefined;
if (!hasBrowser) console.warn("SKIPPED: tests of pages need a Chromium; BACKLIGHT_CHROMIUM says where it is");

/** It loads no page but those it is told to. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: found ?? "", args: ["--no-sandbox", "--disable-gpu"] });
