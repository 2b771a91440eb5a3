/** @file The Node platform: stores by address, the engine in WebAssembly, fetches pinned to checked addresses. */

import { AppError } from "../../shared/errors.ts";
import type { UrlPolicy } from "../../shared/fetching/policy.ts";
import { NODE_LIMITS } from "../../shared/imaging/limits.ts";
import { MAX_PICTURE_SIDE } from "../../shared/imaging/overlay.ts";
import type { StreamingRuntime } from "../../shared/pipeline/engine.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import type { Runtime } from "../../shared/runtime/runtime.ts";
import { readBytes } from "../../shared/storage/body.ts";
import { openDirectoryStore } from "../../shared/storage/directory.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";
import type { Platform } from "../deps.ts";
import type { Settings } from "../settings.ts";
import { pinnedFetch } from "./pinned-fetch.ts";

const MEGA = 1_000_000;
/** The wasm heap ends at 4 GB and grows in steps of a fifth; this leaves room for the runs themselves. */
const sessionBytesMax = 1500 * MEGA;
/** The largest published classifiers have some 1.2 GB; a process that serves them has the memory. */
const compileBytesMax = 1500 * MEGA;

/** Opens `s3://bucket` with the settings' endpoint and credentials, or a directory. */
export async function openStore(address: string, settings: Pick<Settings, "s3">): Promise<ObjectStore> {
  if (!address.startsWith("s3://")) return openDirectoryStore(address);
  const bucket = /^s3:\/\/([^/]+)\/?$/.exec(address)?.[1];
  if (bucket === undefined) throw new AppError("request-invalid", `a bucket is s3://NAME, not "${address}"`);
  // The SDK takes half a second to load, which who has no bucket is spared. On Node 20, which we support, it prints a
  // warning about its own later versions.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const { s3Store } = await import("../../shared/storage/s3.ts");
  return s3Store({ region: "us-east-1", ...settings.s3, bucket });
}

/** The engine of this process as the pipeline needs it: weights are read whole, memory is the engine's heap. */
export function streaming(runtime: Runtime): StreamingRuntime {
  let heapBytes = 0;
  return {
    name: runtime.name,
    async create(model, { external, label, signal }) {
      const whole = await Promise.all(
        external.map(async ({ path, open }) => ({
          path,
          data: await readBytes(await open(), { bytesMax: compileBytesMax, what: `the weights of ${label}` }),
        })),
      );
      const session = await runtime.create(model, { external: whole, label, ...(signal && { signal }) });
      return {
        ...session,
        async run(feeds, during) {
          const outputs = await session.run(feeds, during);
          heapBytes = Math.max(heapBytes, session.heapBytes?.() ?? 0);
          return outputs;
        },
      };
    },
    memory: () => ({ heapBytes, peakBytes: heapBytes }),
  };
}

export function nodePlatform(store: ObjectStore, runtime: Runtime, policy: UrlPolicy): Platform {
  return {
    name: `node ${process.version}`,
    store,
    runtime: streaming(runtime),
    decoding: { codecs: nodeCodecs(), limits: NODE_LIMITS },
    pictureSide: MAX_PICTURE_SIDE,
    fetch: pinnedFetch({ policy }),
    // Whoever hosts it puts a proxy in front, which knows the callers' addresses and limits them.
    admit: async () => true,
    sessionBytesMax,
    compileBytesMax,
  };
}
