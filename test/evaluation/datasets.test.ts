/** @file Annotation formats: small documents of each, what they mean in pixels, and how damaged ones are refused. */
import { describe, expect, it } from "vitest";
import { objectsOfMask } from "../../shared/evaluation/datasets/class-mask.ts";
import { parseCoco } from "../../shared/evaluation/datasets/coco.ts";
import { parsePairs } from "../../shared/evaluation/datasets/pairs.ts";
import { regionOf } from "../../shared/evaluation/datasets/region.ts";
import { parseVoc } from "../../shared/evaluation/datasets/voc.ts";
import { parseYolo } from "../../shared/evaluation/datasets/yolo.ts";
import { boxMask, type Mask, maskArea } from "../../shared/evaluation/mask.ts";

const rows = ({ width, data }: Mask): readonly string[] =>
  Array.from({ length: data.length / width }, (_, y) =>
    Array.from(data.subarray(y * width, (y + 1) * width), (v) => (v === 0 ? "." : "#")).join(""),
  );

const voc = (objects: string): string => `<?xml version="1.0"?>
<annotation>
  <folder>VOC2007</folder><filename>000001.jpg</filename>
  <source><database>The VOC2007 Database</database><!-- a remark --></source>
  <size><width>353</width><height>500</height><depth>3</depth></size>
  ${objects}
</annotation>`;
const object = (name: string, box: readonly number[], difficult = 0): string =>
  `<object><name>${name}</name><pose>Left</pose><difficult>${difficult}</difficult>` +
  `<bndbox><xmin>${box[0]}</xmin><ymin>${box[1]}</ymin><xmax>${box[2]}</xmax><ymax>${box[3]}</ymax></bndbox></object>`;

describe("VOC's XML", () => {
  it("has boxes from 1, both ends included", () => {
    const found = parseVoc(voc(object("dog", [48, 240, 195, 371]) + object("person", [1, 1, 353, 500], 1)), "a.xml");
    expect(found.file).toBe("000001.jpg");
    expect(found.size).toEqual({ width: 353, height: 500 });
    expect(found.objects.map((o) => [o.class, o.difficult, o.box])).toEqual([
      ["dog", false, { left: 47, top: 239, right: 195, bottom: 371 }],
      ["person", true, { left: 0, top: 0, right: 353, bottom: 500 }],
    ]);
  });

  it("may show nothing, and writes five characters as entities", () => {
    expect(parseVoc(voc(""), "a.xml").objects).toEqual([]);
    expect(parseVoc(voc(object("cat &amp; &lt;dog&gt;", [1, 1, 2, 2])), "a.xml").objects[0]?.class).toBe("cat & <dog>");
  });

  it.each([
    ["an unclosed element", "<annotation><object>", "<object> is not closed: it is cut off"],
    ["a wrong end", "<annotation><a></b></annotation>", "</b> closes <a>"],
    ["an attribute", '<annotation verified="yes"></annotation>', "line 1 is no XML that an annotation has"],
    ["a document type", "<!DOCTYPE x [<!ENTITY a 'b'>]><annotation/>", "line 1 is no XML that an annotation has"],
    ["nothing", "", "it is empty"],
    ["another document", "<html></html>", "it is a <html>, not an <annotation>"],
    ["no box", voc("<object><name>dog</name></object>"), "an <object> has no <bndbox>"],
    ["words for numbers", voc(object("dog", [1, 1, Number.NaN, 3])), '<xmax> is "NaN", not a number'],
    ["an empty box", voc(object("dog", [5, 5, 4, 9])), "a <bndbox> is empty"],
    ["depth", "<a>".repeat(40), "its elements are nested too deeply"],
  ])("with %s is refused", (_what, text, why) => {
    expect(() => parseVoc(text, "a.xml")).toThrow(`cannot read the annotation "a.xml": ${why}`);
  });
});

