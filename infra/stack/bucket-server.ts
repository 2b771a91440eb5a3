/**
 * @file A door to the local bucket for curl and browsers: GET reads any object, PUT below images/ uploads one and sends
 * the event. Local only: it lets everybody in.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf } from "../../shared/errors.ts";
import { EDGE_LIMITS } from "../../shared/imaging/limits.ts";
import { isImageKey } from "../../shared/pipeline/layout.ts";
import { readObject } from "../../shared/storage/body.ts";
import type { ObjectStore } from "../../shared/storage/store.ts";

/** What the door opens to. */
export interface BucketAccess {
  readonly store: ObjectStore;
  upload(key: string, bytes: Uint8Array, contentType: string): Promise<void>;
}

export interface BucketServer {
  readonly url: URL;
  stop(): Promise<void>;
}

/** Models are read through it too. */
const readBytesMax = 1_000_000_000;

const types: Readonly<Record<string, string>> = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
};

/** What a file of this name is. */
export const contentTypeOf = (name: string): string =>
  types[name.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/octet-stream";

/** Listens on a free loopback port. `access` is asked for at each request: the bucket may be opened later. */
export async function startBucketServer(access: () => BucketAccess): Promise<BucketServer> {
  const server = createServer((request, response) => {
    answer(request, access(), response).catch((error: unknown) => {
      const message = messageOf(error);
      response.writeHead(500, { "content-type": "text/plain" }).end(`${message}\n`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo; // a server that listens on a port has this kind of address
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, { store, upload }: BucketAccess, response: ServerResponse) {
  const say = (status: number, text: string): void =>
    void response.writeHead(status, { "content-type": "text/plain" }).end(`${text}\n`);
  const key = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname.slice(1));
  if (request.method === "PUT") {
    if (!isImageKey(key)) return say(403, `only images/… may be written here, not "${key}"`);
    const bytes = await bodyOf(request, EDGE_LIMITS.maxBytes);
    if (bytes === undefined) return say(413, `an image has at most ${EDGE_LIMITS.maxBytes} bytes`);
    await upload(key, bytes, contentTypeOf(key));
    return say(201, `uploaded ${key}`);
  }
  const found = key === "" ? null : await store.get(key);
  if (found?.outcome !== "found") return say(404, `there is no "${key}" in the bucket`);
  const bytes = await readObject(found, { bytesMax: readBytesMax, what: `"${key}"` });
  response.writeHead(200, { "content-type": found.info.contentType }).end(bytes);
}

/** The body, or undefined where it is longer than allowed. */
async function bodyOf(request: IncomingMessage, bytesMax: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > bytesMax) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}
