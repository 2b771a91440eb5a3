/** @file One server with a route for each way a server can behave, and what has to come of it. */
import type http from "node:http";
import { gzipSync } from "node:zlib";
import type { FetchFailure } from "../../shared/fetching/fetch-image.ts";
import { pngOf } from "./servers.ts";

/** What the tests of these routes allow. */
export const bytesMax = 64 * 1024;
/** Where the deadline is what is tested. */
export const shortMs = 600;
/** Where it is not: beyond what a busy machine needs. */
export const longMs = 10_000;

const image = pngOf(5000);

/** Writes forever, until the client hangs up. */
function pour(response: http.ServerResponse, chunk: Uint8Array): void {
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
}

function drip(response: http.ServerResponse): void {
  const bytes = pngOf(2000);
  let at = 0;
  const timer = setInterval(() => response.write(bytes.subarray(at, ++at)), 20);
  response.on("close", () => clearInterval(timer));
}

interface Route {
  readonly what: string;
  readonly serve: http.RequestListener;
  /** `ok` is the 5,000 bytes of the image; a number the status that `context.originStatus` must hold. */
  readonly gives: "ok" | FetchFailure | "image-unreadable" | { readonly status: number };
}

const answer =
  (status: number, headers: http.OutgoingHttpHeaders, body: string | Uint8Array): http.RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(body);
  };

