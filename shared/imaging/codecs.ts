/** @file The jSquash codecs behind one interface: wasm modules, their failures, nothing of the formats' rules. */
import decodeJpegWasm, { init as initJpegDecoder } from "@jsquash/jpeg/decode.js";
import encodeJpegWasm, { init as initJpegEncoder } from "@jsquash/jpeg/encode.js";
import encodePngWasm, { init as initPngEncoder } from "@jsquash/png/encode.js";
import decodeWebpWasm, { init as initWebpDecoder } from "@jsquash/webp/decode.js";
import encodeWebpWasm, { init as initWebpEncoder } from "@jsquash/webp/encode.js";

/** The wasm files the codecs need, each loaded on first use. */
export type CodecName = "jpeg-decode" | "jpeg-encode" | "png" | "webp-decode" | "webp-encode";

/** Gives a compiled module: an edge runtime forbids compiling one, so the platform's adapter hands it over. */
export type CodecLoader = (name: CodecName) => Promise<WebAssembly.Module>;

/** Rows of R, G, B, A bytes. */
export interface RgbaPixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** Decoders and encoders. A call that fails leaves the others, and the next call, working. */
export interface Codecs {
  /** `warnings` are libjpeg's own words on damaged data. */
  decodeJpeg(bytes: Uint8Array): Promise<RgbaPixels & { readonly warnings: readonly string[] }>;
  decodeWebp(bytes: Uint8Array): Promise<RgbaPixels>;
  encodePng(pixels: RgbaPixels): Promise<Uint8Array>;
  encodeJpeg(pixels: RgbaPixels, quality: number): Promise<Uint8Array>;
  encodeWebp(pixels: RgbaPixels, quality: number): Promise<Uint8Array>;
}

/** What Emscripten's glue accepts; jSquash's types leave `printErr` out. */
interface EmscriptenOptions {
  readonly instantiateWasm: (
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance) => void,
  ) => WebAssembly.Exports;
  readonly print: (line: string) => void;
  readonly printErr: (line: string) => void;
}

function emscriptenOptions(module: WebAssembly.Module, lines: string[]): EmscriptenOptions {
  return {
    instantiateWasm(imports, done) {
      const instance = new WebAssembly.Instance(module, imports);
      done(instance);
      return instance.exports;
    },
    print: () => undefined,
    printErr: (line) => lines.push(line),
  };
}

/**
 * Runs calls one after another, instantiating the codec before the first and again after one that threw: a trapped
 * instance may have lost its stack or its heap.
 */
function supervised(start: () => Promise<unknown>): <T>(call: () => Promise<T>) => Promise<T> {
  let ready: Promise<unknown> | null = null;
  let last: Promise<unknown> = Promise.resolve();
  return (call) => {
    const next = last.then(async () => {
      ready ??= start();
      try {
        await ready;
        return await call();
      } catch (error) {
        ready = null;
        throw error;
      }
    });
    last = next.catch(() => undefined);
    return next;
  };
}

/** A copy in a buffer of its own: the codecs read the whole buffer behind a view. */
const ownBuffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

const asImageData = ({ width, height, data }: RgbaPixels): ImageData => ({
  width,
  height,
  data: new Uint8ClampedArray(data),
  colorSpace: "srgb",
});

/** Method 2 of 0 to 6: within 2 % of the size of the slowest, at a quarter of its time. */
const WEBP_METHOD = 2;

/** Codecs over the modules a platform's loader gives. */
export function createCodecs(load: CodecLoader): Codecs {
  const lines: string[] = [];
  const emscripten = async (name: CodecName, init: (options: EmscriptenOptions) => Promise<unknown>): Promise<void> => {
    await init(emscriptenOptions(await load(name), lines));
  };
  const jpegDecoder = supervised(() => emscripten("jpeg-decode", initJpegDecoder));
  const jpegEncoder = supervised(() => emscripten("jpeg-encode", initJpegEncoder));
  const webpDecoder = supervised(() => emscripten("webp-decode", initWebpDecoder));
  const webpEncoder = supervised(() => emscripten("webp-encode", initWebpEncoder));
  const pngEncoder = supervised(async () => initPngEncoder(await load("png")));
  return {
    decodeJpeg: (bytes) =>
      jpegDecoder(async () => {
        lines.length = 0;
        const pixels = await decodeJpegWasm(ownBuffer(bytes));
        return { width: pixels.width, height: pixels.height, data: pixels.data, warnings: [...lines] };
      }),
    decodeWebp: (bytes) => webpDecoder(() => decodeWebpWasm(ownBuffer(bytes))),
    encodePng: (pixels) => pngEncoder(async () => new Uint8Array(await encodePngWasm(asImageData(pixels)))),
    encodeJpeg: (pixels, quality) =>
      jpegEncoder(async () => new Uint8Array(await encodeJpegWasm(asImageData(pixels), { quality }))),
    encodeWebp: (pixels, quality) =>
      webpEncoder(
        async () => new Uint8Array(await encodeWebpWasm(asImageData(pixels), { quality, method: WEBP_METHOD })),
      ),
  };
}
