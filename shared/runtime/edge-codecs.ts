/** @file The image codecs' wasm as modules compiled at deployment, for workerd. Loaded through a bundler only. */
import jpegDecode from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
import jpegEncode from "@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm";
import png from "@jsquash/png/codec/pkg/squoosh_png_bg.wasm";
import webpDecode from "@jsquash/webp/codec/dec/webp_dec.wasm";
import webpEncode from "@jsquash/webp/codec/enc/webp_enc_simd.wasm";
import { type CodecName, type Codecs, createCodecs } from "../imaging/codecs.ts";

const modules: Readonly<Record<CodecName, WebAssembly.Module>> = {
  "jpeg-decode": jpegDecode,
  "jpeg-encode": jpegEncode,
  png,
  "webp-decode": webpDecode,
  "webp-encode": webpEncode,
};

let shared: Codecs | null = null;
let memory: CodecMemory = { lastBytes: 0, peakBytes: 0 };

/** What the codecs' heaps took together, in bytes: during the last call, and at most. */
export interface CodecMemory {
  readonly lastBytes: number;
  readonly peakBytes: number;
}

/** The isolate's codecs. Between calls only PNG's encoder holds memory. */
export function edgeCodecs(): Codecs {
  shared ??= createCodecs(async (name) => modules[name], {
    keep: false,
    onHeap: (bytes) => {
      memory = { lastBytes: bytes, peakBytes: Math.max(memory.peakBytes, bytes) };
    },
  });
  return shared;
}

export const codecMemory = (): CodecMemory => memory;
