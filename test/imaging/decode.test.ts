/** @file Decoding: what comes out of real codecs' files, orientation, damage, limits, and life after a failure. */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { decodeImage } from "../../shared/imaging/decode.ts";
import { encodeImage } from "../../shared/imaging/encode.ts";
import type { Raster } from "../../shared/imaging/image.ts";
import { EDGE_LIMITS, type ImageLimits, NODE_LIMITS } from "../../shared/imaging/limits.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { ascii, jpegWith, pngChunk, pngData, pngFile, withOrientation } from "./files.ts";

const codecs = nodeCodecs();
const decode = (bytes: Uint8Array, limits: ImageLimits = NODE_LIMITS) => decodeImage(bytes, codecs, limits);

/** Four flat quarters: red, green / blue, white. Large enough that JPEG keeps their middles pure. */
function quarters(width: number, height: number): Raster {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const right = x >= width / 2;
      const lower = y >= height / 2;
      const colour = lower ? (right ? [255, 255, 255] : [0, 0, 255]) : right ? [0, 255, 0] : [255, 0, 0];
      data.set(colour, (y * width + x) * 3);
    }
  }
  return { width, height, data };
}

/** The four quarters' colours by name, upper left, upper right, lower left, lower right. */
function namesOf({ width, height, data }: Raster): string {
  const name = (x: number, y: number): string => {
    const at = (Math.floor(y * height) * width + Math.floor(x * width)) * 3;
    const bits = [0, 1, 2].map((c) => ((data[at + c] ?? 0) > 128 ? "1" : "0")).join("");
    return { "100": "R", "010": "G", "001": "B", "111": "W" }[bits] ?? "?";
  };
  return name(0.25, 0.25) + name(0.75, 0.25) + name(0.25, 0.75) + name(0.75, 0.75);
}

const picture = quarters(48, 32);
const jpeg = await encodeImage(picture, "jpeg", codecs);
const webp = await encodeImage(picture, "webp", codecs);
const png = await encodeImage(picture, "png", codecs);

async function errorOf(work: Promise<unknown>): Promise<AppError> {
  const outcome = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (outcome instanceof AppError) return outcome;
  throw new Error(`expected an AppError, not ${outcome}`);
}