export const routes: Readonly<Record<string, Route>> = {
  "/image": { what: "an image", serve: answer(200, { "content-type": "image/png" }, image), gives: "ok" },
  "/mistyped": {
    what: "an image that claims to be text",
    serve: answer(200, { "content-type": "text/html" }, image),
    gives: "ok",
  },
  "/chunks": {
    what: "an image in small chunks without a length",
    serve: (_request, response) => {
      for (let at = 0; at < image.length; at += 7) response.write(image.subarray(at, at + 7));
      response.end();
    },
    gives: "ok",
  },
  "/identity": {
    what: "an image that says it is not compressed",
    serve: answer(200, { "content-encoding": "Identity" }, image),
    gives: "ok",
  },
  "/full": {
    what: "an image of exactly the most bytes",
    serve: answer(200, {}, pngOf(bytesMax)),
    gives: "ok",
  },
  "/over": { what: "one byte more", serve: answer(200, {}, pngOf(bytesMax + 1)), gives: "too-large" },
  "/over-unannounced": {
    what: "one byte more without a length",
    serve: (_request, response) => {
      response.write(pngOf(bytesMax));
      response.end("x");
    },
    gives: "too-large",
  },
  "/endless": {
    what: "an image without end",
    serve: (_request, response) => {
      response.write(pngOf(64));
      pour(response, new Uint8Array(16 * 1024));
    },
    gives: "too-large",
  },
  "/announced": {
    what: "a length of a terabyte, and then nothing",
    serve: (_request, response) => {
      response.writeHead(200, { "content-length": 10 ** 12 }).flushHeaders();
    },
    gives: "too-large",
  },
  "/silent": { what: "no answer at all", serve: () => undefined, gives: "timeout" },
  "/headers-only": {
    what: "headers and no body",
    serve: (_request, response) => response.writeHead(200).flushHeaders(),
    gives: "timeout",
  },
  "/drip": { what: "a byte now and then", serve: (_request, response) => drip(response), gives: "timeout" },
  "/hang-up": { what: "the connection closed", serve: (request) => request.socket.destroy(), gives: "network" },
  "/cut": {
    what: "less than the length announced",
    serve: (_request, response) => {
      response.writeHead(200, { "content-length": 5000 }).write(image.subarray(0, 3000));
      setTimeout(() => response.destroy(), 30);
    },
    gives: "network",
  },
  "/cut-chunked": {
    what: "chunks without their end",
    serve: (_request, response) => {
      response.write(image.subarray(0, 3000));
      setTimeout(() => response.destroy(), 30);
    },
    gives: "network",
  },
  "/huge-header": {
    what: "a header of a megabyte",
    serve: answer(200, { "x-huge": "a".repeat(2 ** 20) }, image),
    gives: "network",
  },
  "/gzip": {
    what: "an image compressed though asked not to",
    serve: answer(200, { "content-encoding": "gzip" }, gzipSync(image)),
    gives: "encoding",
  },
  "/bomb": {
    what: "64 MB of zeros in 64 kB of gzip",
    serve: answer(200, { "content-encoding": "gzip" }, gzipSync(new Uint8Array(64_000_000))),
    gives: "encoding",
  },
  "/gzip-file": { what: "gzip data as such", serve: answer(200, {}, gzipSync(image)), gives: "image-unreadable" },
  "/unknown-coding": {
    what: "an unknown coding",
    serve: answer(200, { "content-encoding": "rot13" }, image),
    gives: "encoding",
  },
  "/page": {
    what: "a page that claims to be an image",
    serve: answer(200, { "content-type": "image/png" }, "<!doctype html><title>no</title>"),
    gives: "image-unreadable",
  },
  "/svg": {
    what: "an SVG",
    serve: answer(200, { "content-type": "image/svg+xml" }, '<svg xmlns="http://www.w3.org/2000/svg"/>'),
    gives: "image-unreadable",
  },
  "/endless-text": {
    what: "text without end",
    serve: (_request, response) => pour(response, new Uint8Array(1024).fill(0x61)),
    gives: "image-unreadable",
  },
  "/empty": { what: "an empty body", serve: answer(200, {}, ""), gives: "image-unreadable" },
  "/no-content": { what: "status 204", serve: answer(204, {}, ""), gives: { status: 204 } },
  "/partial": { what: "status 206", serve: answer(206, {}, image), gives: { status: 206 } },
  "/not-modified": { what: "status 304", serve: answer(304, {}, ""), gives: { status: 304 } },
  "/choices": {
    what: "status 300 with a Location",
    serve: answer(300, { location: "/image" }, ""),
    gives: { status: 300 },
  },
  "/lost": { what: "a redirect without a Location", serve: answer(302, {}, image), gives: { status: 302 } },
  "/unauthorized": {
    what: "status 401 that asks for a password",
    serve: answer(401, { "www-authenticate": "Basic" }, image),
    gives: { status: 401 },
  },
  "/missing": { what: "status 404 with an image", serve: answer(404, {}, image), gives: { status: 404 } },
  "/broken": { what: "status 500", serve: answer(500, {}, "x"), gives: { status: 500 } },
  "/endless-error": {
    what: "status 500 without end",
    serve: (_request, response) => {
      response.writeHead(500);
      pour(response, new Uint8Array(1024));
    },
    gives: { status: 500 },
  },
};

/** The deadline a route is tried with. */
export const deadlineOf = ({ gives }: Pick<Route, "gives">): number => (gives === "timeout" ? shortMs : longMs);

/**
 * Serves the routes, and redirects: `/to/STATUS?LOCATION` answers with that status and the decoded Location, `/hops/N`
 * redirects N times and then gives the image.
 */
export const serveRoutes: http.RequestListener = (request, response) => {
  const { pathname, search } = new URL(request.url ?? "/", "http://server");
  const route = routes[pathname];
  const status = /^\/to\/(\d{3})$/.exec(pathname)?.[1];
  const hops = /^\/hops\/(\d+)$/.exec(pathname)?.[1];
  if (route !== undefined) route.serve(request, response);
  else if (status !== undefined) {
    const location = decodeURIComponent(search.slice(1));
    response.writeHead(Number(status), { location, "set-cookie": "session=1" }).end("moved");
  } else if (hops === "0") response.end(image);
  else if (hops !== undefined) response.writeHead(302, { location: String(Number(hops) - 1) }).end();
  else response.writeHead(404).end();
};
