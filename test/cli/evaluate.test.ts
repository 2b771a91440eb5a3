/** @file `backlight evaluate` on a tiny model and small datasets in every format: figures, and all that is left out. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { boxMask } from "../../shared/evaluation/mask.ts";
import { playPointing } from "../../shared/evaluation/pointing.ts";
import { fitGeometry } from "../../shared/imaging/geometry.ts";
import { readNpy } from "../../shared/imaging/npy.ts";
import { tinyClassifier } from "../support/tiny-models.ts";
import { type Document, dataset, evaluate, find, model, size, voc } from "./evaluate-place.ts";
import { pngOf, tinyCard, tinyWorkplace, type Workplace } from "./workplace.ts";

let place: Workplace;
beforeAll(async () => {
  place = await tinyWorkplace();
});
afterAll(() => place.remove());

describe("evaluate pointing", () => {
  const objects = [
    [["cat", [1, 1, 20, 20]]],
    [["dog", [31, 11, 60, 40]]],
    [["honey bee", [21, 1, 40, 20]]],
    [["cat", [11, 21, 25, 38]]],
  ] as const;

  it("counts the hits that the maps of explain make", async () => {
    const files = Object.fromEntries(objects.map((o, i) => [`Annotations/${i}.xml`, voc(o)]));
    const folder = await dataset(place, "hits", 4, files);
    const how = ["--layers", "relu2", "--tolerance", "3"];
    const { code, document, err } = await evaluate(
      place,
      "pointing",
      folder,
      "hits.out",
      "--methods",
      "norm-grad",
      ...how,
    );
    expect(code, err).toBe(0);
    let hits = 0;
    for (const [i, [[name, box]]] of objects.entries()) {
      const argv = ["explain", path.join(folder, "images", `${i}.png`), ...model(place), "--target", name];
      const out = place.at(`hits.${i}`);
      await place.run(...argv, "--method", "norm-grad", "--layers", "relu2", "--write", "npy", "--out", out);
      const [file] = place.list(`hits.${i}`);
      const { dims, data } = readNpy(readFileSync(path.join(out, file ?? "")));
      const [height = 1, width = 1] = dims;
      const geometry = fitGeometry(size, { width: 8, height: 8 }, { kind: "squash" });
      const [left, top, right, bottom] = box;
      const mask = boxMask([{ left: left - 1, top: top - 1, right, bottom }], size);
      const map = { width, height, data: Float32Array.from(data) };
      if (playPointing(map, geometry, mask, { tolerance: 3 })) hits += 1;
    }
    expect(find(document.rows, { method: "norm-grad", layer: "relu2", subset: "all" })).toMatchObject({
      trials: 4,
      hits,
      accuracy: hits / 4,
    });
    // The middle (29.5, 19.5) lies less than 3 pixels from objects 1 and 2 alone.
    expect(find(document.rows, { method: "centre", subset: "all" })).toMatchObject({ trials: 4, hits: 2 });
  });

  it("measures every layer and the combination, and writes JSON, CSV and a drawing", async () => {
    const folder = place.at("hits");
    const methods = ["--methods", "gradient,conv1x1:sum", "--layers", "relu1,relu2"];
    const { code, out } = await place.run(
      "evaluate",
      "pointing",
      folder,
      "--out",
      place.at("all"),
      ...model(place),
      ...methods,
    );
    expect(code).toBe(0);
    const lines = out.trim().split("\n");
    expect(lines[0]).toMatch(/^method +layer +subset +trials +hits +accuracy +class mean$/);
    expect(lines.filter((line) => line.includes("combined (product)")).length).toBe(4);
    expect(place.list("all")).toEqual(["journal.jsonl", "pointing.csv", "pointing.json", "pointing.svg"]);
    const csv = readFileSync(place.at("all", "pointing.csv"), "utf8").trim().split("\r\n");
    expect(csv[0]).toContain("accuracy,accuracy low,accuracy high,class mean");
    expect(csv.length).toBe(1 + 2 * (1 + 2 * 3));
    const svg = readFileSync(place.at("all", "pointing.svg"), "utf8");
    expect(svg).toMatch(/^<svg xmlns=.*[\s\S]*<\/svg>\n$/);
    expect(svg).toContain(">gradient</text>");
    expect(svg.match(/<polyline/g)?.length).toBe(2);
  });

  it("counts and lists all that it leaves out", async () => {
    const folder = await dataset(place, "left-out", 7, {
      "Annotations/0.xml": voc([["cat", [1, 1, 20, 20]]]),
      "Annotations/1.xml": voc([["unicorn", [1, 1, 20, 20]]]),
      "Annotations/2.xml": voc([["cat", [1, 1, 20, 20], true]]),
      "Annotations/3.xml": voc([["cat", [50, 1, 90, 20]]]),
      "Annotations/4.xml": voc([
        ["cat", [1, 1, 20, 20]],
        ["cat", [70, 50, 90, 60]],
      ]),
      "Annotations/5.xml": voc([]),
    });
    const { code, document } = await evaluate(place, "pointing", folder, "left-out.out", "--methods", "norm-grad");
    expect(code).toBe(0);
    const counts = Object.fromEntries(Object.entries(document.skipped).map(([why, { what }]) => [why, what]));
    expect(counts).toEqual({
      "images without annotation": ["6.png"],
      "images that show no object": ["5.png"],
      "classes that the model does not have": ["1.png: unicorn"],
      "classes whose objects are all marked as difficult": ["2.png: cat"],
      "objects cut off at the edge of their image (kept)": ["3.png: cat"],
      "objects wholly outside their image": ["4.png: cat"],
    });
    expect(find(document.rows, { method: "centre", subset: "all" })?.["trials"]).toBe(3);
  });

  it("lists what cannot be read, does the rest, and exits with 1", async () => {
    const folder = await dataset(place, "broken", 4, {
      "Annotations/0.xml": voc([["cat", [1, 1, 20, 20]]]),
      "Annotations/1.xml": "<annotation><object>",
      "Annotations/2.xml": voc([["cat", [1, 1, 20, 20]]], { width: 40, height: 60 }),
      "Annotations/3.xml": voc([["cat", [1, 1, 20, 20]]]),
      "Annotations/9.xml": voc([["cat", [1, 1, 20, 20]]]),
      "images/3.png": "no picture",
    });
    const { code, document, err } = await evaluate(place, "pointing", folder, "broken.out", "--methods", "norm-grad");
    expect(code).toBe(1);
    expect(document.failures.map((f) => [path.basename(f.what), f.code]).sort()).toEqual([
      ["1.xml", "dataset-invalid"],
      ["2.png", "dataset-invalid"],
      ["3.png", "image-unreadable"],
      ["9.xml", "dataset-invalid"],
    ]);
    expect(err).toContain('the annotation of "2.png" is of 40 x 60 pixels, the image has 60 x 40');
    expect(err).toContain("4 failed: they are listed in pointing.json");
    expect(find(document.rows, { method: "norm-grad", subset: "all" })?.["trials"]).toBe(1);
  });

  it("lists a method that the model does not allow, and compares the others", async () => {
    const methods = ["--methods", "norm-grad,norm-grad-real", "--layers", "pool1"];
    const { code, document } = await evaluate(place, "pointing", place.at("hits"), "methods.out", ...methods);
    expect(code).toBe(1);
    expect(document.failures[0]?.message).toContain('"pool1" is not the output of one');
    expect(new Set(document.rows.map((r) => r["method"]))).toEqual(new Set(["centre", "norm-grad"]));
  });

  it("takes the best-scoring of several classes, by a map of classes", async () => {
    const folder = await dataset(place, "mapped", 1, {
      "labels/0.txt": "0 0.5 0.5 0.2 0.2\n",
      "classes.txt": "animal\n",
    });
    const map = place.write("map.json", JSON.stringify({ animal: ["cat", 3, "ant"] }));
    const { document } = await evaluate(
      place,
      "pointing",
      folder,
      "mapped.out",
      "--methods",
      "norm-grad",
      "--classes",
      map,
    );
    expect(find(document.rows, { method: "centre", subset: "all" })).toMatchObject({ trials: 1, hits: 1 });
    const top = ["--classes", map, "--top", "1", "--methods", "norm-grad"];
    const { document: first } = await evaluate(place, "pointing", folder, "mapped.out", ...top);
    const skipped = first.skipped["classes that the model does not rank among its first 1"]?.count ?? 0;
    const explained = await place.run(
      "explain",
      path.join(folder, "images", "0.png"),
      ...model(place),
      "--json",
      "--write",
      "json",
    );
    const best: unknown = JSON.parse(explained.out).results[0].target.class;
    expect(skipped).toBe([2, 3, 0].includes(Number(best)) ? 0 : 1);
  });
});

describe("datasets", () => {
  const pair = { file: "0.png", w: 60, h: 40, name: "cat", boxes_xywh: [[0, 0, 60, 40]], best_idx: 2, best_rank: 0 };
  const coco = {
    images: [{ id: 1, file_name: "0.png", width: 60, height: 40 }],
    categories: [{ id: 5, name: "cat" }],
    annotations: [{ image_id: 1, category_id: 5, bbox: [0, 0, 60, 40] }],
  };
  it.each([
    ["voc", { "Annotations/0.xml": voc([["cat", [1, 1, 60, 40]]]) }],
    ["voc beside the images", { "images/0.xml": voc([["cat", [1, 1, 60, 40]]]) }, "images"],
    ["yolo", { "labels/0.txt": "2 0.5 0.5 1 1\n" }],
    ["coco", { "annotations/instances.json": JSON.stringify(coco) }],
    ["a COCO document", { "instances.json": JSON.stringify(coco) }, "instances.json"],
    ["pairs", { "pairs.json": JSON.stringify([pair]) }],
  ])("of the format %s are found and played", async (name, files, inside = "") => {
    const folder = await dataset(place, `format ${name}`, 1, files);
    const at = path.join(folder, inside);
    const { code, document, err } = await evaluate(place, "pointing", at, `out ${name}`, "--methods", "norm-grad");
    expect(code, err).toBe(0);
    expect(find(document.rows, { method: "norm-grad", subset: "all" })).toMatchObject({ trials: 1, hits: 1 });
  });

  it("of masks are read with their numbers, not their colours", async () => {
    const data = Uint8Array.from({ length: 60 * 40 * 3 }, () => 2);
    const folder = await dataset(place, "masks", 1, { "masks/0.png": await pngOf({ ...size, data }) });
    const { document } = await evaluate(place, "pointing", folder, "masks.out", "--methods", "norm-grad");
    expect(find(document.rows, { method: "norm-grad", subset: "all" })).toMatchObject({ trials: 1, hits: 1 });
  });

  it("of several formats, none, or nothing at all say what would help", async () => {
    const several = await dataset(place, "several", 1, {
      "Annotations/0.xml": voc([["cat", [1, 1, 20, 20]]]),
      "labels/0.txt": "2 0.5 0.5 1 1\n",
    });
    const failed = async (...argv: readonly string[]) => {
      const { code, err } = await place.run("evaluate", ...argv, ...model(place), "--out", place.at("none"));
      return [code, err.trim().split("\n").at(-1)];
    };
    expect(await failed("pointing", several)).toEqual([
      2,
      expect.stringMatching(
        /has several annotations: choose with --annotations: .*Annotations" \(voc\), .*labels" \(yolo\)/,
      ),
    ]);
    const plain = await dataset(place, "plain", 1, {});
    expect(await failed("pointing", plain)).toEqual([2, expect.stringContaining("found no annotations in")]);
    expect(await failed("pointing", place.at("nowhere"))).toEqual([
      2,
      expect.stringContaining("there is no such file"),
    ]);
    const empty = await dataset(place, "empty", 0, {});
    expect(await failed("sensitivity", empty)).toEqual([2, expect.stringContaining("is empty: it names no image")]);
    expect(await failed("pionting", plain)).toEqual([
      2,
      'error: backlight cannot evaluate "pionting": did you mean pointing?',
    ]);
  });
});

describe("the other measures", () => {
  it("sensitivity: plain NormGrad is class-blind in front of the global mean, the selective one is not", async () => {
    const how = [
      "--methods",
      "norm-grad,norm-grad-selective,gradient",
      "--layers",
      "relu2",
      "--pair",
      "max-min,top1-top2",
    ];
    const { code, document } = await evaluate(place, "sensitivity", place.at("hits"), "s", ...how);
    expect(code).toBe(0);
    expect(find(document.rows, { method: "norm-grad", pair: "max-min" })?.["rho"]).toBeGreaterThan(0.9999);
    expect(find(document.rows, { method: "norm-grad-selective", pair: "max-min" })?.["rho"]).toBeLessThan(0.99);
    expect(find(document.rows, { method: "gradient", pair: "top1-top2" })).toMatchObject({
      images: 0,
      flat: 4,
      rho: null,
    });
  });

  it("sanity: random weights change the maps, the more the deeper they reach", async () => {
    const how = ["--methods", "norm-grad", "--layers", "relu1", "--stages", "3"];
    const { code, document } = await evaluate(place, "sanity", place.at("hits"), "r", ...how);
    expect(code).toBe(0);
    expect(document.rows.map((r) => r["randomised"])).toEqual(["logits", "conv2", "conv1"]);
    for (const row of document.rows) expect(row["rho"]).toBeLessThan(0.999);
  });

  it("deletion: takes another baseline for either curve", async () => {
    const how = ["--methods", "linear-approximation", "--layers", "relu2", "--steps", "5"];
    const { code, document } = await evaluate(place, "deletion", place.at("hits"), "d", ...how);
    expect(code).toBe(0);
    const areas = document.rows.map((r) => r["area"]);
    for (const area of areas) expect(area).toBeGreaterThan(0);
    expect(document.rows.map((r) => r["curve"])).toEqual(["deletion", "insertion"]);
    const { document: same } = await evaluate(place, "deletion", place.at("hits"), "d2", ...how, "--baseline", "blur");
    expect(same.rows[1]?.["area"]).toBe(areas[1]);
    expect(same.rows[0]?.["area"]).not.toBe(areas[0]);
  });

  it("deletion: gives a model of open batch, run on several inputs at once, the same areas", async () => {
    const [fixed, open] = ["fixed", "open"].map((name) => place.at(`${name}.onnx`));
    for (const [file, batch] of [
      [fixed, 1],
      [open, "N"],
    ] as const) {
      writeFileSync(file ?? "", tinyClassifier({ batch, seed: 4 }));
      writeFileSync((file ?? "").replace(".onnx", ".card.json"), tinyCard());
    }
    const areas = async (file: string | undefined, out: string) => {
      const argv = ["evaluate", "deletion", place.at("hits"), "--model", file ?? "", "--out", place.at(out), "--quiet"];
      const { out: text } = await place.run(...argv, "--methods", "norm-grad", "--layers", "relu2", "--json");
      return (JSON.parse(text) as Document).rows.map((r) => Number(r["area"])); // the document's own form
    };
    const [one, many] = [await areas(fixed, "d3"), await areas(open, "d4")];
    expect(many.length).toBe(2);
    for (const [i, area] of many.entries()) expect(area).toBeCloseTo(one[i] ?? 0, 5);
  });

  it("agreement: compares methods with the first, and a method with itself agrees", async () => {
    const how = ["--methods", "norm-grad,conv1x1:norm,norm-grad-real,gradient", "--layers", "conv2"];
    const { code, document } = await evaluate(place, "agreement", place.at("hits"), "a", ...how);
    expect(code).toBe(0);
    expect(document.rows.map((r) => [r["method"], r["with"]])).toEqual([
      ["norm-grad", "norm-grad"],
      ["norm-grad-real", "norm-grad"],
      ["gradient", "norm-grad"],
    ]);
    expect(document.rows[0]?.["rho"]).toBe(1);
    expect(document.rows[1]?.["rho"]).toBeLessThan(1);
    const alone = await evaluate(place, "agreement", place.at("hits"), "a", "--methods", "norm-grad");
    expect([alone.code, alone.err]).toEqual([2, expect.stringContaining("give two or more")]);
  });

  it("localisation: has overlaps, thresholds and the energy inside", async () => {
    const { code, document } = await evaluate(place, "localisation", place.at("hits"), "l", "--methods", "norm-grad");
    expect(code).toBe(0);
    for (const row of document.rows) {
      expect(row["trials"]).toBe(4);
      expect(row["energy inside"]).toBeGreaterThan(0);
      expect(row["energy inside"]).toBeLessThan(1);
    }
  });
});