describe("COCO's JSON", () => {
  const coco = (segmentation: unknown, bbox: unknown = [1, 1, 2, 2]): string =>
    JSON.stringify({
      images: [
        { id: 7, file_name: "a.jpg", width: 5, height: 4 },
        { id: 8, file_name: "b.jpg", width: 5, height: 4 },
      ],
      categories: [{ id: 18, name: "dog" }],
      annotations: [{ image_id: 7, category_id: 18, bbox, segmentation }],
    });
  const maskOf = (text: string): readonly string[] =>
    rows(regionOf(parseCoco(text, "c.json")[0]?.objects ?? [], { width: 5, height: 4 }).mask);

  it("lists images with and without objects, boxes as x, y, width, height", () => {
    const [a, b] = parseCoco(coco(undefined), "c.json");
    expect(a?.objects[0]?.box).toEqual({ left: 1, top: 1, right: 3, bottom: 3 });
    expect([a?.file, b?.file, b?.objects]).toEqual(["a.jpg", "b.jpg", []]);
    expect(maskOf(coco(undefined))).toEqual([".....", ".##..", ".##..", "....."]);
  });

  it("has polygons in pixels, several an object", () => {
    const polygons = [
      [0, 0, 2, 0, 2, 2, 0, 2],
      [4, 3, 5, 3, 5, 4, 4, 4],
    ];
    expect(maskOf(coco(polygons))).toEqual(["##...", "##...", ".....", "....#"]);
  });

  it("has runs down the columns, plain or compressed", () => {
    // Column by column: 5 off, 2 on (x 1, y 1 and 2), 2 off, 2 on, 9 off.
    const runs = [5, 2, 2, 2, 9];
    const expected = [".....", ".##..", ".##..", "....."];
    expect(maskOf(coco({ size: [4, 5], counts: runs }))).toEqual(expected);
    // By hand: 5, 2, 2 as they are, then 2-2 = 0 and 9-2 = 7, each plus 48: "5", "2", "2", "0", "7".
    expect(maskOf(coco({ size: [4, 5], counts: "52207" }))).toEqual(expected);
  });

  it("compresses large and negative differences in several digits", () => {
    // Runs 100, 50, 40, 2, 8: 100 = 4 + 3*32 is "T3", 50 is "b1", 40 is "X1", 2-50 = -48 is "`N", 8-40 is "PO".
    const text = JSON.stringify({
      images: [{ id: 1, file_name: "a.jpg", width: 20, height: 10 }],
      categories: [{ id: 1, name: "dog" }],
      annotations: [
        { image_id: 1, category_id: 1, bbox: [0, 0, 20, 10], segmentation: { size: [10, 20], counts: "T3b1X1`NPO" } },
      ],
    });
    const [image] = parseCoco(text, "c.json");
    expect(maskArea(regionOf(image?.objects ?? [], { width: 20, height: 10 }).mask)).toBe(52);
  });

  it.each([
    ["no JSON", "{", "it is not JSON"],
    ["no images", '{"categories":[]}', '"images" is not a list'],
    ["runs of another size", coco({ size: [4, 5], counts: [5, 2] }), "has runs of 7 pixels for 5 x 4"],
    ["a polygon of two points", coco([[0, 0, 1, 1]]), "annotations[0].segmentation[0] is not a polygon"],
    ["a negative box", coco(undefined, [1, 1, -2, 2]), "annotations[0].bbox has a negative width or height"],
    ["an unknown category", coco(undefined).replace('"id":18', '"id":19'), "is of a category it does not list"],
    ["an unknown image", coco(undefined).replace('"image_id":7', '"image_id":9'), "is of an image it does not list"],
  ])("with %s is refused", (_what, text, why) => {
    expect(() => parseCoco(text, "c.json")).toThrow(why);
  });
});

