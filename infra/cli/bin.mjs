#!/usr/bin/env node
/** @file Starts the command line from any folder: TypeScript is loaded through tsx, so there is nothing to build. */
const tsx = await import("tsx/esm/api").catch(() => undefined);
if (tsx === undefined) {
  process.stderr.write('error: backlight is not set up: run "npm ci" in its folder first\n');
  process.exit(2);
}
tsx.register();
const { runProcess } = await import("./main.ts");
await runProcess();
