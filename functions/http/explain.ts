/** @file `GET` and `POST /v1/explain`: reads what is asked of which image, and answers with one file of the result. */
import type { Context } from "hono";
import { AppError } from "../../shared/errors.ts";
import { fetchImage } from "../../shared/fetching/fetch-image.ts";
import { showUrl } from "../../shared/fetching/strict-url.ts";
import type { ImageBytes } from "../../shared/pipeline/explain.ts";
import { type ImageId, idText, imageIdOfBytes, isImageKey } from "../../shared/pipeline/layout.ts";
import { type QuestionWords, questionFields, readQuestion } from "../../shared/pipeline/question.ts";
import { type Artefact, artefactType } from "../../shared/pipeline/results.ts";
import { readBytes, readObject } from "../../shared/storage/body.ts";
import type { Deps } from "../deps.ts";
import { artefactPath, etagMatches, etagOf } from "./artefacts.ts";
import { keepAlive, type RequestEnv } from "./context.ts";
import { wanted } from "./negotiate.ts";
import { hardened } from "./problems.ts";

/** A whole answer: fetching the image, a cold engine, and waiting for others. Proxies give up after 60 to 100 s. */
const answerMilliseconds = 60_000;
/** A request that names an image and a question is small. */
const jsonBytesMax = 16_384;

/** The words of a request: the question, where the image is, and what to answer with. */
const requestFields = [...questionFields, "url", "key", "view", "format"] as const;
type Words = Readonly<Partial<Record<(typeof requestFields)[number], string>>>;
/** Parameters that belong to the signature, which is checked elsewhere. */
const signatureFields = new Set(["expires", "kid", "signature"]);

/** An image, and under which id its results are kept. */
interface Found {
  readonly image: ImageId;
  readonly bytes: ImageBytes;
}

export async function getExplain(c: Context<RequestEnv>, deps: Deps): Promise<Response> {
  return answer(c, deps, readQuery(new URL(c.req.url)), undefined);
}

export async function postExplain(c: Context<RequestEnv>, deps: Deps): Promise<Response> {
  const query = readQuery(new URL(c.req.url));
  const { limits } = deps.platform.decoding;
  const { body } = c.req.raw;
  if (body === null) throw new AppError("request-invalid", "the request has no body: send an image, or JSON");
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === "application/json") {
    const text = new TextDecoder().decode(
      await readBytes(body, { bytesMax: jsonBytesMax, what: "the request's JSON", code: "request-invalid" }),
    );
    return answer(c, deps, { ...query, ...readJson(text) }, undefined);
  }
  if (type !== "" && type !== "application/octet-stream" && !type.startsWith("image/")) {
    throw new AppError(
      "request-invalid",
      `cannot read a body of type "${type}": send image bytes, or application/json`,
    );
  }
  const bytes = await readBytes(body, { bytesMax: limits.maxBytes, what: "the image in the request" });
  return answer(c, deps, query, bytes);
}

function readQuery(url: URL): Words {
  const words: Record<string, string> = {};
  for (const [name, value] of url.searchParams) {
    if (signatureFields.has(name)) continue;
    if (name in words) throw new AppError("request-invalid", `the parameter "${name}" is given twice`, { name });
    words[name] = value;
  }
  return known(words);
}

function readJson(text: string): Words {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new AppError("request-invalid", "the request's body is not JSON");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new AppError("request-invalid", "the request's JSON is no object");
  }
  for (const [name, value] of Object.entries(json)) {
    if (typeof value !== "string") throw new AppError("request-invalid", `"${name}" is no text`, { name });
  }
  return known(Object.fromEntries(Object.entries(json)));
}

/** Throws `request-invalid` for a word that means nothing: a misspelled option must not be ignored. */
function known(words: Readonly<Record<string, string>>): Words {
  const stranger = Object.keys(words).find((name) => !requestFields.some((field) => field === name));
  if (stranger === undefined) return words;
  throw new AppError("request-invalid", `there is no parameter "${stranger}"; there are ${requestFields.join(", ")}`, {
    name: stranger,
  });
}

async function answer(
  c: Context<RequestEnv>,
  deps: Deps,
  words: Words,
  body: Uint8Array | undefined,
): Promise<Response> {
  const { service, settings } = deps;
  const signal = AbortSignal.timeout(answerMilliseconds);
  const artefact = wanted(words.view, words.format, c.req.header("accept"));
  const { url: _url, key: _key, view: _view, format: _format, ...asked } = words;
  const question = readQuestion(asked satisfies QuestionWords, settings.defaults);
  const { image, bytes } = await findImage(deps, words, body, signal);
  const identified = await service.identify(image, bytes.sha256, question, signal);
  c.set("result", idText(identified.id));
  const etag = etagOf(identified.id, artefact);
  const headers = {
    etag,
    // What is at a URL or a key may change: a client asks again, and mostly hears 304.
    "cache-control": "private, no-cache",
    vary: "accept",
    "content-location": artefactPath(identified.id, artefact),
    link: `<${artefactPath(identified.id, { kind: "document" })}>; rel="describedby"; type="application/json"`,
  };
  if (etagMatches(c.req.header("if-none-match"), etag))
    return new Response(null, { status: 304, headers: hardened(headers) });
  // Others may wait for this work, and a result that is computed shall be kept, also when this client goes away.
  const given = await keepAlive(c, service.answer(identified, bytes, artefact, signal));
  c.set("outcome", given.cached ? "cached" : "computed");
  if (given.made) c.set("timings", given.made.timings);
  return respond(artefact, given.bytes, { ...headers, "x-backlight-cache": given.cached ? "hit" : "miss" });
}

export function respond(artefact: Artefact, bytes: Uint8Array, headers: Readonly<Record<string, string>>): Response {
  // Views on results are over their own buffers, never shared memory.
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    headers: hardened({ ...headers, "content-type": artefactType(artefact), "content-length": String(bytes.length) }),
  });
}

async function findImage(
  { platform, settings, service }: Deps,
  { url, key }: Words,
  body: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<Found> {
  const given = [url, key, body].filter((each) => each !== undefined).length;
  if (given !== 1) {
    throw new AppError(
      "request-invalid",
      `the request names ${given} images: give one of url, key, or an image as body`,
    );
  }
  const { limits } = platform.decoding;
  if (url !== undefined) {
    const fetched = await fetchImage(settings.policy, url, {
      fetch: platform.fetch,
      bytesMax: limits.maxBytes,
      signal,
    });
    const bytes = await service.image(fetched.bytes, showUrl(fetched.finalUrl));
    return { image: imageIdOfBytes(bytes.sha256), bytes };
  }
  if (key !== undefined) {
    if (!isImageKey(key)) {
      throw new AppError("not-found", `there is no image "${key}": keys of images begin with images/`, { name: key });
    }
    const found = await platform.store.get(key, { signal });
    if (found?.outcome !== "found") throw new AppError("not-found", `there is no image "${key}"`, { name: key });
    const read = await readObject(found, { bytesMax: limits.maxBytes, what: `the image "${key}"` });
    return { image: key, bytes: await service.image(read, key) };
  }
  const bytes = await service.image(body ?? new Uint8Array(), "the request");
  return { image: imageIdOfBytes(bytes.sha256), bytes };
}
