/** @file How Node finds the wasm files of the image codecs: in node_modules, compiled once a process. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type CodecLoader, type CodecName, type Codecs, createCodecs } from "../imaging/codecs.ts";

const files: Readonly<Record<CodecName, string>> = {
  "jpeg-decode": "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm",
  "jpeg-encode": "@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm",
  png: "@jsquash/png/codec/pkg/squoosh_png_bg.wasm",
  "webp-decode": "@jsquash/webp/codec/dec/webp_dec.wasm",
  "webp-encode": "@jsquash/webp/codec/enc/webp_enc_simd.wasm",
};

const require = createRequire(import.meta.url);

/** Compiles the codec's wasm from the installed package. */
export const loadCodec: CodecLoader = async (name) => WebAssembly.compile(await readFile(require.resolve(files[name])));

let shared: Codecs | null = null;

/** The process's codecs; each is compiled on first use. */
export function nodeCodecs(): Codecs {
  shared ??= createCodecs(loadCodec);
  return shared;
}
