/** @file Headers: synthetic files that say what real ones do, and hostile ones that lie. */
import { describe, expect, it } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { readOrientation } from "../../shared/imaging/exif.ts";
import { readHeader } from "../../shared/imaging/header.ts";
import { scanJpeg } from "../../shared/imaging/header-jpeg.ts";
import { describeFormat } from "../../shared/imaging/sniff.ts";
import { ascii, exifBlock, jpegWith, pngChunk, pngFile } from "./files.ts";

describe("readOrientation", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("reads %i in both byte orders, with and without the Exif prefix", (value) => {
    expect(readOrientation(exifBlock(value, "little"))).toBe(value);
    expect(readOrientation(exifBlock(value, "big"))).toBe(value);
    expect(readOrientation(exifBlock(value, "big").subarray(6))).toBe(value);
  });

  it.each([0, 9, 65535])("takes the invalid %i for upright", (value) => {
    expect(readOrientation(exifBlock(value, "little"))).toBe(1);
  });

  it("takes a block that is cut off anywhere for upright, without reading past its end", () => {
    const block = exifBlock(6, "little");
    for (let length = 0; length < block.length - 4; length++) {
      expect(readOrientation(block.subarray(0, length))).toBe(1);
    }
  });
});

describe("readHeader of a JPEG", () => {
  it("reads size, orientation, kind and progressive mode in front of the first scan", () => {
    const header = readHeader(jpegWith({ frame: 0xc2, width: 640, height: 48, components: 3, orientation: 8 }));
    expect(header).toMatchObject({ width: 640, height: 48, orientation: 8, progressive: true, colour: "rgb" });
    expect(header).toMatchObject({ format: "jpeg", components: 3, bitDepth: 8, animated: false });
  });

  it("tells the four-ink kinds apart by Adobe's marker", () => {
    const size = { frame: 0xc0, width: 8, height: 8, components: 4 };
    expect(readHeader(jpegWith({ ...size, adobe: 2 })).colour).toBe("ycck");
    expect(readHeader(jpegWith({ ...size, adobe: 0 })).colour).toBe("cmyk");
    expect(readHeader(jpegWith(size)).colour).toBe("cmyk");
  });

  it("is not misled by junk between markers", () => {
    const file = jpegWith({ frame: 0xc0, width: 20, height: 10, components: 1 });
    const junk = new Uint8Array([...file.subarray(0, 2), 0x00, 0x12, 0xff, 0x00, ...file.subarray(2)]);
    expect(readHeader(junk)).toMatchObject({ width: 20, height: 10, colour: "gray" });
  });

  it.each([
    [{ frame: 0xc3, width: 8, height: 8, components: 3 }, /lossless JPEG is not supported/],
    [{ frame: 0xc9, width: 8, height: 8, components: 3 }, /arithmetic-coded/],
    [{ frame: 0xc0, width: 0, height: 8, components: 3 }, /0 x 8 pixels/],
    [{ frame: 0xc1, width: 8, height: 8, components: 3, bitDepth: 12 }, /12 bits a sample/],
    [{ frame: 0xc0, width: 8, height: 8, components: 2 }, /2 colour components/],
  ])("refuses %j", (spec, message) => {
    expect(() => readHeader(jpegWith(spec))).toThrow(message);
  });

  it("ends with an error, never a wrong answer, wherever the file is cut", () => {
    const file = jpegWith({ frame: 0xc0, width: 20, height: 10, components: 3, orientation: 6 });
    for (let length = 2; length < file.length; length++) {
      let header: unknown;
      try {
        header = readHeader(file.subarray(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        continue;
      }
      expect(header).toMatchObject({ width: 20, height: 10, orientation: 6 });
    }
  });
});

describe("scanJpeg", () => {
  it("counts scans and sees a missing end marker", () => {
    const file = jpegWith({ frame: 0xc0, width: 8, height: 8, components: 1, scans: 3 });
    expect(scanJpeg(file)).toEqual({ count: 3, ended: true });
    expect(scanJpeg(file.subarray(0, file.length - 2))).toEqual({ count: 3, ended: false });
  });
});

describe("readHeader of a PNG", () => {
  it("reads form, orientation, transparency and animation", () => {
    const file = pngFile({ width: 7, height: 5, bitDepth: 16, colourType: 2, interlaced: true }, [
      pngChunk("acTL", new Uint8Array(8)),
      pngChunk("tRNS", new Uint8Array(6)),
      pngChunk("eXIf", exifBlock(3, "big").subarray(6)),
    ]);
    expect(readHeader(file)).toEqual({
      format: "png",
      width: 7,
      height: 5,
      orientation: 3,
      components: 3,
      bitDepth: 16,
      progressive: true,
      animated: true,
      alpha: true,
      colour: "rgb",
    });
  });

  it("refuses depths that the colour type does not have", () => {
    expect(() => readHeader(pngFile({ width: 1, height: 1, bitDepth: 4, colourType: 2 }, []))).toThrow(
      /4 bits a sample/,
    );
    expect(() => readHeader(pngFile({ width: 1, height: 1, bitDepth: 8, colourType: 5 }, []))).toThrow(/colour type 5/);
    expect(() => readHeader(pngFile({ width: 0, height: 1, bitDepth: 8, colourType: 2 }, []))).toThrow(/0 x 1 pixels/);
  });
});

describe("readHeader of a WebP", () => {
  const riff = (...parts: readonly (readonly number[])[]): Uint8Array => {
    const body = parts.flat();
    return new Uint8Array([...ascii("RIFF"), body.length + 4, 0, 0, 0, ...ascii("WEBP"), ...body]);
  };
  const lossy = [...ascii("VP8 "), 10, 0, 0, 0, 0, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00];
  const lossless = [...ascii("VP8L"), 5, 0, 0, 0, 0x2f, 0x3f, 0xc1, 0x03, 0x10, 0];

  it("reads lossy, lossless and extended files", () => {
    expect(readHeader(riff(lossy))).toMatchObject({ width: 320, height: 240, alpha: false, components: 3 });
    expect(readHeader(riff(lossless))).toMatchObject({ width: 320, height: 16, alpha: true, components: 4 });
    const canvas = [...ascii("VP8X"), 10, 0, 0, 0, 0x12, 0, 0, 0, 0x3f, 0x01, 0, 0xef, 0, 0];
    const exif = exifBlock(5, "little");
    const metadata = [...ascii("EXIF"), exif.length, 0, 0, 0, ...exif];
    expect(readHeader(riff(canvas, metadata))).toMatchObject({
      width: 320,
      height: 240,
      animated: true,
      alpha: true,
      orientation: 5,
    });
  });

  it("refuses a file without a picture", () => {
    expect(() => readHeader(riff())).toThrow(/no picture/);
  });
});

describe("describeFormat", () => {
  it.each([
    [ascii("GIF89a"), "a GIF"],
    [[0, 0, 0, 24, ...ascii("ftypavif")], "an AVIF"],
    [[0, 0, 0, 24, ...ascii("ftypheic")], "a HEIF"],
    [[0, 0, 0, 24, ...ascii("ftypisom")], "a video or another ISO media file"],
    [ascii("BM......"), "a BMP"],
    [[0x4d, 0x4d, 0, 0x2a], "a TIFF"],
    [[0, 0, 1, 0, 1, 0], "an ICO"],
    [ascii("%PDF-1.7"), "a PDF"],
    [ascii("  <?xml version='1.0'?>\n<svg/>"), "an SVG"],
    [ascii("<!DOCTYPE html><title>404</title>"), "an HTML page"],
    [ascii('{"error": "not found"}'), "a JSON text"],
    [[0x50, 0x4b, 3, 4], "a ZIP archive"],
    [[], "empty"],
    [ascii("hello"), "not a known image format"],
  ])("%j is %s", (bytes, name) => {
    expect(describeFormat(new Uint8Array(bytes))).toBe(name);
  });

  it("stands in the error of a file that is no JPEG, PNG or WebP", () => {
    expect(() => readHeader(new Uint8Array(ascii("GIF89a")))).toThrow(
      "cannot read the image: the file is a GIF; JPEG, PNG and WebP are read",
    );
  });
});
