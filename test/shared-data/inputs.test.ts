/** @file The pixels and tensors of the goldens: decoding, Pillow's resize, normalisation, bit for bit. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeImage } from "../../shared/imaging/decode.ts";
import type { Image, Raster } from "../../shared/imaging/image.ts";
import { NODE_LIMITS } from "../../shared/imaging/limits.ts";
import { readNpy } from "../../shared/imaging/npy.ts";
import { preprocess } from "../../shared/imaging/preprocess.ts";
import type { Recipe } from "../../shared/models/recipe.ts";
import { nodeCodecs } from "../../shared/runtime/node-codecs.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

interface GoldenInput {
  readonly u8_file: string;
  readonly kind: "imagenet" | "pm1" | "raw_bgr_letterbox";
  readonly layout: "nchw" | "nhwc";
  readonly shape: readonly number[];
  readonly float32_sha256: string;
  readonly source: string;
  readonly f32_file?: string;
}

/** The goldens name their photos by the folders they were made from; the material has fewer. */
const photoPath = (source: string): string =>
  sharedData(
    "data",
    source
      .replace("images/imagenet200/", "images/imagenet/")
      .replace("voc/VOC2007_test_7/", "voc/")
      .replace("coco/images/val2017/", "coco/images/"),
  );

const readPhoto = (source: string): Promise<Image> =>
  decodeImage(readFileSync(photoPath(source)), nodeCodecs(), NODE_LIMITS);

const normalisations = {
  imagenet: { divide: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  pm1: { divide: 127.5, mean: [1, 1, 1], std: [1, 1, 1] },
  raw_bgr_letterbox: { divide: 1, mean: [0, 0, 0], std: [1, 1, 1] },
} as const;

function recipeOf(input: GoldenInput): Recipe {
  const [, a = 0, b = 0, c = 0] = input.shape;
  const letterbox = input.kind === "raw_bgr_letterbox";
  return {
    width: input.layout === "nchw" ? c : b,
    height: input.layout === "nchw" ? b : a,
    layout: input.layout,
    channels: letterbox ? "bgr" : "rgb",
    dtype: "float32",
    fit: letterbox ? { kind: "letterbox", fill: 114, align: "top-left" } : { kind: "squash" },
    normalise: normalisations[input.kind],
  };
}

const inputs = new Map<string, GoldenInput>();
if (hasSharedData) {
  for (const file of readdirSync(sharedData("golden", "cases"))) {
    // JSON.parse gives `any`; the manifest's fields are described in golden/README.md.
    const { input } = JSON.parse(readFileSync(sharedData("golden", "cases", file), "utf8")) as { input: GoldenInput };
    inputs.set(input.float32_sha256, input);
  }
}

const sha256 = (data: ArrayBufferView): string =>
  createHash("sha256")
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("hex");

function asRaster(file: string): Raster {
  const { dims, data } = readNpy(readFileSync(sharedData("golden", file)));
  if (!(data instanceof Uint8Array)) throw new Error(`${file} is not of bytes`);
  return { width: dims[1] ?? 0, height: dims[0] ?? 0, data };
}

describe.runIf(hasSharedData)("the goldens' input tensors", () => {
  it.each([...inputs.values()])("is bit-identical from the photo: $kind $shape of $source", async (input) => {
    const tensor = preprocess(await readPhoto(input.source), recipeOf(input));
    expect(tensor.dims).toEqual(input.shape);
    expect(sha256(tensor.data)).toBe(input.float32_sha256);
  });

  it.each([...inputs.values()])("is bit-identical from the resized pixels: $kind $shape of $source", (input) => {
    const raster = asRaster(input.u8_file);
    const tensor = preprocess(raster, { ...recipeOf(input), fit: { kind: "squash" } });
    expect(sha256(tensor.data)).toBe(input.float32_sha256);
  });
});

const resized = [
  ["catdog_128x128", "images/classic/cat_dog_srebuffi.png"],
  ["catdog_224x224", "images/classic/cat_dog_srebuffi.png"],
  ["catdog_32x32", "images/classic/cat_dog_srebuffi.png"],
  ["catdog_513x513", "images/classic/cat_dog_srebuffi.png"],
  ["coco10363_224x224", "coco/images/000000010363.jpg"],
  ["coco785_96x96", "coco/images/000000000785.jpg"],
  ["parrot_160x288", "images/classic/coral_parrot.jpg"],
  ["parrot_224x224", "images/classic/coral_parrot.jpg"],
  ["tench_192x256", "images/imagenet/n01440764_tench.JPEG"],
  ["tench_224x224", "images/imagenet/n01440764_tench.JPEG"],
  ["voc1763_160x160", "voc/001763.jpg"],
  ["voc1763_32x32", "voc/001763.jpg"],
  ["voc456_224x224", "voc/000456.jpg"],
  ["voc67_32x32", "voc/000067.jpg"],
  ["zebra_128x128", "images/imagenet/n02391049_zebra.JPEG"],
  ["zebra_224x224", "images/imagenet/n02391049_zebra.JPEG"],
  ["zebra_256x192", "images/imagenet/n02391049_zebra.JPEG"],
] as const;

describe.runIf(hasSharedData)("the goldens' resized photos", () => {
  it.each(resized)("%s is exactly what Pillow's bilinear resize gives", async (name, source) => {
    const wanted = asRaster(`inputs/${name}.u8.npy`);
    const recipe: Recipe = {
      width: wanted.width,
      height: wanted.height,
      layout: "nhwc",
      channels: "rgb",
      dtype: "uint8",
      fit: { kind: "squash" },
      normalise: normalisations.raw_bgr_letterbox,
    };
    expect(sha256(preprocess(await readPhoto(source), recipe).data)).toBe(sha256(wanted.data));
  });
});