describe("YOLO's text", () => {
  const size = { width: 10, height: 4 };

  it("has boxes by their middle, and polygons, as parts of the image", () => {
    const found = parseYolo("1 0.5 0.5 0.4 0.5\n\n0 0 0 0.2 0 0.2 1 0 1\n", "a.txt", ["cat", "dog"]);
    expect(found.map((o) => o.class)).toEqual(["dog", "cat"]);
    expect(rows(regionOf(found, size).mask)).toEqual(
      ["##........", "##.####...", "##.####...", "##........"].map((r) => r),
    );
  });

  it("has numbers for classes where no names are given", () => {
    expect(parseYolo("58 0.5 0.5 0.4 0.5", "a.txt", null)[0]?.class).toBe("58");
  });

  it.each([
    ["words", "dog 0.5 0.5 0.4 0.5", "line 1 is not a class number followed by coordinates"],
    ["an unknown class", "\n7 0.5 0.5 0.4 0.5", "line 2 is of class 7, and there are 2 class names"],
    ["too few numbers", "0 0.5 0.5", "line 1 is not a polygon: it has 2 coordinates"],
    ["a box without extent", "0 0.5 0.5 0 0.5", "line 1 has a box without extent"],
  ])("with %s is refused", (_what, text, why) => {
    expect(() => parseYolo(text, "a.txt", ["cat", "dog"])).toThrow(why);
  });
});

describe("pairs", () => {
  const row = { file: "a.jpg", w: 10, h: 4, name: "dog", boxes_xywh: [[1, 1, 2, 2]], best_idx: 151, best_rank: 3 };

  it("say the class of the model, counted from another start where asked to", () => {
    const text = JSON.stringify([row, { ...row, name: "cat", best_idx: 281, best_rank: 9 }]);
    expect(parsePairs(text, "p.json")[0]?.objects.map((o) => [o.class, o.target])).toEqual([
      ["dog", 151],
      ["cat", 281],
    ]);
    expect(parsePairs(text, "p.json", { offset: 1, rankBelow: 5 })[0]?.objects.map((o) => o.target)).toEqual([152]);
  });

  it("leave out images of which no row remains", () => {
    expect(parsePairs(JSON.stringify([row]), "p.json", { rankBelow: 3 })).toEqual([]);
  });

  it("without a box are refused", () => {
    const text = JSON.stringify([{ ...row, boxes_xywh: [] }]);
    expect(() => parsePairs(text, "p.json")).toThrow('cannot read the annotation "p.json": row 0 has no box');
  });
});

describe("class-index masks", () => {
  it("are one object a class, without background and what nobody labelled", () => {
    const picture = { width: 3, height: 2, data: Uint8Array.of(0, 2, 2, 255, 1, 0) };
    const found = objectsOfMask(picture, "a.png", ["background", "cat", "dog"]);
    expect(found.map((o) => o.class)).toEqual(["dog", "cat"]);
    expect(rows(regionOf(found.slice(0, 1), picture).mask)).toEqual([".##", "..."]);
    expect(regionOf(found, picture).boxes).toEqual([
      { left: 1, top: 0, right: 3, bottom: 1 },
      { left: 1, top: 1, right: 2, bottom: 2 },
    ]);
    expect(() => objectsOfMask(picture, "a.png", ["background", "cat"])).toThrow(
      "it has class 2, and there are 2 class names",
    );
  });
});

describe("a region", () => {
  const photo = { width: 10, height: 10 };
  const boxed = (left: number, right: number) => {
    const box = { left, top: 2, right, bottom: 4 };
    return { class: "a", outline: { kind: "box", box } as const, box, normalised: false, difficult: false };
  };

  it("is cut off at the photo's edge, and counts what was cut and what lies outside", () => {
    const found = regionOf([boxed(0, 4), boxed(8, 14), boxed(-0.5, 2), boxed(20, 30)], photo);
    expect([found.clipped, found.outside, found.boxes.length]).toEqual([1, 1, 3]);
    expect(found.boxes[1]).toEqual({ left: 8, top: 2, right: 10, bottom: 4 });
    expect(rows(found.mask)[2]).toBe("####....##");
  });

  it("refuses a mask of another picture", () => {
    const mask = boxMask([{ left: 0, top: 0, right: 1, bottom: 1 }], { width: 9, height: 10 });
    const other = { class: "a", outline: { kind: "mask", mask } as const, normalised: false, difficult: false };
    expect(() => regionOf([other], photo)).toThrow("cannot use a mask of 9 x 10 pixels on a photo of 10 x 10");
  });
});
