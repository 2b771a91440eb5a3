/** @file `npm start`: the deployed Worker on this machine with a model and pictures, until Ctrl-C. */
import { AppError } from "../../shared/errors.ts";
import { type Args, integerOf, type Options, optionsHelp, readArgs } from "../cli/args.ts";
import { type Local, startLocal } from "./local.ts";

const portDefault = 8787;
const portMax = 65_535;

const options: Options = {
  model: { value: "FILE", help: "the .onnx file to explain with, its card beside it (default: the demo model)" },
  card: { value: "FILE", help: "its card, where that stands elsewhere" },
  port: { value: "N", help: `where the API listens, on this machine only (default ${portDefault}; 0 for a free one)` },
  state: { value: "DIR", help: "keeps the bucket in this folder; by default it is gone afterwards" },
  quiet: { help: "leave the Worker's log out" },
  help: { short: "h", help: "print this help" },
};

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function start(argv: readonly string[]): Promise<void> {
  const args = readArgs(argv, { positionals: [], options }, "start");
  if (args.flag("help")) return print(`npm start -- [options]\n\n${optionsHelp(options)}`);
  const local = await startLocal(localOptions(args));
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
  try {
    const keys = await local.uploadSamples();
    print(welcome(local, keys));
    await stopped;
  } finally {
    await local.stop();
  }
}

function localOptions(args: Args): Parameters<typeof startLocal>[0] {
  const [model, card, state] = [args.text("model"), args.text("card"), args.text("state")];
  return {
    port: integerOf(args, "port", 0, portMax) ?? portDefault,
    ...(model !== undefined && { model }),
    ...(card !== undefined && { card }),
    ...(state !== undefined && { state }),
    ...(!args.flag("quiet") && { onLine: print }),
  };
}

function welcome({ stack, bucketServer, model, apiKey }: Local, keys: readonly string[]): string {
  const picture = new URL(keys[0] ?? "images/photo.jpg", bucketServer.url);
  const ask = new URL(`/v1/explain?${new URLSearchParams({ url: picture.href })}`, stack.url);
  return `
Backlight is at ${stack.url.origin} and explains with "${model}". Its bucket is at ${bucketServer.url.origin}.
${keys.length} pictures were uploaded to images/; their explanations appear in the log below.

Explain a URL:              curl -o overlay.png '${ask}'
The same as a document:     curl -H 'accept: application/json' '${ask}'
Explain a file:             curl -H 'authorization: Bearer ${apiKey}' -H 'content-type: image/jpeg' \\
                              --data-binary @photo.jpg -o overlay.png '${new URL("/v1/explain", stack.url)}'
Upload, as to a bucket:     curl -T photo.jpg '${new URL("images/", bucketServer.url)}'
What it can explain with:   curl '${new URL("/v1/models", stack.url)}'

Ctrl-C ends it.
`;
}

try {
  await start(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`error: ${error instanceof AppError ? error.message : error}\n`);
  process.exitCode = error instanceof AppError ? 2 : 3;
}
