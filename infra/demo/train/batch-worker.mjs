/** @file Where the thread of batch-thread.ts begins: TypeScript is made loadable in it, then its work is loaded. */
import { register } from "tsx/esm/api";

register();
await import("./batch-worker.ts");
