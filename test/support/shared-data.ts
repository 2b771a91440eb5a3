/** @file Where the shared test material lies, and whether it is there. A fresh clone does without it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../shared/", import.meta.url));

/** Whether the material beside the repository is there. */
export const hasSharedData = existsSync(`${root}data`) && existsSync(`${root}golden`);

if (!hasSharedData) console.warn("SKIPPED: the shared test material (../shared) is not there");

/** The path of a file of the material, its parts given from its root: `sharedData("golden", "cases")`. */
export function sharedData(...parts: readonly string[]): string {
  return [root.replace(/\/$/, ""), ...parts].join("/");
}