describe("decodeImage", () => {
  it("reads JPEG, WebP and, without any loss, PNG", async () => {
    expect(namesOf(await decode(jpeg))).toBe("RGBW");
    expect(namesOf(await decode(webp))).toBe("RGBW");
    const image = await decode(png);
    expect(image).toMatchObject({ width: 48, height: 32 });
    expect(Buffer.from(image.data).equals(picture.data)).toBe(true);
  });

  // Where the stored upper-left quarter (red) must go, by the EXIF standard's definition of each value.
  it.each([
    [1, "RGBW", 48, 32],
    [2, "GRWB", 48, 32],
    [3, "WBGR", 48, 32],
    [4, "BWRG", 48, 32],
    [5, "RBGW", 32, 48],
    [6, "BRWG", 32, 48],
    [7, "WGBR", 32, 48],
    [8, "GWRB", 32, 48],
  ])("turns EXIF orientation %i upright", async (orientation, names, width, height) => {
    const image = await decode(withOrientation(jpeg, orientation));
    expect([namesOf(image), image.width, image.height]).toEqual([names, width, height]);
    expect(image.source).toMatchObject({ width: 48, height: 32, orientation });
  });

  it("refuses a JPEG cut off anywhere in its picture data instead of filling it with grey", async () => {
    const start = jpeg.lastIndexOf(0xda) + 14;
    for (let length = start; length < jpeg.length - 4; length += 7) {
      const error = await errorOf(decode(jpeg.subarray(0, length)));
      expect(error.code).toBe("image-unreadable");
      expect(error.message).toMatch(/cut off/);
    }
  });

  it("reads a JPEG that merely lacks its end marker, and says so", async () => {
    const image = await decode(jpeg.subarray(0, jpeg.length - 2));
    expect(namesOf(image)).toBe("RGBW");
    expect(image.notes).toEqual(["the JPEG lacks its end marker"]);
  });

  it("refuses a WebP cut off anywhere", async () => {
    for (let length = 12; length < webp.length - 1; length += 5) {
      expect((await errorOf(decode(webp.subarray(0, length)))).code).toBe("image-unreadable");
    }
  });

  it("refuses a cut-off PNG unless every pixel is there", async () => {
    let complete = 0;
    for (let length = 8; length < png.length; length++) {
      const outcome = await decode(png.subarray(0, length)).catch((error: unknown) => error);
      if (outcome instanceof AppError) continue;
      expect(outcome).toMatchObject({ data: picture.data });
      complete++;
    }
    // The last 12 bytes are the end chunk, the 8 before them checksums; an end-of-block code may take one more.
    expect(complete).toBeLessThanOrEqual(22);
  });

  it("refuses picture data that are nonsense, and decodes the next file", async () => {
    const broken = [
      jpegWith({ frame: 0xc0, width: 16, height: 16, components: 3 }),
      jpegWith({ frame: 0xc0, width: 16, height: 16, components: 4, adobe: 2 }),
      new Uint8Array([...webp.subarray(0, 40), ...new Uint8Array(webp.length - 40).fill(0x5a)]),
    ];
    for (const bytes of broken) {
      expect((await errorOf(decode(bytes))).code).toBe("image-unreadable");
      expect(namesOf(await decode(jpeg))).toBe("RGBW");
      expect(namesOf(await decode(webp))).toBe("RGBW");
    }
  });

  it("never mixes up files decoded at the same time", async () => {
    const cut = jpeg.subarray(0, jpeg.length - 40);
    const outcomes = await Promise.all(
      [jpeg, cut, jpeg, cut, jpeg].map((bytes) => decode(bytes).then(namesOf, (error: AppError) => error.code)),
    );
    expect(outcomes).toEqual(["RGBW", "image-unreadable", "RGBW", "image-unreadable", "RGBW"]);
  });

  it("survives any single byte being changed: pixels or a clear error", async () => {
    for (const file of [jpeg, png, webp]) {
      for (let at = 0; at < file.length; at += Math.ceil(file.length / 150)) {
        const mutant = new Uint8Array(file);
        mutant[at] = (mutant[at] ?? 0) ^ 0xff;
        const outcome = await decode(mutant).catch((error: unknown) => error);
        if (!(outcome instanceof AppError)) expect(outcome).toHaveProperty("data");
      }
    }
  });

  it("refuses a JPEG with more scans than any encoder writes", async () => {
    const error = await errorOf(decode(jpegWith({ frame: 0xc2, width: 16, height: 16, components: 1, scans: 5000 })));
    expect(error.message).toMatch(/5000 scans/);
  });

  it("refuses four inks of unknown meaning", async () => {
    const error = await errorOf(decode(jpegWith({ frame: 0xc0, width: 16, height: 16, components: 4 })));
    expect(error.message).toMatch(/save it as RGB/);
  });
});

describe("animated WebP", () => {
  const uint24 = (value: number): number[] => [value & 255, (value >> 8) & 255, value >> 16];
  const uint32 = (value: number): number[] => [...uint24(value), 0];
  const chunk = (type: string, data: readonly number[]): number[] => [...ascii(type), ...uint32(data.length), ...data];

  /** An animation of one frame, the picture, at (left, top) on a canvas. */
  function animation(width: number, height: number, left: number, top: number): Uint8Array {
    const canvas = [0x02, 0, 0, 0, ...uint24(width - 1), ...uint24(height - 1)];
    const place = [...uint24(left / 2), ...uint24(top / 2), ...uint24(47), ...uint24(31), ...uint24(100), 0];
    const body = [
      ...chunk("VP8X", canvas),
      ...chunk("ANIM", [0, 0, 0, 0, 0, 0]),
      ...chunk("ANMF", [...place, ...webp.subarray(12)]),
    ];
    return new Uint8Array([...ascii("RIFF"), ...uint32(body.length + 4), ...ascii("WEBP"), ...body]);
  }

  it("gives its first frame, where it lies on the canvas", async () => {
    const still = await decode(webp);
    const full = await decode(animation(48, 32, 0, 0));
    expect(full.data).toEqual(still.data);
    expect(full.notes).toEqual(["the image is animated: its first frame is used"]);
    const placed = await decode(animation(100, 60, 20, 10));
    expect([placed.width, placed.height]).toEqual([100, 60]);
    const inner = Array.from({ length: 32 }, (_, y) =>
      placed.data.subarray(((10 + y) * 100 + 20) * 3).subarray(0, 144),
    );
    expect(Buffer.concat(inner).equals(still.data)).toBe(true);
    expect([...placed.data.subarray(0, 3)]).toEqual([0, 0, 0]);
  });

  it("is refused when the frame lies outside its canvas", async () => {
    for (const file of [animation(40, 32, 0, 0), animation(48, 32, 2, 0), animation(100, 40, 0, 10)]) {
      expect((await errorOf(decode(file))).message).toMatch(/first frame lies outside its canvas/);
    }
  });
});

