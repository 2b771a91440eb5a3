/** @file 400 images that break decoders: each gives the right pixels or a clear error, and memory stays sane. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { decodeImage } from "../../shared/imaging/decode.ts";
import type { Image } from "../../shared/imaging/image.ts";
import { EDGE_LIMITS, NODE_LIMITS } from "../../shared/imaging/limits.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

type Quarter = readonly [number, number, number];

interface Reference {
  readonly exact: Readonly<Record<string, readonly [number, number, string]>>;
  readonly close: Readonly<Record<string, readonly [number, number, Quarter, Quarter, Quarter, Quarter]>>;
}

const read = (url: string | URL): unknown => JSON.parse(readFileSync(url, "utf8"));
// The shape is written down in the file's own "about".
const reference = read(new URL("awkward-pixels.json", import.meta.url)) as Reference;
// The manifest's fields are described in the README of the material.
const manifest = (hasSharedData ? read(sharedData("data", "awkward", "manifest.json")) : []) as readonly {
  readonly file: string;
}[];

const open = (file: string): Uint8Array => readFileSync(sharedData("data", "awkward", file));

async function attempt(bytes: Uint8Array, limits = NODE_LIMITS): Promise<Image | AppError> {
  try {
    return await decodeImage(bytes, nodeCodecs(), limits);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** The mean colour of a quarter of the picture. */
function meanOf(image: Image, column: 0 | 1, row: 0 | 1): number[] {
  const sums = [0, 0, 0];
  const left = Math.floor((column * image.width) / 2);
  const right = Math.floor(((column + 1) * image.width) / 2);
  const top = Math.floor((row * image.height) / 2);
  const bottom = Math.floor(((row + 1) * image.height) / 2);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      for (let c = 0; c < 3; c++) sums[c] = (sums[c] ?? 0) + (image.data[(y * image.width + x) * 3 + c] ?? 0);
    }
  }
  return sums.map((sum) => sum / ((right - left) * (bottom - top)));
}

/** Files that are JPEG, PNG or WebP by name and cannot be shown, and what the error must say of them. */
const refused: Readonly<Record<string, RegExp>> = {
  "bomb/sharp_65536-uint32-limit.png": /announces 65536 x 65536 pixels .* up to 50 megapixels/,
  "bomb/sharp_giant-image.jpg": /announces 20000 x 14000 pixels/,
  "corrupt/pillow_broken.png": /header chunk/,
  "corrupt/pillow_broken_data_stream.png": /checksum of its "IDAT" chunk/,
  "corrupt/pillow_hopper_bad_exif.jpg": /JPEG is damaged: libjpeg says "Corrupt JPEG data/,
  "corrupt/sharp_corrupt-header.jpg": /no frame header/,
  "corrupt/sharp_truncated.jpg": /JPEG is cut off/,
  "corrupt/sharp_truncated.png": /PNG is cut off: 10 % of its pixel data/,
  "pngsuite/png/xc1n0g08.png": /colour type 1/,
  "pngsuite/png/xc9n2c08.png": /colour type 9/,
  "pngsuite/png/xcrn0g04.png": /not a known image format/,
  "pngsuite/png/xcsn0g01.png": /checksum of its "IDAT" chunk/,
  "pngsuite/png/xd0n2c08.png": /0 bits a sample/,
  "pngsuite/png/xd3n2c08.png": /3 bits a sample/,
  "pngsuite/png/xd9n2c08.png": /99 bits a sample/,
  "pngsuite/png/xdtn0g01.png": /no pixel data/,
  "pngsuite/png/xhdn0g08.png": /checksum of its "IHDR" chunk/,
  "pngsuite/png/xlfn0g04.png": /not a known image format/,
  "pngsuite/png/xs1n0g01.png": /not a known image format/,
  "pngsuite/png/xs2n0g01.png": /not a known image format/,
  "pngsuite/png/xs4n0g01.png": /not a known image format/,
  "pngsuite/png/xs7n0g01.png": /not a known image format/,
};

/** What every other file is called, by its extension. */
const foreign: Readonly<Record<string, RegExp>> = {
  gif: /is a GIF; JPEG, PNG and WebP are read/,
  avif: /is an AVIF;/,
  avifs: /is an AVIF;/,
  heif: /is a HEIF;/,
  bmp: /is a BMP;/,
  ico: /is an ICO;/,
  tif: /is a TIFF;/,
  tiff: /is a TIFF;/,
  jp2: /is a JPEG 2000;/,
  svg: /is an SVG;/,
};

const isReference = (file: string): boolean => file in reference.exact || file in reference.close;

