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

function emscriptenOptions(
  module: WebAssembly.Module,
  lines: string[],
  onStart: (exports: WebAssembly.Exports) => void,
): EmscriptenOptions {
  return {
    instantiateWasm(imports, done) {
      const instance = new WebAssembly.Instance(module, imports);
      onStart(instance.exports);
      done(instance);
      return instance.exports;
    },
    print: () => undefined,
    printErr: (line) => lines.push(line),
  };
}

/** Takes the place of a codec that is let go of: jSquash holds on to the last one it was given. Never starts. */
const noCodec: EmscriptenOptions = {
  instantiateWasm: () => ({}),
  print: () => undefined,
  printErr: () => undefined,
};

/**
 * Runs calls one after another, instantiating the codec before the first and again after one that threw: a trapped
 * instance may have lost its stack or its heap. `end` runs after each call; true says that the instance is gone.
 */
function supervised(start: () => Promise<unknown>, end: () => boolean): <T>(call: () => Promise<T>) => Promise<T> {
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
      } finally {
        if (end()) ready = null;
      }
    });
    last = next.catch(() => undefined);
    return next;
  };
}

/** The bytes as a whole buffer, copied only where they are a part of one: the codecs read all that is behind a view. */
const ownBuffer = (bytes: Uint8Array | Uint8ClampedArray): ArrayBuffer =>
  bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength
    ? bytes.buffer
    : new Uint8Array(bytes).buffer;

const asImageData = ({ width, height, data }: RgbaPixels): ImageData => ({
  width,
  height,
  data: new Uint8ClampedArray(ownBuffer(data)),
  colorSpace: "srgb",
});

/** Method 2 of 0 to 6: within 2 % of the size of the slowest, at a quarter of its time. */
const WEBP_METHOD = 2;

export interface CodecsOptions {
  /**
   * Whether an instance serves many calls (default). Heaps never shrink: one that has decoded a large picture holds
   * tens of megabytes, and five codecs hold five. Without it an instance, and its heap, lives for one call, which
   * costs a millisecond. PNG's encoder is always kept: its package starts it once.
   */
  readonly keep?: boolean;
  /** Told after each call, before an instance is let go of, how many bytes the heaps of all codecs take. */
  readonly onHeap?: (bytes: number) => void;
}

/** Codecs over the modules a platform's loader gives. */
export function createCodecs(load: CodecLoader, { keep = true, onHeap }: CodecsOptions = {}): Codecs {
  const lines: string[] = [];
  const heaps = new Map<CodecName, WebAssembly.Memory>();
  const watch = (name: CodecName, exports: WebAssembly.Exports): void => {
    for (const value of Object.values(exports)) if (value instanceof WebAssembly.Memory) heaps.set(name, value);
  };
  const report = (): void => onHeap?.([...heaps.values()].reduce((sum, { buffer }) => sum + buffer.byteLength, 0));
  const emscripten = (name: CodecName, init: (options: EmscriptenOptions) => Promise<unknown>) =>
    supervised(
      async () => init(emscriptenOptions(await load(name), lines, (exports) => watch(name, exports))),
      () => {
        report();
        if (keep) return false;
        heaps.delete(name);
        void init(noCodec);
        return true;
      },
    );
  const jpegDecoder = emscripten("jpeg-decode", initJpegDecoder);
  const jpegEncoder = emscripten("jpeg-encode", initJpegEncoder);
  const webpDecoder = emscripten("webp-decode", initWebpDecoder);
  const webpEncoder = emscripten("webp-encode", initWebpEncoder);
  const pngEncoder = supervised(
    async () => watch("png", { ...(await initPngEncoder(await load("png"))) }),
    () => {
      report();
      return false;
    },
  );
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
