/** @file Backlight's version. */
import { readFileSync } from "node:fs";

/** As package.json says. */
export function version(): string {
  const file = new URL("../../package.json", import.meta.url);
  const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
  const found = typeof parsed === "object" && parsed !== null && "version" in parsed ? parsed.version : undefined;
  return String(found);
}