describe.runIf(hasSharedData)("the awkward images", () => {
  it("are all accounted for", () => {
    expect(manifest.length).toBeGreaterThan(390);
    const known = manifest.filter(({ file }) => isReference(file) || file in refused);
    const others = manifest.filter(({ file }) => !isReference(file) && !(file in refused));
    expect(known.length).toBe(Object.keys(reference.exact).length + 3 + Object.keys(refused).length);
    // One file has no extension; it is a TIFF.
    expect(others.filter(({ file }) => !((file.split(".").at(-1) ?? "").toLowerCase() in foreign)).length).toBe(1);
  });

  it("give exactly Pillow's pixels where a picture is readable", async () => {
    const wrong: string[] = [];
    for (const [file, [width, height, digest]] of Object.entries(reference.exact)) {
      const image = await attempt(open(file));
      if (image instanceof AppError) wrong.push(`${file}: ${image.message}`);
      else if (image.width !== width || image.height !== height) wrong.push(`${file}: ${image.width}x${image.height}`);
      else if (sha256(image.data) !== digest) wrong.push(`${file}: other pixels`);
    }
    expect(wrong).toEqual([]);
  });

  it.each(Object.entries(reference.close))("gives CMYK right side up and not inverted: %s", async (file, wanted) => {
    const image = await attempt(open(file));
    if (image instanceof AppError) throw image;
    const [width, height, ...quarters] = wanted;
    expect([image.width, image.height]).toEqual([width, height]);
    const means = [meanOf(image, 0, 0), meanOf(image, 1, 0), meanOf(image, 0, 1), meanOf(image, 1, 1)];
    // Chroma is upsampled without smoothing here: single pixels differ by up to 4, means by far less.
    means.forEach((mean, i) => {
      mean.forEach((value, c) => {
        expect(Math.abs(value - (quarters[i]?.[c] ?? Number.NaN))).toBeLessThan(1);
      });
    });
    expect(image.notes.join()).toContain("CMYK");
  });

  it.each(Object.entries(refused))("refuses with a clear error: %s", async (file, message) => {
    const outcome = await attempt(open(file));
    expect(outcome).toBeInstanceOf(AppError);
    if (outcome instanceof AppError) {
      expect(outcome.message).toMatch(message);
      expect(outcome.code).toBe(file.startsWith("bomb/") ? "image-too-large" : "image-unreadable");
    }
  });

  it("names every other format", async () => {
    const wrong: string[] = [];
    for (const { file } of manifest) {
      if (isReference(file) || file in refused) continue;
      const outcome = await attempt(open(file));
      const wanted = foreign[(file.split(".").at(-1) ?? "").toLowerCase()] ?? /is a TIFF|not a known image format/;
      if (!(outcome instanceof AppError)) wrong.push(`${file} was read`);
      else if (outcome.code !== "image-unreadable" || !wanted.test(outcome.message)) {
        wrong.push(`${file}: ${outcome.message}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("says of animations and of transparency what became of them", async () => {
    const notes = async (file: string): Promise<string> => {
      const image = await attempt(open(file));
      return image instanceof AppError ? image.message : image.notes.join("; ");
    };
    expect(await notes("animated/pillow_iss634.webp")).toMatch(/first frame is used; transparency is ignored/);
    expect(await notes("animated/pillow_iss634.apng")).toMatch(/first frame is used/);
    expect(await notes("webp/pillow_transparent.webp")).toBe("transparency is ignored");
    expect(await notes("png16_palette/pillow_rgb_trns.png")).toBe("transparency is ignored");
    expect(await notes("misc/sharp_booleanTest.jpg")).toBe("");
  });

  it("are refused on the edge by their headers when they are larger than it takes", async () => {
    const outcome = await attempt(open("icc/sharp_gain-map.jpg"), EDGE_LIMITS);
    expect(outcome).toBeInstanceOf(AppError);
    if (outcome instanceof AppError) expect(outcome.message).toMatch(/3840 x 2160 .* the edge takes images up to 4 /);
  });

  it("leave no memory behind, damaged ones included", async () => {
    const files = [
      "corrupt/sharp_truncated.png",
      "corrupt/sharp_truncated.jpg",
      "corrupt/sharp_corrupt-header.jpg",
      "bomb/sharp_65536-uint32-limit.png",
      "cmyk/pillow_pil_sample_cmyk.jpg",
      "webp/pillow_hopper.webp",
    ].map(open);
    const round = async (): Promise<void> => {
      for (const bytes of files) await attempt(bytes);
    };
    for (let i = 0; i < 5; i++) await round();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 40; i++) await round();
    // A leak of one decoded truncated JPEG (24 MB) a round would be a gigabyte.
    expect((process.memoryUsage().rss - before) / 1e6).toBeLessThan(250);
  });
});
