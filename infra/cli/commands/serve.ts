/** @file `backlight serve`: the edge functions' API on this machine, over a directory or an S3 bucket. */
import { nodePlatform, openStore } from "../../../functions/node/platform.ts";
import { readSettings } from "../../../functions/settings.ts";
import { AppError, messageOf } from "../../../shared/errors.ts";
import { integerOf, numberOf } from "../args.ts";
import type { Command } from "../command.ts";
import { readRuntime, runtimeOptions } from "../runtime-args.ts";

const portDefault = 8787;
const portMax = 65_535;
/** A day: who looks less often looks by hand. */
const watchSecondsMax = 86_400;

export const serve: Command = {
  summary: "serves the API on this machine",
  positionals: ["STORE"],
  options: {
    host: { value: "ADDRESS", help: "the address to listen on (default 127.0.0.1: this machine only)" },
    port: { value: "N", help: `the port (default ${portDefault}; 0 for a free one)` },
    watch: { value: "SECONDS", help: "explain images below images/ that have no explanation, looking this often" },
    ...runtimeOptions,
  },
  details: `STORE is a directory or s3://bucket. What a request may do is set by environment variables as on the edge:
BACKLIGHT_MODEL, BACKLIGHT_API_KEYS, BACKLIGHT_SIGNING_KEYS, BACKLIGHT_PUBLIC_READS, BACKLIGHT_ALLOWED_URLS, and
BACKLIGHT_S3_ENDPOINT, _REGION, _ACCESS_KEY_ID, _SECRET_ACCESS_KEY. Every request is one line of JSON on stdout.

  backlight models add model.onnx --name mine --to ./bucket
  BACKLIGHT_MODEL=mine BACKLIGHT_PUBLIC_READS=true backlight serve ./bucket --watch 2`,
  async run(args, terminal) {
    const [address = ""] = args.positionals;
    const settings = await readSettings(terminal.environment);
    const store = await openStore(address, settings);
    // The server's packages are loaded by who serves.
    const { startServer } = await import("../../../functions/node/server.ts");
    const platform = nodePlatform(store, await readRuntime(args), settings.policy);
    const watchSeconds = numberOf(args, "watch", 1, watchSecondsMax);
    const server = await startServer(platform, settings, {
      host: args.text("host") ?? "127.0.0.1",
      port: integerOf(args, "port", 0, portMax) ?? portDefault,
      log: (event) => terminal.print(JSON.stringify(event)),
      ...(watchSeconds !== undefined && { watchSeconds }),
    }).catch((cause: unknown) => {
      const why = messageOf(cause);
      throw new AppError("request-invalid", `cannot listen: ${why}`, {}, { cause });
    });
    terminal.note(`serving ${store.name} at ${server.url}`);
    await new Promise<void>((resolve) => terminal.signal.addEventListener("abort", () => resolve(), { once: true }));
    await server.stop();
    return 0;
  },
};