describe("the limits", () => {
  it("hold before anything is decoded", async () => {
    const bomb = pngFile({ width: 60000, height: 60000, bitDepth: 8, colourType: 6 }, []);
    expect((await errorOf(decode(bomb))).code).toBe("image-too-large");
    const large = pngFile({ width: 2500, height: 2000, bitDepth: 8, colourType: 2 }, []);
    expect((await errorOf(decode(large, EDGE_LIMITS))).message).toMatch(
      /announces 2500 x 2000 pixels \(5.0 megapixels\), the edge takes images up to 4 megapixels/,
    );
    expect((await errorOf(decode(large))).code).toBe("image-unreadable");
  });

  it("are lower for progressive and for four-ink JPEGs", async () => {
    const progressive = jpegWith({ frame: 0xc2, width: 2000, height: 1500, components: 3 });
    expect((await errorOf(decode(progressive, EDGE_LIMITS))).message).toMatch(/progressive images up to 2 mega/);
    const inks = jpegWith({ frame: 0xc0, width: 2000, height: 1500, components: 4, adobe: 2 });
    expect((await errorOf(decode(inks, EDGE_LIMITS))).message).toMatch(/CMYK images up to 1 mega/);
  });

  it("count bytes", async () => {
    const limits: ImageLimits = { ...NODE_LIMITS, name: "the test", maxBytes: 100 };
    const error = await errorOf(decode(jpeg, limits));
    expect([error.code, error.context["limit"]]).toEqual(["image-too-large", 100]);
  });
});

describe("PNG forms", () => {
  const row = (...samples: number[]): number[] => [0, ...samples];
  const pixels = async (file: Uint8Array): Promise<number[]> => [...(await decode(file)).data];

  it("take the high byte of 16 bits and scale fewer bits up", async () => {
    const grey16 = pngFile({ width: 2, height: 1, bitDepth: 16, colourType: 0 }, [pngData([row(0x12, 0xff, 0xab, 0)])]);
    expect(await pixels(grey16)).toEqual([0x12, 0x12, 0x12, 0xab, 0xab, 0xab]);
    const grey2 = pngFile({ width: 4, height: 1, bitDepth: 2, colourType: 0 }, [pngData([row(0b00011011)])]);
    expect(await pixels(grey2)).toEqual([0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255]);
  });

  it("keep the colour under transparency", async () => {
    const file = pngFile({ width: 1, height: 1, bitDepth: 8, colourType: 6 }, [pngData([row(10, 20, 30, 0)])]);
    expect(await pixels(file)).toEqual([10, 20, 30]);
  });

  it("look colours up in the palette, black beyond its end", async () => {
    const palette = pngChunk("PLTE", new Uint8Array([1, 2, 3, 4, 5, 6]));
    const file = pngFile({ width: 3, height: 1, bitDepth: 8, colourType: 3 }, [palette, pngData([row(1, 0, 9)])]);
    expect(await pixels(file)).toEqual([4, 5, 6, 1, 2, 3, 0, 0, 0]);
  });

  it("ignore data beyond the picture, however much", async () => {
    const spec = { width: 1, height: 1, bitDepth: 8, colourType: 0 };
    const bomb = pngFile(spec, [pngData([row(7), new Array<number>(5_000_000).fill(0)])]);
    expect(await pixels(bomb)).toEqual([7, 7, 7]);
  });

  it("must have pixel data, a palette where they refer to one, and known filters", async () => {
    const message = async (file: Uint8Array): Promise<string> => (await errorOf(decode(file))).message;
    const indexed = { width: 1, height: 1, bitDepth: 8, colourType: 3 };
    expect(await message(pngFile(indexed, []))).toMatch(/no pixel data/);
    expect(await message(pngFile(indexed, [pngData([row(0)])]))).toMatch(/palette it does not hold/);
    expect(await message(pngFile({ ...indexed, colourType: 0 }, [pngData([[9, 0]])]))).toMatch(/unknown filter 9/);
  });
});
