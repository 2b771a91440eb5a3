/** @file Which runtime, by the user's choice. Knows no engine beyond its name. */
import { hasNativeRuntime, nativeRuntime } from "./native.ts";
import type { Runtime } from "./runtime.ts";
import { webRuntime } from "./web.ts";

/** `auto` is native where it is installed, else wasm. Maps of the two differ in the last bits of float32. */
export const runtimeNames = ["wasm", "native", "auto"] as const;
export type RuntimeName = (typeof runtimeNames)[number];

/** Opens the chosen runtime. Throws `runtime-failed` where `native` is asked for and not installed. */
export async function openRuntime(name: RuntimeName, threads = 1): Promise<Runtime> {
  const native = name === "native" || (name === "auto" && (await hasNativeRuntime()));
  return native ? nativeRuntime({ threads }) : webRuntime({ threads });
}
