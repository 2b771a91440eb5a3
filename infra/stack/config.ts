/** @file wrangler.toml as wrangler itself reads it. Loading wrangler takes seconds: only who needs it does. */
import type { Unstable_Config, Unstable_MiniflareWorkerOptions } from "wrangler";
import { configFile, quiet } from "./wrangler.ts";

/** wrangler looks at these when it is loaded. */
function beQuiet(): void {
  for (const [name, value] of Object.entries(quiet)) process.env[name] ??= value;
}

/** The configuration with its defaults filled in. */
export async function readConfig(): Promise<Unstable_Config> {
  beQuiet();
  const { unstable_readConfig: read } = await import("wrangler");
  return read({ config: configFile });
}

/** Bindings, queues and limits as Miniflare takes them. */
export async function readWorkerOptions(): Promise<Unstable_MiniflareWorkerOptions["workerOptions"]> {
  beQuiet();
  const { unstable_getMiniflareWorkerOptions: read } = await import("wrangler");
  return read(configFile).workerOptions;
}
