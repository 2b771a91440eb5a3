/** @file The options that choose the inference engine, for every command that runs a model. */
import { openRuntime, runtimeNames } from "../../shared/runtime/choose.ts";
import type { Runtime } from "../../shared/runtime/runtime.ts";
import { type Args, choiceOf, integerOf, type Options } from "./args.ts";

/** More threads than any machine this runs on has cores. */
const threadsMax = 256;

export const runtimeOptions: Options = {
  runtime: {
    value: "NAME",
    help: "wasm (onnxruntime-web), native (onnxruntime-node, if you installed it), or auto (default wasm)",
  },
  threads: { value: "N", help: "threads of the engine (default 1; more lose where other cores are busy)" },
};

export const readRuntime = (args: Args): Promise<Runtime> =>
  openRuntime(choiceOf(args, "runtime", runtimeNames) ?? "wasm", integerOf(args, "threads", 1, threadsMax));
