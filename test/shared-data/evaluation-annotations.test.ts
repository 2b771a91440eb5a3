/** @file Readers of annotations on COCO's own: boxes, polygons and masks of the same photos tell of the same places. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { objectsOfMask } from "../../shared/evaluation/datasets/class-mask.ts";
import { parsePairs } from "../../shared/evaluation/datasets/pairs.ts";
import { regionOf } from "../../shared/evaluation/datasets/region.ts";
import { parseYolo } from "../../shared/evaluation/datasets/yolo.ts";
import { quantile } from "../../shared/evaluation/intervals.ts";
import { boxIou, type Mask, maskArea } from "../../shared/evaluation/mask.ts";
import { groupBy } from "../../shared/evaluation/pointing.ts";
import { decodePngNumbers } from "../../shared/imaging/png.ts";
import { hasSharedData, sharedData } from "../support/shared-data.ts";

const read = (...parts: readonly string[]): Buffer => readFileSync(sharedData("data", ...parts));

/** The masks were drawn by other hands than the polygons, so they agree up to borders and to what covers what. */
const medianOverlapMin = 0.9;
/** Smaller ones are all border. */
const pixelsMin = 500;

function overlap(a: Mask, b: Mask): number {
  const shared = a.data.reduce((n, v, i) => n + (v !== 0 && b.data[i] !== 0 ? 1 : 0), 0);
  return shared / (maskArea(a) + maskArea(b) - shared);
}

describe.runIf(hasSharedData)("COCO's annotations", () => {
  it("as polygons and as class-index masks cover the same pixels", () => {
    const overlaps: number[] = [];
    for (const file of readdirSync(sharedData("data", "coco", "polygons"))) {
      const mask = decodePngNumbers(read("coco", "masks", file.replace(".txt", ".png")));
      const drawn = new Map(objectsOfMask(mask, file, null).map((o) => [o.class, regionOf([o], mask).mask]));
      const polygons = parseYolo(read("coco", "polygons", file).toString(), file, null);
      for (const [name, objects] of groupBy(polygons, (o) => o.class)) {
        const other = drawn.get(name);
        const region = regionOf(objects, mask).mask;
        if (other !== undefined && maskArea(region) >= pixelsMin) overlaps.push(overlap(region, other));
      }
    }
    expect(overlaps.length).toBeGreaterThan(100);
    expect(
      quantile(
        overlaps.sort((a, b) => a - b),
        0.5,
      ),
    ).toBeGreaterThan(medianOverlapMin);
  });

  it("as pairs and as YOLO's labels have the same boxes", () => {
    const names: readonly string[] = JSON.parse(read("maps", "coco80_names.json").toString());
    const images = parsePairs(read("coco", "pairs_imagenet_coco.json").toString(), "pairs");
    expect(images.length).toBeGreaterThan(100);
    for (const { file, size, objects } of images) {
      if (size === null) throw new RangeError(`the pairs of ${file} say no size`);
      const label = file.replace(".jpg", ".txt");
      const labelled = groupBy(parseYolo(read("coco", "boxes", label).toString(), label, names), (o) => o.class);
      for (const [name, own] of groupBy(objects, (o) => o.class)) {
        const [a, b] = [regionOf(own, size).boxes, regionOf(labelled.get(name) ?? [], size).boxes];
        for (const box of a)
          expect(Math.max(...b.map((other) => boxIou(box, other))), `${file} ${name}`).toBeGreaterThan(0.9);
      }
    }
  });
});
